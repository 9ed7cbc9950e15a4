"""Who gets which question: a plan from the floor as it stands. Pure, and the same for the same floor in any order.

The rule, all of it:

- A question goes to as many people as its overlap says, to nobody twice, and to nobody who ever met the item, or one
  of its near-duplicates, under the same policy version: not even as a question that was cancelled, or as an injection.
- Only to people who are active, not paused, read the item's language (``pt`` covers ``pt-BR``; an item of language
  ``und`` is read by all) and have not opted out of the policy.
- Exposure: what somebody has answered today, what lies unanswered before them and what they are given now stays within
  their daily units. The last tenth (``reserve``) is kept for mild items, below ``mild_units``: who has used up the rest
  gets those or none.
- No more than ``severe_in_row`` severe items (``severe_units`` or more) in a row on one desk (a person and policy),
  counting what was seen there today.
- Among those who may, the one with the fewest open tasks; a hash of seed, question and person decides between equals.
- Questions that wait for a third answer come first; the others in the order of a hash, so that severe and mild mix.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from labeling.floor import Desk
from labeling.records import Person

UNKNOWN_LANGUAGES = ("", "und")
SLACK = 1e-9  # sums of units are not exact
LENGTH_SLACK, LENGTH_SLACK_CHARS = 0.25, 20  # how far an injection's length may lie from other work's
NOBODY = "nobody on the roster may be given work: add people, or resume those who are paused"
ROW = (
    "too many severe items in a row on every desk that is left: they wait for milder ones between, or for tomorrow; "
    "widen the round by the lane random, or raise severe_in_row"
)


@dataclass(frozen=True, slots=True)
class AssignRules:
    """The bounds. Units as ``labeling.round_costs`` has them; ``reserve`` a share in [0, 1) of a person's daily units;
    ``injection_rate`` in [0, 1): injections for each copy that is handed out."""

    daily_exposure: float = 240.0
    severe_in_row: int = 5
    severe_units: float = 8.0
    mild_units: float = 1.0
    reserve: float = 0.1
    injection_rate: float = 0.0


@dataclass(frozen=True, slots=True)
class Question:
    """A blind task that ``wanted`` more people are to answer. ``answered``: it waits for one more, since the first
    answers left doubt. ``units``: what one look is expected to cost. ``names``: the item, its near-duplicate groups."""

    task_id: str
    policy_id: str
    policy_version: str
    language: str
    units: float
    chars: int
    wanted: int
    answered: bool
    names: frozenset[str]
    modality: str = "text"


@dataclass(frozen=True, slots=True)
class Anchor:
    """A golden item that may be injected, among questions of its modality: those of another lie in another project."""

    item_id: str
    policy_id: str
    policy_version: str
    language: str
    units: float
    chars: int
    names: frozenset[str]
    modality: str = "text"


@dataclass(frozen=True, slots=True)
class Placement:
    """One task for one person: of a question (``task_id``), or of an anchor (``item_id``)."""

    email: str
    position: int
    units: float
    policy_id: str
    task_id: str = ""
    item_id: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """Placements in the order of (person, position), and how many copies found nobody, by reason."""

    placements: tuple[Placement, ...]
    unplaced: dict[str, int]


def plan_assignment(
    questions: Iterable[Question],
    desks: Iterable[Desk],
    rules: AssignRules,
    seed: int = 0,
    anchors: Iterable[Anchor] = (),
) -> Plan:
    """Apply the module's rule."""
    run = _Planning(desks, rules, seed, anchors)
    ordered = sorted(questions, key=lambda q: (not q.answered, toss(seed, q.task_id), q.task_id))
    for q in ordered:
        run.lengths[q.policy_id, q.modality].append(q.chars)
    for question in ordered:
        for _ in range(question.wanted):
            run.place(question)
    run.give_up()
    placements = sorted(run.placements, key=lambda p: (p.email, p.position))
    return Plan(tuple(placements), dict(sorted(run.unplaced.items())))


def reads(person: Person, language: str) -> bool:
    """Whether somebody reads a language, by its name or that of its primary part."""
    asked = language.strip().casefold()
    known = {name.strip().casefold() for name in person.languages}
    return not known or asked in UNKNOWN_LANGUAGES or asked in known or asked.split("-")[0] in known


def able(person: Person, policy_id: str, language: str) -> bool:
    """Whether somebody may be asked about an item at all: today's exposure and what they met are left aside."""
    return person.active and not person.paused and reads(person, language) and policy_id not in person.opt_outs


def toss(seed: int, *parts: str) -> float:
    """A number in [0, 1) that depends on nothing but its arguments."""
    digest = hashlib.sha256("\0".join((str(seed), *parts)).encode()).digest()
    return int.from_bytes(digest[:7], "big") / 2**56


@dataclass(slots=True)
class _Pile:
    """A desk while it is filled."""

    desk: Desk
    cap: float
    row_limit: int
    used: float
    open_tasks: int
    position: int
    rows: dict[str, int]  # severe items at the end of each policy's desk
    met: set[tuple[str, str]]
    items: set[str]

    @property
    def email(self) -> str:
        return self.desk.person.email


@dataclass(slots=True)
class _Planning:
    """One plan in the making."""

    desks: Iterable[Desk]
    rules: AssignRules
    seed: int
    anchors: Iterable[Anchor]
    lengths: dict[tuple[str, str], list[int]] = field(default_factory=lambda: defaultdict(list))
    placements: list[Placement] = field(default_factory=list)
    unplaced: Counter[str] = field(default_factory=Counter)
    piles: list[_Pile] = field(init=False)
    held: dict[str, list[Question]] = field(init=False)
    golden: dict[tuple[str, str], list[Anchor]] = field(init=False)

    def __post_init__(self) -> None:
        people = sorted(self.desks, key=lambda desk: desk.person.email)
        self.piles = [self._pile(desk) for desk in people if desk.person.active and not desk.person.paused]
        self.held = defaultdict(list)
        self.golden = defaultdict(list)
        for anchor in self.anchors:
            self.golden[anchor.policy_id, anchor.policy_version].append(anchor)

    def place(self, question: Question) -> None:
        """Find somebody for one copy, or say why there is nobody, or hold it back until milder items lie between."""
        left, reason = self._who(question)
        if not left:
            self.unplaced[reason] += 1
            return
        free = [pile for pile in left if self._row_allows(pile, question.policy_id, question.units)]
        if not free:
            self.held[question.policy_id].append(question)
            return
        self._give(min(free, key=lambda p: (p.open_tasks, toss(self.seed, question.task_id, p.email))), question)

    def give_up(self) -> None:
        """What is still held back finds nobody."""
        self.unplaced.update({ROW: sum(len(questions) for questions in self.held.values())})
        self.unplaced = +self.unplaced

    def _who(self, question: Question) -> tuple[list[_Pile], str]:
        """Those who may get it, rows left aside; when there are none, why."""
        if not self.piles:
            return [], NOBODY
        left = [pile for pile in self.piles if reads(pile.desk.person, question.language)]
        if not left:
            return [], f"nobody on the roster reads {question.language!r}: add somebody who does"
        left = [pile for pile in left if question.policy_id not in pile.desk.person.opt_outs]
        if not left:
            return [], f"everybody who could has opted out of {question.policy_id}: add somebody who has not"
        left = [pile for pile in left if not self._has_met(pile, question.policy_id, question.names)]
        if not left:
            return [], "everybody who may answer has met the item, or a near-duplicate, before: add people"
        if all(self._limit(pile, question.units) < question.units for pile in left):
            return [], "one look costs more than a day's exposure of everybody who may answer: raise daily_exposure"
        return [pile for pile in left if self._fits(pile, question.units)], (
            "everybody who may answer is at their cap of exposure until tomorrow"
        )

    def _give(self, pile: _Pile, question: Question) -> None:
        injected = toss(self.seed, "inject", question.task_id, pile.email) < self.rules.injection_rate
        before = injected and toss(self.seed, "before", question.task_id, pile.email) < 0.5
        if before and self._row_allows(pile, question.policy_id, question.units, after=1):
            self._inject(pile, question, before=True)
            injected = False
        self._put(pile, question.policy_id, question.units, question.names, task_id=question.task_id)
        if injected:
            self._inject(pile, question)
        if question.units < self.rules.severe_units:
            self._retry(pile, question.policy_id)

    def _retry(self, pile: _Pile, policy_id: str) -> None:
        """A milder item lies on this desk now: give it what was held back for want of one."""
        waiting, self.held[policy_id] = self.held[policy_id], []
        for question in waiting:
            if self._row_allows(pile, policy_id, question.units) and self._may(pile, question):
                self._give(pile, question)
            else:
                self.held[policy_id].append(question)

    def _may(self, pile: _Pile, question: Question) -> bool:
        return (
            able(pile.desk.person, question.policy_id, question.language)
            and not self._has_met(pile, question.policy_id, question.names)
            and self._fits(pile, question.units)
        )

    def _inject(self, pile: _Pile, question: Question, *, before: bool = False) -> None:
        """One anchor about as long as a question of this policy drawn at random, so that length tells nothing; none
        where there is no such anchor. ``before`` the question, which must still fit then."""
        room = pile.cap * (1 - self.rules.reserve) - question.units if before else pile.cap
        if question.policy_id in pile.desk.resting:
            return
        lengths = self.lengths[question.policy_id, question.modality]
        like = lengths[int(toss(self.seed, "like", question.task_id, pile.email) * len(lengths))]
        left = [
            anchor
            for anchor in self.golden[question.policy_id, question.policy_version]
            if anchor.modality == question.modality
            and abs(anchor.chars - like) <= max(LENGTH_SLACK_CHARS, LENGTH_SLACK * like)
            and anchor.item_id not in pile.items
            and not anchor.names & question.names
            and not self._has_met(pile, anchor.policy_id, anchor.names)
            and able(pile.desk.person, anchor.policy_id, anchor.language)
            and self._fits(pile, anchor.units)
            and pile.used + anchor.units <= room
            and self._row_allows(pile, anchor.policy_id, anchor.units)
        ]
        if left:
            best = min(left, key=lambda a: (abs(a.chars - like), toss(self.seed, pile.email, a.item_id), a.item_id))
            self._put(pile, best.policy_id, best.units, best.names, item_id=best.item_id)
            pile.items.add(best.item_id)

    def _put(
        self, pile: _Pile, policy_id: str, units: float, names: Iterable[str], task_id: str = "", item_id: str = ""
    ) -> None:
        pile.position += 1
        pile.used += units
        pile.open_tasks += 1
        pile.rows[policy_id] = pile.rows.get(policy_id, 0) + 1 if units >= self.rules.severe_units else 0
        pile.met |= {(policy_id, name) for name in names}
        pile.items |= set(names)
        self.placements.append(Placement(pile.email, pile.position, units, policy_id, task_id, item_id))

    def _pile(self, desk: Desk) -> _Pile:
        person = desk.person
        return _Pile(
            desk=desk,
            cap=self.rules.daily_exposure if person.daily_exposure is None else person.daily_exposure,
            row_limit=self.rules.severe_in_row if person.severe_in_row is None else person.severe_in_row,
            used=desk.spent + desk.waiting,
            open_tasks=desk.open_tasks,
            position=desk.last_position,
            rows={policy: self._tail(row) for policy, row in desk.rows.items()},
            met=set(desk.met),
            items=set(desk.items),
        )

    def _tail(self, row: Sequence[float]) -> int:
        for back, units in enumerate(reversed(row)):
            if units < self.rules.severe_units:
                return back
        return len(row)

    def _has_met(self, pile: _Pile, policy_id: str, names: Iterable[str]) -> bool:
        return any((policy_id, name) in pile.met for name in names)

    def _limit(self, pile: _Pile, units: float) -> float:
        return pile.cap if units < self.rules.mild_units else pile.cap * (1 - self.rules.reserve)

    def _fits(self, pile: _Pile, units: float) -> bool:
        return pile.used + units <= self._limit(pile, units) + SLACK

    def _row_allows(self, pile: _Pile, policy_id: str, units: float, after: int = 0) -> bool:
        """``after``: severe items that may come before it."""
        return units < self.rules.severe_units or pile.rows.get(policy_id, 0) + after < pile.row_limit
