"""What calibrating a head is worth: ECE and Brier score before and after, on texts that nothing was fitted on.

The head is trained on as many texts with the label as without, as a round picks them, so what it says of traffic as it
comes is far too high. Its calibration is fitted on ``FITTED`` texts drawn at random, and both are judged on ``JUDGED``
others. Ratios: the figure before over the figure after.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from benchmarks.row import Row, hardware
from benchmarks.tweets import Tweets, labelled_tweets
from labeling.quality.calibration import calibration_error, equal_mass_bins
from scoring.calibration_fit import Labelled, fit_map
from scoring.encoder import SentenceEncoder
from scoring.prototypes import prototype_head
from scoring.training import train_head

NAMES = ("calibration_ece", "calibration_brier")
POLICY = "hate_speech"
FITTED, JUDGED = 1600, 4000
TRAINED = 12_000  # texts among which the head's balanced sample is looked for
NULL_DRAWS = 400

F64 = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def rows() -> list[Row]:
    """Both figures, before and after."""
    tweets = labelled_tweets()
    before, after, labels, method = scored(tweets)
    on = (
        f"{hardware()}; {len(labels)} {tweets.kind} texts that nothing was fitted on, {labels.sum()} of them with the "
        f"label; {method}, fitted on {FITTED} others"
    )
    noise = f"; a perfect scorer would show up to {_noise(after):.4f} here"
    return [
        _row(NAMES[0], "expected calibration error", ece(before, labels), ece(after, labels), on + noise),
        _row(NAMES[1], "Brier score", brier(before, labels), brier(after, labels), on),
    ]


def _row(name: str, unit: str, before: float, after: float, on: str) -> Row:
    return Row(name, after, unit, "the same head before", before, before / after, "below the peer", on)


def scored(tweets: Tweets) -> tuple[F64, F64, Bools, str]:
    """Of the texts that judge: probabilities before and after, labels, and the method that was chosen."""
    share = min(1.0, len(tweets.texts) / (TRAINED + FITTED + JUDGED))
    trained, fitted, judged = (round(share * n) for n in (TRAINED, FITTED, JUDGED))
    pool = tweets.labels[:trained]
    yes = np.flatnonzero(pool)
    train = np.concatenate([yes, np.flatnonzero(~pool)[: len(yes)]])
    rest = np.arange(trained, trained + fitted + judged)
    encoder = SentenceEncoder(device="cpu")
    chosen = np.concatenate([train, rest])
    found = encoder.encode([str(i) for i in chosen], [tweets.texts[i] for i in chosen])
    vectors = found.vectors
    prototypes = prototype_head(encoder, {POLICY: "Hate speech: contempt for people for what they are"})
    labels = tweets.labels[train, None].astype(np.float64)
    head = train_head(vectors[: len(train)], labels, (POLICY,), encoder.version, prototypes, seed=0).head
    said = head.probabilities(vectors[len(train) :])[:, 0].astype(np.float64)
    truth = tweets.labels[rest]
    line = fit_map(Labelled.of(said[:fitted], truth[:fitted].astype(np.int64)))
    return said[fitted:], line.apply(said[fitted:].astype(np.float32)).astype(np.float64), truth[fitted:], line.method


def ece(probabilities: F64, labels: Bools) -> float:
    """Over bins of equal mass, as ``goldfold calibrate`` tells it."""
    return calibration_error(probabilities, labels, np.ones(len(labels)), equal_mass_bins(probabilities))


def brier(probabilities: F64, labels: Bools) -> float:
    """Mean squared error."""
    return float(((probabilities - labels) ** 2).mean())


def _noise(probabilities: F64) -> float:
    """The ECE that labels drawn from these very probabilities stay below in 95 of 100 draws."""
    rng = np.random.default_rng(0)
    drawn = [ece(probabilities, rng.random(len(probabilities)) < probabilities) for _ in range(NULL_DRAWS)]
    return float(np.quantile(drawn, 0.95))
