"""A cascade beside the full scorer alone: texts per CPU second on one thread, and what the cascade loses.

The full scorer is the default encoder with a head that ``scoring.training`` fitted on part of the tweets, for their
rarest label, at a threshold that flags ``FLAGGED`` of them. The first stage is distilled from that scorer's answers to
the sample. Speed is measured on texts that neither head, stage nor cut has seen, losses on those of them that are no
near-duplicate of one that was. The cut is bounded as tightly as the held-out part can show, which the row of the
bound tells. A round's picks are those of the lane ``uncertain``, by the full scorer's answers and many seeds.

Texts: tweets where the folder in GOLDFOLD_DATA_DIR has them, else made ones; ``hardware`` says which.
"""

from __future__ import annotations

import gzip
import json
import os
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.row import Row, hardware
from benchmarks.scoring import race
from scoring.base import Scores
from scoring.bounds import upper_bound
from scoring.cascade import Cascade
from scoring.cascade_fit import Fitted, Sample, Wish, fit, held_out
from scoring.embedding_head import EmbeddingHead
from scoring.encoder import SentenceEncoder
from scoring.prototypes import prototype_head
from scoring.training import train_head
from scoring.vocabulary import ask, read_vocabulary
from selection.duplicates import near_duplicate_groups
from selection.select import select
from selection.types import Lane, Plan, Pool

NAMES = ("cascade_vs_full_scorer", "cascade_loss_bound", "cascade_positives_lost", "cascade_picks_lost")
TARGETS = (">= 10x the peer", "<= 0.5 %", "<= 0.5 %", "<= 0.5 %")
TWEETS, LABEL = "tweets.jsonl.gz", "hate"
POLICY = "hate_speech"
FLAGGED = 0.02  # share of texts at or above the threshold
TRAIN, TEST = 4000, 5000  # texts for the head, and texts kept for measuring; all but the latter are the sample
ROUNDS = 50
ROUND_SHARE = 0.004  # 100 picks of all the tweets
LANES = (Lane("random", 0.1), Lane("risk", 0.3), Lane("uncertain", 0.6))
NEAR = 0.95  # cosine from which two texts are near-duplicates, as in a round
WISH = Wish(held_out=0.3, trickle=0.005, picks=ROUND_SHARE)
MADE = 8000

F64 = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Trial:
    """A fitted cascade, the vectors of its sample, and texts that it knows nothing of, "real" or "made"."""

    cascade: Cascade
    fitted: Fitted
    sampled: npt.NDArray[np.float16]
    texts: list[str]
    kind: str


def rows() -> list[Row]:
    """Speed, the bound, and what was lost."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        trial = experiment(SentenceEncoder(device="cpu"))
        ids = [f"test-{i}" for i in range(len(trial.texts))]
        answers: list[Scores] = []
        _tell(f"timing both on {len(ids)} texts")
        runs = race(
            [
                lambda texts: trial.cascade.score(ids[: len(texts)], texts),
                lambda texts: answers.append(trial.cascade.score_fully(ids[: len(texts)], texts)),
            ],
            trial.texts,
        )
    finally:
        torch.set_num_threads(threads)
    _tell("counting what was lost")
    return _rows(trial, answers[-1], [[len(ids) / seconds for seconds in run] for run in runs])


def _rows(trial: Trial, full: Scores, rates: list[list[float]]) -> list[Row]:
    on = f"{hardware()}; 1 thread; {len(trial.texts)} {trial.kind} texts that nothing was learned from"
    on = f"{on}, {FLAGGED:.0%} of the sample flagged"
    report, cleared = trial.fitted.report, trial.cascade.would_clear(trial.texts)
    sent = 1 - float(cleared.mean()) * (1 - trial.cascade.clearing.trickle)
    new = _new(trial.sampled, full.embeddings)
    positive = full.probabilities[:, 0] >= trial.cascade.clearing.thresholds[0]
    picks = _picks(full, trial.cascade.clearing.thresholds[0])
    picks = picks[new[picks]]
    ratios = [cascade / alone for cascade, alone in rates]
    return [
        Row(
            NAMES[0], median(run[0] for run in rates), "texts per CPU second",
            "the full scorer alone", median(run[1] for run in rates), median(ratios), TARGETS[0],
            f"{on}; {min(ratios):.3g}x to {max(ratios):.3g}x in {len(rates)} repeats; {sent:.1%} scored fully",
        ),
        Row(
            NAMES[1], 100 * report.loss_upper, "% of positives, at most, at 95 %", target=TARGETS[1],
            hardware=f"{hardware()}; {report.lost} of {report.positives} positives lost among {report.held_out} "
            f"{trial.kind} texts held out, of {report.distinct} in the sample that are no near-duplicates",
        ),
        _lost(2, positive[new], cleared[new], f"{on}, {int(new.sum())} of them no near-duplicates of the sample"),
        _lost(3, np.ones(len(picks), np.bool_), cleared[picks],
              f"{on}; {ROUNDS} rounds, {len(np.unique(picks))} texts picked by the lane uncertain"),
    ]  # fmt: skip


def _lost(place: int, among: Bool, cleared: Bool, on: str) -> Row:
    lost, n = int((among & cleared).sum()), int(among.sum())
    found = f"{lost} of {n} lost" + ("" if place == 3 else f", at most {upper_bound(lost, n):.1%} at 95 %")
    return Row(NAMES[place], 100 * lost / max(1, n), "% lost", target=TARGETS[place], hardware=f"{on}; {found}")


def experiment(encoder: SentenceEncoder) -> Trial:
    """Fit a head, then a cascade before it."""
    texts, labels, kind = _texts()
    order = np.random.default_rng(0).permutation(len(texts))
    share = 1 if kind == "real" else MADE / 24_783
    sampled, test = order[: -round(TEST * share)], order[-round(TEST * share) :]
    train = sampled[: round(TRAIN * share)]
    some = [texts[i] for i in sampled]
    _tell(f"scoring a sample of {len(some)} {kind} texts")
    vectors = encoder.encode([str(i) for i in range(len(some))], some).vectors
    full = EmbeddingHead(
        encoder,
        train_head(
            vectors[: len(train)],
            labels[train, None],
            (POLICY,),
            encoder.version,
            prototype_head(encoder, {POLICY: "Hate speech: contempt for people for what they are"}),
            seed=0,
        ).head,
    )
    _tell("asking the scorer about every token")
    vocabulary = ask(read_vocabulary(), full)
    scores = full.head.probabilities(vectors)
    keys = [str(group) for group in near_duplicate_groups(vectors, NEAR)]
    tau = float(np.quantile(scores, 1 - FLAGGED))
    sample = Sample(
        some,
        keys,
        scores,
        full.policies,
        (tau,),
        full.version,
        embeddings=vectors,
        seen=np.arange(len(some)) < len(train),
    )
    _tell("fitting the cascade")
    fitted = fit(sample, vocabulary, _wish(sample))
    cascade = Cascade(full, fitted.stage, fitted.clearing)
    return Trial(cascade, fitted, vectors, [texts[i] for i in test], kind)


def _wish(sample: Sample) -> Wish:
    """The tightest loss that the held-out part can show: with none of its positives lost."""
    held = held_out(sample, WISH)
    positives = int((sample.probabilities[held, 0] >= sample.thresholds[0]).sum())
    return replace(WISH, loss=upper_bound(0, positives) * 1.001)


def _new(sampled: npt.NDArray[np.float16], test: npt.NDArray[np.float16]) -> Bool:
    """Which test texts are no near-duplicates of any in the sample."""
    groups = near_duplicate_groups(np.concatenate([sampled, test]), NEAR)
    return np.asarray(~np.isin(groups[len(sampled) :], groups[: len(sampled)]), np.bool_)


def _picks(full: Scores, tau: float) -> npt.NDArray[np.int64]:
    """Rows that the lane ``uncertain`` of ``ROUNDS`` rounds picks, one after the other, some of them often."""
    n = len(full.ids)
    pool = Pool(full.ids, full.policies, full.probabilities, full.embeddings, np.ones((n, 1), np.bool_), ("en",) * n)
    place = {item_id: i for i, item_id in enumerate(full.ids)}
    found: list[int] = []
    for seed in range(ROUNDS):
        plan = Plan(max(2, round(ROUND_SHARE * n)), seed, LANES, {POLICY: tau}, {POLICY: 1.0}, duplicate_cosine=NEAR)
        found += [place[pick.item_id] for pick in select(pool, plan).picks if pick.lane == "uncertain"]
    return np.array(found, np.int64)


def _tell(step: str) -> None:
    print(f"cascade: {step} ({time.process_time():.0f} CPU s so far)", file=sys.stderr, flush=True)


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
