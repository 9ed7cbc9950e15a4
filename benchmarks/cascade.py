"""A cascade beside the full scorer alone: texts per CPU second on one thread, and what the cascade loses.

The full scorer is the default encoder with a head that ``scoring.training`` fitted on part of the tweets, for their
rarest label, at a threshold that flags ``FLAGGED`` of them. The first stage is distilled from that scorer's answers to
the sample. Speed is measured on texts that neither head, stage nor cut has seen, losses on those of them that are no
near-duplicate of one that was. The cut is bounded as tightly as the held-out part can show, which the row of the
bound tells. A round's picks are those of the lane ``uncertain``, by the full scorer's answers and many seeds.

A single held-out text may set a cut, so all of it is done on ``SPLITS`` random splits, each with a head, stage and cut
of its own. Speed is the median of them, a loss the worst. The first split is timed; the others' ratios are computed
from it and from the share that they send to the full scorer, since a stage costs the same whatever it clears.

Texts: tweets where the folder in GOLDFOLD_DATA_DIR has them, else made ones; ``hardware`` says which.
"""

from __future__ import annotations

import gzip
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.row import Row, hardware
from benchmarks.scoring import race
from scoring.base import Progress, Scores
from scoring.bounds import upper_bound
from scoring.cascade import Cascade
from scoring.cascade_fit import Fitted, Sample, Wish, fit, held_out
from scoring.cascade_report import CascadeReport
from scoring.embedding_head import EmbeddingHead
from scoring.embeddings import Embeddings, Encoder
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
TWEETS_THERE = 24_783
POLICY = "hate_speech"
FLAGGED = 0.02  # share of texts at or above the threshold
SPLITS = 3
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
    """A full scorer, the cascade fitted to it, the vectors of its sample, and texts that it knows nothing of."""

    full: EmbeddingHead
    fitted: Fitted
    sampled: npt.NDArray[np.float16]
    texts: list[str]


@dataclass(frozen=True, slots=True)
class Timing:
    """Texts per CPU second of the cascade, of the full scorer alone and of the stage alone, by repeat."""

    rates: list[list[float]]

    @property
    def ratios(self) -> list[float]:
        return [cascade / alone for cascade, alone, _stage in self.rates]

    def computed(self, sent: float, timed: float) -> float:
        """The ratio if the share ``sent`` went to the full scorer in place of the share ``timed``, which did."""
        stage = median(alone / stage for _cascade, alone, stage in self.rates)
        return 1 / (stage + (1 / median(self.ratios) - stage) * sent / timed)


@dataclass(frozen=True, slots=True)
class Found:
    """What one split showed: the share ``sent`` to the full scorer; of test texts that are no near-duplicates of the
    sample, whether each positive and each pick was ``cleared``, and how many different texts were ``picked``."""

    sent: float
    report: CascadeReport
    new: int
    positives: Bool
    picks: Bool
    picked: int


class Remembering:
    """An ``Encoder`` that reads no text twice: all splits are of the same texts."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._known: dict[str, npt.NDArray[np.float16]] = {}
        self.name, self.version, self.dimension = encoder.name, encoder.version, encoder.dimension

    def encode(self, ids: Sequence[str], texts: Sequence[str], progress: Progress | None = None) -> Embeddings:
        """As ``Encoder.encode``, but a text that fails is left out, and one read in windows is its mean alone."""
        unknown = list(dict.fromkeys(text for text in texts if text not in self._known))
        found = self._encoder.encode([str(i) for i in range(len(unknown))], unknown, progress)
        self.learn([unknown[int(i)] for i in found.ids], found.vectors)
        kept = [(i, self._known[text]) for i, text in zip(ids, texts, strict=True) if text in self._known]
        return Embeddings(tuple(i for i, _vector in kept), np.array([vector for _i, vector in kept], np.float16))

    def learn(self, texts: Sequence[str], vectors: npt.NDArray[np.float16]) -> None:
        """These need not be read any more."""
        self._known |= dict(zip(texts, vectors, strict=True))


def rows() -> list[Row]:
    """Speed, the bound, and what was lost."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    texts, labels, kind = _texts()
    try:
        encoder = SentenceEncoder(device="cpu")
        known = Remembering(encoder)
        found: list[Found] = []
        timings: list[Timing] = []
        for seed in range(SPLITS):
            _tell(f"split {seed + 1} of {SPLITS}, {len(texts)} {kind} texts")
            trial = experiment(known, texts, labels, seed)
            if not timings:
                timings.append(_timed(trial, encoder, known))
            found.append(_found(trial))
            _tell(f"{found[-1].sent:.1%} are scored fully")
    finally:
        torch.set_num_threads(threads)
    return _rows(timings[0], found, len(trial.texts), kind)


def _timed(trial: Trial, encoder: SentenceEncoder, known: Remembering) -> Timing:
    """The race, in which every text is read anew."""
    full, stage = EmbeddingHead(encoder, trial.full.head), trial.fitted.stage
    cascade = Cascade(full, stage, trial.fitted.clearing)
    ids = [f"test-{i}" for i in range(len(trial.texts))]
    answers: list[Scores] = []
    _tell(f"timing both on {len(ids)} texts")
    runs = race(
        [
            lambda texts: cascade.score(ids[: len(texts)], texts),
            lambda texts: answers.append(full.score(ids[: len(texts)], texts)),
            lambda texts: stage.read(texts),
        ],
        trial.texts,
    )
    known.learn(trial.texts, answers[-1].embeddings)
    return Timing([[len(ids) / seconds for seconds in run] for run in runs])


def _found(trial: Trial) -> Found:
    rule = trial.fitted.clearing
    full = trial.full.score([f"test-{i}" for i in range(len(trial.texts))], trial.texts)
    cleared = rule.clears(trial.fitted.stage.read(trial.texts))
    new = _new(trial.sampled, full.embeddings)
    positive = new & (full.probabilities[:, 0] >= rule.thresholds[0])
    picks = _picks(full, rule.thresholds[0])
    picks = picks[new[picks]]
    sent = 1 - float(cleared.mean()) * (1 - rule.trickle)
    return Found(sent, trial.fitted.report, int(new.sum()), cleared[positive], cleared[picks], len(np.unique(picks)))


def _rows(timing: Timing, found: list[Found], n: int, kind: str) -> list[Row]:
    on = f"{hardware()}; 1 thread; {n} {kind} texts that nothing was learned from, {FLAGGED:.0%} of the sample flagged"
    sent = [one.sent for one in found]
    ratios = [timing.computed(share, sent[0]) for share in sent]
    peer = median(alone for _cascade, alone, _stage in timing.rates)
    reports = [one.report for one in found]
    seen = ", ".join(f"{one.lost} of {one.positives} of {one.held_out}" for one in reports)
    return [
        Row(
            NAMES[0], median(ratios) * peer, "texts per CPU second", "the full scorer alone", peer, median(ratios),
            TARGETS[0],
            f"{on}; median of {len(found)} splits, scored fully {_each(sent, '.1%')}; ratios {_each(ratios, '.3g')}: "
            f"the first timed, {_each(timing.ratios, '.3g')} in {len(timing.rates)} repeats, the others computed",
        ),
        Row(
            NAMES[1], 100 * max(one.loss_upper for one in reports), "% of positives, at most, at 95 %",
            target=TARGETS[1],
            hardware=f"{hardware()}; worst of {len(found)} splits; positives lost among {kind} texts held out "
            f"that are no near-duplicates: {seen}",
        ),
        _lost(2, [one.positives for one in found], f"{on}, {_each([one.new for one in found], 'd')} of them no "
              "near-duplicates of the sample"),
        _lost(3, [one.picks for one in found], f"{on}; {ROUNDS} rounds, {_each([one.picked for one in found], 'd')} "
              "texts picked by the lane uncertain"),
    ]  # fmt: skip


def _each(values: Sequence[float], how: str) -> str:
    return ", ".join(format(value, how) for value in values)


def _lost(place: int, splits: list[Bool], on: str) -> Row:
    """The worst share of the splits, and the counts of each."""
    shares = [100 * float(cleared.mean()) if len(cleared) else 0.0 for cleared in splits]
    counts = [(int(cleared.sum()), len(cleared)) for cleared in splits]
    told = ", ".join(
        f"{lost} of {n}" + ("" if place == 3 else f" (at most {upper_bound(lost, n):.1%} at 95 %)")
        for lost, n in counts
    )
    return Row(NAMES[place], max(shares), "% lost", target=TARGETS[place], hardware=f"{on}; worst of {told} lost")


def experiment(encoder: Encoder, texts: list[str], labels: F64, seed: int) -> Trial:
    """Fit a head, then a cascade before it."""
    order = np.random.default_rng(seed).permutation(len(texts))
    share = min(1.0, len(texts) / TWEETS_THERE)
    sampled, test = order[: -round(TEST * share)], order[-round(TEST * share) :]
    train = sampled[: round(TRAIN * share)]
    some = [texts[i] for i in sampled]
    vectors = encoder.encode([str(i) for i in range(len(some))], some).vectors
    _tell("fitting the full scorer's head, and asking it about every token")
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
    vocabulary = ask(read_vocabulary(), full)
    scores = full.head.probabilities(vectors)
    keys = [str(group) for group in near_duplicate_groups(vectors, NEAR)]
    tau = float(np.quantile(scores, 1 - FLAGGED))
    seen = np.arange(len(some)) < len(train)
    sample = Sample(some, keys, scores, full.policies, (tau,), full.version, embeddings=vectors, seen=seen)
    _tell("fitting the cascade")
    return Trial(full, fit(sample, vocabulary, _wish(sample, seed)), vectors, [texts[i] for i in test])


def _wish(sample: Sample, seed: int) -> Wish:
    """The tightest loss that the held-out part can show: with none of its positives lost."""
    wish = replace(WISH, seed=seed)
    held = held_out(sample, wish)
    positives = int((sample.probabilities[held, 0] >= sample.thresholds[0]).sum())
    return replace(wish, loss=upper_bound(0, positives) * 1.001)


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
