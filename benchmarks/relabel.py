"""Does a second look pay? Real sets whose labels people get wrong at a known rate; as many answers for everybody.

Three ways to spend them: all on new items; a fifth of each round's picks at most on second looks that the lane
``relabel`` finds worth more; a fifth on second looks at labels drawn by chance. Everybody runs the default strategy
with a tenth of each round by chance, under one policy a set. ``PEOPLE`` answer, each wrong at a rate of their own
around the one that is planted; ``overlap`` of them answer a new item, and where they differ, or a second look differs
from the label, a lead decides, who is wrong in ``LEAD_ERROR`` of the cases. Every answer costs one, the lead's too, and
so do those that do not count: anybody may come by for a second look, and if it is somebody who answered before, the
question is sent once more, as the service does it.

``python -m benchmarks.relabel`` prints the table.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product

import numpy as np
from scipy.special import expit
from sklearn.metrics import average_precision_score, f1_score

from benchmarks.learning_sets import SOURCES, folder, load, missing
from benchmarks.row import Row, hardware
from selection.hashing import F64
from selection.out_of_fold import out_of_fold
from selection.relabel import UNKNOWN, SecondLooks
from selection.replay import LabelledSet, Split, split
from selection.replay_head import Priors, ReplayHead, matched_thresholds
from selection.select import select
from selection.strategies.base import Labelled
from selection.types import F32, Lane, Plan, Pool

NAMES = ("relabel_auprc", "relabel_f1", "relabel_wrong_found")
NEW, RULE, CHANCE = "new", "rule", "chance"
ARMS = (NEW, RULE, CHANCE)
SCORES = ("auprc", "f1")
SETS = {
    "tweets": 0,
    "tweets offensive": 1,
    "moderation": None,
    "hatecheck": 0,
}  # None: the commonest
ERRORS = (0.15, 0.25)
OVERLAPS = (1, 2)
SEEDS = 5
PEOPLE = 12
LEAD_ERROR = 0.05
ROUND = 50
MOST = 0.2
ANSWERS = 1000
POOL = 4000
POLICY = "p"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run: scores on true labels after ``ANSWERS`` answers, the share of gold that is wrong, and of the second
    looks how many there were, how many were at a wrong label, and how many made it right."""

    auprc: float
    f1: float
    wrong: float
    looks: int
    at_wrong: int
    mended: int


@dataclass
class _Label:
    """A label and the answers behind it; ``led``: a lead decided it."""

    violates: bool
    answers: dict[int, bool]
    led: bool = False


@dataclass
class Run:
    """One arm over one split."""

    part: Split
    column: int
    arm: str
    error: float
    overlap: int
    seed: int
    answers: int = 0
    looks: int = 0
    at_wrong: int = 0
    mended: int = 0
    labels: dict[int, _Label] = field(default_factory=dict)

    def __post_init__(self) -> None:
        data, rng = self.part.data, np.random.default_rng(self.seed)
        known = self.part.pool[~np.isnan(data.answers[self.part.pool, self.column])]
        rows = np.sort(rng.permutation(known)[:POOL])
        self._rng = np.random.default_rng(self.seed + 1)
        self._vectors: F32 = np.ascontiguousarray(data.embeddings[rows])
        self._truth = data.answers[rows, self.column] == 1
        self._errors = np.clip(rng.normal(self.error, 0.05, PEOPLE), 0.02, 0.48)
        self._priors = Priors(np.ones((len(rows), 1), np.bool_))
        self._most = min(ANSWERS, int(0.6 * len(rows) * self.overlap))
        self._head = ReplayHead(1)
        for row in rng.permutation(len(rows))[:ROUND].tolist():
            self._ask(row, by_chance=True)
        self._fit()

    def outcome(self) -> Outcome:
        """Scores at the planned number of answers, in between two rounds in proportion."""
        counts, scores = [self.answers], [self._judge()]
        while self.answers < self._most:
            self._round()
            self._fit()
            counts.append(self.answers)
            scores.append(self._judge())
        auprc, f1, wrong = (float(np.interp(self._most, counts, of_round)) for of_round in zip(*scores, strict=True))
        return Outcome(auprc, f1, wrong, self.looks, self.at_wrong, self.mended)

    def _round(self) -> None:
        looks, plain = (self._second_looks(), False) if self.arm == RULE else (None, True)
        again = round(ROUND * MOST) if self.arm == CHANCE else 0
        for pick in select(self._pool(), self._plan(ROUND - again, plain=plain), self._labelled(), looks).picks:
            if pick.lane == "relabel":
                self._look(int(pick.item_id))
            else:
                self._ask(int(pick.item_id), by_chance=pick.lane == "random")
        rows = sorted(row for row, label in self.labels.items() if len(label.answers) < PEOPLE)
        for row in self._rng.permutation(rows)[:again].tolist():
            self._look(row)

    def _plan(self, budget: int, *, plain: bool) -> Plan:
        again = () if plain else (Lane("relabel", MOST),)
        lanes = (Lane("random", 0.1), Lane("uncertain", 0.9 if plain else 0.9 - MOST, "auto"), *again)
        seed = self.seed * 10_000 + self.answers
        return Plan(budget, seed, lanes, {POLICY: self._tau}, {POLICY: 1.0}, duplicate_cosine=None)

    def _pool(self) -> Pool:
        n = len(self._truth)
        return Pool(
            ids=tuple(f"{row:06}" for row in range(n)),
            policies=(POLICY,),
            probabilities=self._chances.astype(np.float32)[:, None],
            embeddings=self._vectors,
            eligible=np.array([row not in self.labels for row in range(n)])[:, None],
            languages=("und",) * n,
        )

    def _known(self) -> tuple[list[int], F32]:
        rows = sorted(self.labels)
        return rows, np.array([[self.labels[row].violates] for row in rows], np.float32)

    def _labelled(self) -> Labelled:
        rows, answers = self._known()
        return Labelled(self._vectors[rows], answers, self._chances[rows].astype(np.float32)[:, None])

    def _second_looks(self) -> SecondLooks:
        rows, answers = self._known()
        served = expit(self._logits[rows] - self._cut)[:, None]
        chances = out_of_fold(self._vectors[rows], answers, [str(row) for row in rows], served)[:, 0]
        told = [
            (place, person, said == self.labels[row].violates)
            for place, row in enumerate(rows)
            for person, said in self.labels[row].answers.items()
        ]
        told += [(place, UNKNOWN, True) for place, row in enumerate(rows) if self.labels[row].led]
        votes = np.array(told, np.int64)
        return SecondLooks(
            ids=tuple(f"{row:06}" for row in rows),
            policies=np.zeros(len(rows), np.int64),
            answers=answers[:, 0] == 1,
            probabilities=chances,
            groups=np.arange(len(rows)),
            pairs=votes[:, 0],
            people=votes[:, 1],
            agree=votes[:, 2].astype(np.bool_),
        )

    def _ask(self, row: int, *, by_chance: bool) -> None:
        said = {int(p): self._said(row, int(p)) for p in self._rng.choice(PEOPLE, self.overlap, replace=False)}
        self.answers += self.overlap
        led = len(set(said.values())) > 1
        self.labels[row] = _Label(self._lead(row) if led else next(iter(said.values())), said, led)
        first = np.array([[self.labels[row].violates]], np.float32)  # what a second look mends later counts as it was
        self._priors.add(np.array([row]), first, by_chance=by_chance)

    def _look(self, row: int) -> None:
        label, truth = self.labels[row], bool(self._truth[row])
        new = {person: self._said(row, person) for person in self._new_people(label)}
        label.answers |= new
        was_wrong = label.violates != truth
        if any(said != label.violates for said in new.values()):
            label.violates, label.led = self._lead(row), True
        self.looks += 1
        self.at_wrong += was_wrong
        self.mended += was_wrong and label.violates == truth

    def _new_people(self, label: _Label) -> list[int]:
        """Who looks and has not answered before; everybody who looks costs an answer."""
        person = int(self._rng.integers(PEOPLE))
        self.answers += 1
        if person not in label.answers:
            return [person]
        enough = min(1 + len(label.answers) + label.led, PEOPLE)
        self.answers += enough
        return [int(p) for p in self._rng.choice(PEOPLE, enough, replace=False) if int(p) not in label.answers]

    def _said(self, row: int, person: int) -> bool:
        return bool(self._truth[row]) != bool(self._rng.random() < self._errors[person])

    def _lead(self, row: int) -> bool:
        self.answers += 1
        return bool(self._truth[row]) != bool(self._rng.random() < LEAD_ERROR)

    def _fit(self) -> None:
        rows, answers = self._known()
        self._head.fit(self._vectors[rows], answers)
        self._logits: F64 = self._head.logits(self._vectors)[:, 0]
        self._chances: F64 = expit(self._logits)
        share = self._priors.shares(self._chances[:, None])
        self._cut = float(matched_thresholds(self._logits[:, None], share)[0])
        self._tau = float(np.clip(expit(self._cut), 1e-4, 1 - 1e-4))

    def _judge(self) -> tuple[float, float, float]:
        data, test = self.part.data, self.part.test
        known = test[~np.isnan(data.answers[test, self.column])]
        logits, truth = self._head.logits(data.embeddings[known])[:, 0], data.answers[known, self.column] == 1
        wrong = float(np.mean([label.violates != self._truth[row] for row, label in self.labels.items()]))
        return float(average_precision_score(truth, logits)), float(f1_score(truth, logits > self._cut)), wrong


def runs(name: str, error: float, overlap: int, arm: str, seeds: int = SEEDS) -> list[Outcome]:
    """One outcome a seed."""
    source = name.split()[0]
    data, found = load(source), []
    column = SETS[name]
    for seed in range(seeds):
        part = split(data, seed, SOURCES[source].held_out)
        found.append(Run(part, _commonest(data) if column is None else column, arm, error, overlap, seed).outcome())
    return found


def _commonest(data: LabelledSet) -> int:
    return int(np.argmax(np.nansum(data.answers, axis=0)))


Cells = dict[tuple[str, float, int], dict[str, list[Outcome]]]


def collect(seeds: int = SEEDS) -> Cells:
    """Every arm's outcomes, by set, planted error and overlap."""
    return {cell: {arm: runs(*cell, arm, seeds) for arm in ARMS} for cell in product(SETS, ERRORS, OVERLAPS)}


def rows() -> list[Row]:
    """The figures; without the sets, rows that say so and hold no figure."""
    absent = missing()
    if absent:
        why = f"not measured: {', '.join(absent)} not in {folder()}; point GOLDFOLD_DATA_DIR at the real sets"
        return [Row(name, math.nan, "not measured", hardware=why) for name in NAMES]
    cells = collect()
    on = f"{hardware()}; {SEEDS} seeds; {ANSWERS} answers at most; {'; '.join(lines(cells))}"
    scores = [_score(cells, name, what, on) for name, what in zip(NAMES, SCORES, strict=False)]
    mine, other = found_rate(cells, RULE), found_rate(cells, CHANCE)
    return [*scores, Row(NAMES[2], mine, "wrong labels mended a second look", "by chance", other, mine / other, "", on)]


def _score(cells: Cells, name: str, what: str, on: str) -> Row:
    mine, other = mean(cells, RULE, what), mean(cells, NEW, what)
    return Row(name, mine, f"{what}, mean of the cells", "all on new items", other, mine / other, "above 1", on)


def mean(cells: Cells, arm: str, what: str) -> float:
    """Over cells and seeds."""
    return float(np.mean([getattr(outcome, what) for arms in cells.values() for outcome in arms[arm]]))


def found_rate(cells: Cells, arm: str) -> float:
    """Wrong labels made right, a second look, over all cells and seeds."""
    every = [outcome for arms in cells.values() for outcome in arms[arm]]
    return sum(outcome.mended for outcome in every) / max(sum(outcome.looks for outcome in every), 1)


def lines(cells: Cells) -> Iterator[str]:
    """Each cell in words, with the mean differences from all on new items and their standard errors."""
    for (name, error, overlap), arms in cells.items():
        told = [f"{arm} {_told(outcomes, arms[NEW])}" for arm, outcomes in arms.items()]
        yield f"{name}, error {error:.2f}, overlap {overlap}: {' | '.join(told)}"


def _told(outcomes: Sequence[Outcome], base: Sequence[Outcome]) -> str:
    looks = sum(outcome.looks for outcome in outcomes)
    parts = [f"{what} {_beside(outcomes, base, what)}" for what in SCORES]
    parts.append(f"wrong gold {np.mean([outcome.wrong for outcome in outcomes]):.3f}")
    if looks:
        at_wrong, mended = (sum(getattr(o, what) for o in outcomes) / looks for what in ("at_wrong", "mended"))
        parts.append(f"{looks / len(outcomes):.0f} looks, {at_wrong:.2f} at wrong gold, {mended:.2f} mended it")
    return ", ".join(parts)


def _beside(outcomes: Sequence[Outcome], base: Sequence[Outcome], what: str) -> str:
    mine, other = (np.array([getattr(outcome, what) for outcome in each]) for each in (outcomes, base))
    gap = mine - other
    return f"{mine.mean():.3f} ({gap.mean():+.3f} +- {gap.std(ddof=1) / len(gap) ** 0.5:.3f})"


if __name__ == "__main__":
    for line in lines(collect()):
        sys.stdout.write(line + "\n")
