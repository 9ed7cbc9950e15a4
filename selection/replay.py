"""Replay a labelled set: what would each strategy have been worth, had its labels been asked for one batch at a time?

A part of the near-duplicate groups is held out as the test; of the rest, chance labels the first items, and then a
strategy asks for batch after batch while a head is fitted on all that was labelled so far. Scores: macro-F1 at
prior-matched thresholds (priors estimated, see ``Priors``) and the rarest policy's AUPRC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import expit
from sklearn.metrics import average_precision_score

from selection.errors import BadPlan, BadPool
from selection.hashing import F64, key, uniforms
from selection.replay_head import Priors, ReplayHead, matched_thresholds
from selection.strategies.base import Candidates, Choose, Labelled, Rows
from selection.strategies.registry import find
from selection.types import F32

METRICS = ("macro_f1", "rare_auprc")
RANDOM = "random"
RANDOM_SHARE = {"auto": 0.1}  # what goes to chance beside a strategy; the others are replayed as their papers have them
MIN_RARE = 10  # test positives that a policy needs to be the rarest one whose AUPRC is drawn


@dataclass(frozen=True, slots=True)
class LabelledSet:
    """n items whose answers are known. ``embeddings`` (n, d) float32 unit rows; ``answers`` (n, k) float32: 1, 0, or
    NaN where unknown, one known a row at least; ``groups`` (n,) near-duplicates, of each of which the pool offers one;
    ``blocks`` (n,): what is never split between pool and test, whole groups at least; ``exclusive``: each item has
    exactly one policy, as a class."""

    policies: tuple[str, ...]
    embeddings: F32
    answers: F32
    groups: Rows
    blocks: Rows
    exclusive: bool = False

    def __post_init__(self) -> None:
        n, k = len(self.embeddings), len(self.policies)
        if self.answers.shape != (n, k) or not self.groups.shape == self.blocks.shape == (n,):
            raise BadPool(f"answers: expected {(n, k)}, groups and blocks ({n},), found {self.answers.shape}")


@dataclass(frozen=True, slots=True)
class Course:
    """How a replay runs, in labels; ``held_out`` is the share of groups that judge."""

    start: int = 50
    batch: int = 50
    budget: int = 2000
    held_out: float = 0.3


@dataclass(frozen=True, slots=True)
class Curve:
    """``labels`` (r,) and the scores after as many, by metric; ``full``: those of a head on the whole pool."""

    strategy: str
    seed: int
    labels: Rows
    scores: Mapping[str, F64]
    full: Mapping[str, float]
    rarest: str


@dataclass(frozen=True)
class Split:
    """One seed's pool and test, the same for every strategy."""

    data: LabelledSet
    pool: Rows
    test: Rows
    rarest: int

    @cached_property
    def full(self) -> dict[str, float]:
        """The scores of a head that was given every label of the pool."""
        head = ReplayHead(len(self.data.policies))
        answers = self.data.answers[self.pool]
        head.fit(self.data.embeddings[self.pool], answers)
        return self.judge(head, np.nanmean(answers, axis=0).astype(np.float64))

    def judge(self, head: ReplayHead, shares: F64) -> dict[str, float]:
        """The scores of ``head`` on the test, with thresholds matched to ``shares`` on the pool."""
        data = self.data
        taus = matched_thresholds(head.logits(data.embeddings[self.pool]), shares)
        above, answers = head.logits(data.embeddings[self.test]) - taus, data.answers[self.test]
        said = np.eye(above.shape[1])[above.argmax(axis=1)] if data.exclusive else (above > 0).astype(np.float64)
        known = ~np.isnan(answers[:, self.rarest])
        rare = average_precision_score(answers[known, self.rarest], above[known, self.rarest])
        return {"macro_f1": macro_f1(said, answers), "rare_auprc": float(rare)}


def split(data: LabelledSet, seed: int, held_out: float) -> Split:
    """Raises BadPool when no policy has ``MIN_RARE`` violating items in the test."""
    names, block = np.unique(data.blocks, return_inverse=True)
    chance = uniforms(names.astype(np.uint64), seed, "held out")
    mine = np.isin(block, np.argsort(chance, kind="stable")[: round(held_out * len(names))])
    pool = np.flatnonzero(~mine)
    pool = pool[np.sort(np.unique(data.groups[pool], return_index=True)[1])]
    test = np.flatnonzero(mine)
    positives = np.nansum(data.answers[test], axis=0)
    share = np.nanmean(data.answers, axis=0)
    if not (positives >= MIN_RARE).any():
        raise BadPool(f"answers: no policy has {MIN_RARE} violating items held out; use a larger set")
    rarest = int(np.argmin(np.where(positives >= MIN_RARE, share, np.inf)))
    return Split(data, pool.astype(np.int64), test.astype(np.int64), rarest)


def macro_f1(said: F64, answers: F32) -> float:
    """Mean over policies of 2 TP / (2 TP + FP + FN), over the pairs that are known; 0 where nobody says or is."""
    known = ~np.isnan(answers)
    truth, mine = np.where(known, answers, 0), np.where(known, said, 0)
    return float(np.mean(2 * (mine * truth).sum(axis=0) / np.maximum(mine.sum(axis=0) + truth.sum(axis=0), 1e-12)))


def replay(
    part: Split, strategy: str, seed: int, course: Course, choose: Choose | None = None, by_chance: float | None = None
) -> Curve:
    """One curve. ``choose``: a rule that is not registered, ``strategy`` being what the curve calls it; ``by_chance``:
    the share of each batch that goes to chance, None: ``RANDOM_SHARE``. Raises BadPlan for an unknown strategy, or a
    course that the pool is too small for."""
    if not 0 < course.start <= min(course.budget, len(part.pool)) or course.batch < 1:
        raise BadPlan(
            f"start, batch, budget: {course.start}, {course.batch} and {course.budget} labels do not fit together, or "
            f"not in a pool of {len(part.pool)}"
        )
    if choose is None and strategy != RANDOM:
        choose = find(strategy)
    run = _Run(part, choose, RANDOM_SHARE.get(strategy, 0.0) if by_chance is None else by_chance, seed, course)
    while run.judge() < min(course.budget, len(part.pool)):
        run.ask()
    scores = {metric: np.array([score[metric] for score in run.scores]) for metric in METRICS}
    counts = np.array(run.counts, dtype=np.int64)
    return Curve(strategy, seed, counts, scores, part.full, part.data.policies[part.rarest])


class _Run:
    """Everything here counts in rows of the pool."""

    def __init__(self, part: Split, choose: Choose | None, by_chance: float, seed: int, course: Course) -> None:
        self._part, self._seed, self._course = part, seed, course
        self._choose, self._chance = choose, by_chance
        self._embeddings = np.ascontiguousarray(part.data.embeddings[part.pool])
        self._answers = part.data.answers[part.pool]
        self._numbers = uniforms(part.pool.astype(np.uint64), seed, "replay")
        self._head = ReplayHead(len(part.data.policies))
        self._priors = Priors(~np.isnan(self._answers))
        self.labelled: Rows = np.empty(0, np.int64)
        self._add(np.argsort(self._numbers, kind="stable")[: course.start], by_chance=True)
        self.counts: list[int] = []
        self.scores: list[dict[str, float]] = []

    def judge(self) -> int:
        """Fit on what is labelled, write the scores down, and return the number of labels."""
        self._head.fit(self._embeddings[self.labelled], self._answers[self.labelled])
        self._shares = self._priors.shares(expit(self._head.logits(self._embeddings)))
        self.counts.append(len(self.labelled))
        self.scores.append(self._part.judge(self._head, self._shares))
        return len(self.labelled)

    def ask(self) -> None:
        free = np.ones(len(self._embeddings), dtype=bool)
        free[self.labelled] = False
        n = min(self._course.batch, self._course.budget - len(self.labelled), int(free.sum()))
        by_chance = n if self._choose is None else round(n * self._chance)
        rows = np.flatnonzero(free)
        drawn = rows[np.argsort(self._numbers[rows], kind="stable")[:by_chance]]
        free[drawn] = False
        self._add(drawn, by_chance=True)
        if self._choose is not None:
            rows = np.flatnonzero(free)
            found = self._choose(self._candidates(rows), n - by_chance, key(self._seed, len(self.counts)) % 2**31)
            self._add(rows[found.rows], by_chance=False)

    def _add(self, rows: Rows, *, by_chance: bool) -> None:
        self.labelled = np.concatenate([self.labelled, rows]).astype(np.int64)
        self._priors.add(rows, self._answers[rows], by_chance=by_chance)

    def _candidates(self, rows: Rows) -> Candidates:
        logits = self._head.logits(self._embeddings)
        probabilities = expit(logits).astype(np.float32)
        return Candidates(
            embeddings=self._embeddings[rows],
            probabilities=probabilities[rows],
            open=~np.isnan(self._answers[rows]),
            thresholds=expit(matched_thresholds(logits, self._shares)),
            weights=np.ones(logits.shape[1]),
            ties=self._numbers[rows],
            labelled=Labelled(
                self._embeddings[self.labelled], self._answers[self.labelled], probabilities[self.labelled]
            ),
        )
