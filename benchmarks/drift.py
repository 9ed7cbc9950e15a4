"""How often drift is told where there is none: windows drawn by chance from the same scores, beside what is stated.

Scores are the default scorer's under eight policies. Each simulation draws a reference window and, from the other
texts, a current one, gives every text one of three languages by chance, and asks ``scoring.drift.compare`` about every
policy, and every policy in every language, at once. A window counts as an alarm when any of these cells has drifted.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from benchmarks.row import Row, hardware
from benchmarks.scoring import POLICIES
from benchmarks.tweets import labelled_tweets
from labeling.quality.intervals import clopper_pearson
from scoring.drift import FALSE_ALARMS, bin_counts, bin_edges, compare
from scoring.encoder import SentenceEncoder
from scoring.prototypes import prototype_head

WINDOWS = (200, 1000, 4000)  # texts of the current window
NAMES = tuple(f"drift_false_alarms_{size}" for size in WINDOWS)
TEXTS, REFERENCE = 16_000, 10_000
LANGUAGES = (0.6, 0.3, 0.1)
DRAWS = 1000

F32 = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


def rows() -> list[Row]:
    """One row a window's size."""
    tweets = labelled_tweets()
    encoder = SentenceEncoder(device="cpu")
    texts = tweets.texts[:TEXTS]
    found = encoder.encode([str(i) for i in range(len(texts))], texts)
    scores = prototype_head(encoder, POLICIES).probabilities(found.vectors)
    made = []
    for name, size in zip(NAMES, WINDOWS, strict=True):
        alarms = simulate(scores, size)
        low, high = clopper_pearson(alarms, DRAWS)
        on = (
            f"{hardware()}; {len(texts)} {tweets.kind} texts; {alarms} of {DRAWS} windows of {size}, "
            f"95 % interval {low:.2%} to {high:.2%}; {len(POLICIES) * (1 + len(LANGUAGES))} cells each"
        )
        stated = 100 * FALSE_ALARMS
        made.append(Row(name, 100 * alarms / DRAWS, "% of windows", "stated", stated, target="<= 1 %", hardware=on))
    return made


def simulate(scores: F32, size: int, draws: int = DRAWS, seed: int = 0) -> int:
    """Of ``draws`` windows of ``size`` without drift, those in which any cell is told to have drifted."""
    rng, alarms = np.random.default_rng([seed, size]), 0
    reference = round(len(scores) * REFERENCE / TEXTS)
    for _ in range(draws):
        order = rng.permutation(len(scores))
        languages = rng.choice(len(LANGUAGES), len(scores), p=LANGUAGES)
        windows = _cells(scores, languages, order[:reference], order[reference : reference + size])
        alarms += any(cell.verdict in ("moderate", "major") for cell in compare(windows).values())
    return alarms


def _cells(scores: F32, languages: Ints, reference: Ints, current: Ints) -> dict[tuple[str, ...], tuple[Ints, Ints]]:
    """As ``labeling.drift`` makes them: each policy's bins, counted for all its texts and for each language."""
    cells: dict[tuple[str, ...], tuple[Ints, Ints]] = {}
    for policy in range(scores.shape[1]):
        values = scores[:, policy]
        edges = bin_edges(values[reference])
        for language in (None, *range(len(LANGUAGES))):
            sides = [part if language is None else part[languages[part] == language] for part in (reference, current)]
            before, now = (bin_counts(values[side], edges) for side in sides)
            cells[str(policy), str(language)] = (before, now)
    return cells
