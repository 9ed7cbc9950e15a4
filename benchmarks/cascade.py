"""A cascade beside the full scorer alone: texts per CPU second on one thread, and what the cascade loses.

The full scorer is the default encoder with a head that ``scoring.training`` fitted on part of the tweets, for their
rarest label, at a threshold that flags ``FLAGGED`` of them. The first stage is distilled from that scorer's answers;
speed and losses are measured on texts that neither the head, the stage nor the cut has seen. The cut is bounded as
tightly as the held-out part can show, which is looser than the 0.5 % that 598 positives could.

Texts: tweets where the folder in GOLDFOLD_DATA_DIR has them, else made ones; ``hardware`` says which.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.row import Row, hardware
from benchmarks.scoring import race
from scoring.bounds import upper_bound
from scoring.cascade import Cascade
from scoring.cascade_fit import HELD_OUT, Sample, Wish, fit, split
from scoring.distil import read_vocabulary
from scoring.embedding_head import EmbeddingHead
from scoring.encoder import SentenceEncoder
from scoring.prototypes import prototype_head
from scoring.training import train_head

NAMES = ("cascade_vs_full_scorer", "cascade_positives_lost", "cascade_picks_lost")
TARGETS = (">= 10x the peer", "<= 0.5 %", "<= 0.5 %")
TWEETS, LABEL = "tweets.jsonl.gz", "hate"
POLICY = "hate_speech"
FLAGGED = 0.02  # share of texts at or above the threshold
TRAIN, TEST = 4000, 5000  # texts for the head, and texts kept for measuring; the rest is the sample
RACED = 5000  # texts that are timed: few would leave the full scorer's batches half empty, as no bulk run does
PICKS = 0.004  # 100 picks of all the tweets
TRICKLE = 0.005
HELD = 0.3
MADE = 8000

F64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of the test texts: ``cleared`` (share), positives and picks, and how many of each were lost."""

    cleared: float
    positives: int
    lost: int
    picks: int
    picks_lost: int
    margins: F64
    positive: npt.NDArray[np.bool_]


def rows() -> list[Row]:
    """Speed, and what was lost."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        cascade, texts, outcome, kind = experiment(SentenceEncoder(device="cpu"))
        ids = [f"raced-{i}" for i in range(RACED)]
        raced = texts[:RACED]
        runs = race([lambda t: cascade.score(ids[: len(t)], t), lambda t: cascade.score_fully(ids[: len(t)], t)], raced)
    finally:
        torch.set_num_threads(threads)
    on = f"{hardware()}; 1 thread; {len(texts)} {kind} texts that nothing was learned from, {FLAGGED:.0%} flagged"
    return [
        Row(
            NAMES[0],
            median(len(raced) / run[0] for run in runs),
            "texts per CPU second",
            "the full scorer alone",
            median(len(raced) / run[1] for run in runs),
            median(run[1] / run[0] for run in runs),
            TARGETS[0],
            f"{on}; {1 - outcome.cleared:.1%} scored fully",
        ),
        _lost(1, outcome.lost, outcome.positives, on),
        _lost(2, outcome.picks_lost, outcome.picks, on),
    ]


def _lost(place: int, lost: int, n: int, on: str) -> Row:
    bound = f"{lost} of {n}, at most {upper_bound(lost, n):.1%} at 95 %"
    return Row(NAMES[place], 100 * lost / n, "% lost", target=TARGETS[place], hardware=f"{on}; {bound}")


def experiment(encoder: SentenceEncoder) -> tuple[Cascade, list[str], Outcome, str]:
    """A fitted cascade, the test texts, what it does to them, and whether they are "real" or "made"."""
    texts, labels, kind = _texts()
    order = np.random.default_rng(0).permutation(len(texts))
    share = 1 if kind == "real" else MADE / 24_783
    train, test = order[: round(TRAIN * share)], order[-round(TEST * share) :]
    sampled = order[: -round(TEST * share)]
    vectors = encoder.encode([str(i) for i in range(len(texts))], texts).vectors
    head = train_head(
        vectors[train],
        labels[train, None],
        (POLICY,),
        encoder.version,
        prototype_head(encoder, {POLICY: "Hate speech: contempt for people for what they are"}),
        seed=0,
    ).head
    full = EmbeddingHead(encoder, head)
    scores = head.probabilities(vectors)
    tau = float(np.quantile(scores[sampled], 1 - FLAGGED))
    sample = Sample(
        [texts[i] for i in sampled],
        [" ".join(texts[i].lower().split()) for i in sampled],
        scores[sampled],
        (POLICY,),
        (tau,),
        full.version,
        embeddings=vectors[sampled],
    )
    fitted = fit(sample, read_vocabulary(), _wish(sample))
    cascade = Cascade(full, fitted.stage, fitted.clearing)
    tested = [texts[i] for i in test]
    return cascade, tested, _outcome(cascade, tested, scores[test, 0], tau), kind


def _wish(sample: Sample) -> Wish:
    """The tightest loss that the held-out part can show: with none of its positives lost."""
    wish = Wish(held_out=HELD, trickle=TRICKLE, picks=PICKS)
    keys = sorted(set(sample.keys))
    held = {key for key, part in zip(keys, split(keys, wish), strict=True) if part == HELD_OUT}
    flagged = {key for key, p in zip(sample.keys, sample.probabilities[:, 0], strict=True) if p >= sample.thresholds[0]}
    return Wish(loss=upper_bound(0, len(held & flagged)) * 1.001, held_out=HELD, trickle=TRICKLE, picks=PICKS)


def _outcome(cascade: Cascade, texts: Sequence[str], scores: npt.NDArray[np.float32], tau: float) -> Outcome:
    cleared, logits = cascade.would_clear(texts)
    positive = scores >= tau
    distance = np.abs(np.log(scores / (1 - scores)) - np.log(tau / (1 - tau)))
    picks = np.argsort(distance)[: max(1, round(PICKS * len(texts)))]
    return Outcome(
        cleared=float(cleared.mean()) * (1 - TRICKLE),
        positives=int(positive.sum()),
        lost=int((positive & cleared).sum()),
        picks=len(picks),
        picks_lost=int(cleared[picks].sum()),
        margins=cascade.clearing.margins(logits),
        positive=positive,
    )


def _texts() -> tuple[list[str], F64, str]:
    named = os.environ.get("GOLDFOLD_DATA_DIR")
    path = (Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "data") / TWEETS
    if not path.is_file():
        return (*_made(), "made")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        found = [json.loads(line) for line in lines]
    return [str(row["text"]) for row in found], np.array([float(row["label"] == LABEL) for row in found]), "real"


def _made() -> tuple[list[str], F64]:
    """Words without meaning; a text of the label has four of six words that others never have."""
    rng = np.random.default_rng(0)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    words = ["".join(rng.choice(letters, rng.integers(2, 9))) for _ in range(2000)]
    labels = (rng.random(MADE) < 0.1).astype(np.float64)
    texts = []
    for label in labels:
        drawn = rng.choice(words[6:], rng.integers(4, 12)).tolist() + rng.choice(words[:6], int(4 * label)).tolist()
        texts.append(" ".join(rng.permutation(drawn).tolist()))
    return texts, labels
