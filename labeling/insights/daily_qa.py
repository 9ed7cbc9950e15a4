"""Daily QA: draw a stratified sample of a day's decisions and have it judged again, blind.

A day is sampled once; the sample lies in the ledger before anybody is asked, so a killed process goes on with the same.
An item that has a label nobody doubts under the decision's policy version, by others than those who decided, is not
asked again: that label is the answer. All others go into rounds of the purpose ``daily_qa``, one for each policy
version: ordinary blind questions to ``overlap`` people, within their bounds of exposure, languages and opt-outs, whose
answers settle, are disputed and become gold as any. Gold that cannot be the answer is looked at again (lane
``relabel``). Picks have no ``pi``: they speak for decisions, not for traffic. Whoever decided about an item in
production gets no copy of it, and an answer of theirs does not count.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from labeling.decision_records import Decided, Decision, QaDay, Sampled
from labeling.errors import BadMedia, Conflict, InvalidInput, NotFound, NothingToDo
from labeling.golden.contested import is_contested
from labeling.insights.qa_verdicts import RIGHT, finals_of, rests_on, reviewed
from labeling.policies import Policies, Policy
from labeling.policy_rounds import open_up, plan_for, waiting, write_round
from labeling.purposes import DAILY_QA
from labeling.quality.daily_qa import DIMENSIONS, FLOOR, Cell, Plan, allocate, error_rates, places
from labeling.records import GoldState, PickRow, RoundState
from labeling.store.decision_interface import Decisions, Pair
from labeling.store.interfaces import Golden, ItemRegistry, Lake, PolicyVersions, Rounds, Tasks
from selection.hashing import key, uniform
from selection.types import RELABEL

LANE = "qa"
WINDOW_DAYS = 28  # of earlier days, whose errors say where the next are likely
TEXT, IMAGE = "text", "image"
Images = Callable[[Sequence[str]], Mapping[str, str | BadMedia]]  # item to the hash of its media's bytes


class Stores(Protocol):
    """The part of the ledger that daily QA needs."""

    @property
    def items(self) -> ItemRegistry: ...

    @property
    def rounds(self) -> Rounds: ...

    @property
    def tasks(self) -> Tasks: ...

    @property
    def golden(self) -> Golden: ...

    @property
    def policies(self) -> PolicyVersions: ...

    @property
    def decisions(self) -> Decisions: ...


@dataclass(frozen=True, slots=True)
class Terms:
    """How a day is sampled. ``policies`` in force, and ``policy`` as one was published under a version; ``prior``: the
    share of decisions that is wrong while nothing is known, in (0, 1); ``accounts``: addresses in Label Studio by
    production's ids of people; ``actions``: the outcome that an action belongs to."""

    policies: Policies
    policy: Callable[[str, str], Policy]
    zone: str = "UTC"
    budget: int = 200
    floor: int = FLOOR
    overlap: int = 2
    prior: float = 0.05
    accounts: Mapping[str, str] = field(default_factory=dict)
    actions: Mapping[str, Decided] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Opened:
    """A day's sample. ``decisions`` could be drawn, ``sampled`` were; ``asked`` items go to people, in ``rounds``;
    ``known``: sampled decisions whose answer is there or comes from elsewhere; ``unaskable`` ones by reason. ``again``:
    the day had been sampled before. ``left_out``: decisions under policies that are not in force."""

    day: str
    level: tuple[str, ...]
    decisions: int
    left_out: int
    sampled: int
    asked: int
    known: int
    unaskable: dict[str, int]
    rounds: tuple[str, ...]
    again: bool
    dry_run: bool


def yesterday(now: datetime, zone: str) -> date:
    """The day before that of ``now``, in a time zone."""
    return now.astimezone(ZoneInfo(zone)).date() - timedelta(days=1)


def bounds(day: date, zone: str) -> tuple[datetime, datetime]:
    """When a day begins, and when the next one does, in UTC."""
    begins = [datetime.combine(each, time(), ZoneInfo(zone)) for each in (day, day + timedelta(days=1))]
    return begins[0].astimezone(UTC), begins[1].astimezone(UTC)


def day_of(decisions: Decisions, day: date) -> QaDay | None:
    """A day as it was sampled; None where it was not."""
    return next((one for one in decisions.days() if one.day == day.isoformat()), None)


def open_day(
    stores: Stores, lake: Lake, day: date, terms: Terms, images: Images | None = None, *, dry_run: bool = False
) -> Opened:
    """Draw a day's sample and open its rounds; the next sync hands them out. A day that was sampled goes on as it was.
    ``images``: what reads images; None where nobody can be asked about them. Raises NothingToDo when nothing was
    decided that day, InvalidInput (budget, or a day that is not over), Conflict when decisions come in meanwhile."""
    there = day_of(stores.decisions, day)
    if there is None:
        if bounds(day, terms.zone)[1] > datetime.now(UTC):
            raise InvalidInput(f"day: {day.isoformat()} is not over yet in {terms.zone}; sample it when it is")
        run = _Drawing(stores, lake, day, terms, images)
        made, sample = run.day(), run.sample()
        if dry_run:
            return _opened(made, sample, again=False, dry_run=True)
        stores.decisions.add_day(made, sample)
    made = there or _sampled(stores.decisions, day)
    sample = stores.decisions.sample([made.day])
    if not dry_run:
        _ask(stores, lake, made, sample, terms, images)
    return _opened(made, sample, again=there is not None, dry_run=dry_run)


def _sampled(decisions: Decisions, day: date) -> QaDay:
    found = day_of(decisions, day)
    if found is None:
        raise NotFound(f"day {day.isoformat()} has no sample yet: goldfold qa sample draws it")
    return found


class _Drawing:
    """One day's draw, before anything is written."""

    def __init__(self, stores: Stores, lake: Lake, day: date, terms: Terms, images: Images | None) -> None:
        self._stores, self._lake, self._terms, self._images = stores, lake, terms, images
        self._day, self._window = day.isoformat(), bounds(day, terms.zone)
        self._seed = key("daily qa", self._day) % 2**31
        self._cells = stores.decisions.cells(*self._window, list(terms.policies))
        self._of_day = sum(stores.decisions.count(*self._window).values())
        if not self._cells:
            raise NothingToDo(
                f"day {self._day}: nothing was decided then about items that are there, under policies in force: "
                "import decisions first (goldfold decisions import)"
            )
        self._rates = error_rates(self._seen(), list(self._cells), terms.prior)
        severities = {policy.id: float(2**policy.severity) for policy in terms.policies.values()}
        self._plan = allocate(self._cells, severities, self._rates, terms.budget, terms.floor)

    def day(self) -> QaDay:
        units = sum(self._cells.values())
        frame: dict[str, object] = {
            "units": units,
            "left_out": self._of_day - units,
            "level": list(self._plan.level),
            "strata": _strata(self._plan),
        }
        terms = self._terms
        return QaDay(self._day, terms.zone, terms.budget, self._seed, frame, datetime.now(UTC))

    def sample(self) -> list[Sampled]:
        strata = self._plan.strata
        wanted = {s.key: set(places(s, uniform(self._seed, "daily qa", *s.key))) for s in strata}
        drawn = self._stores.decisions.drawn(*self._window, list(self._terms.policies), self._plan.level, wanted)
        if self._stores.decisions.cells(*self._window, list(self._terms.policies)) != self._cells:
            raise Conflict(f"decisions of {self._day} came in while it was sampled; run the same command again")
        numbers = {stratum.key: number for number, stratum in enumerate(strata)}
        barred = _barred(self._stores.decisions, drawn, self._terms.accounts)
        ways = _Ways(self._stores, self._lake, drawn, barred, self._images)
        found = []
        for one in drawn:
            number = numbers[tuple(_value(one.cell, name) for name in self._plan.level)]
            lane, note = ways.of(one)
            round_id = f"qa-{self._day}-{one.policy_id}-{one.policy_version}" if lane else ""
            rate = self._rates[one.cell]
            sampled = Sampled(
                day=self._day,
                source=one.source,
                decision_id=one.decision_id,
                item_id=one.item_id,
                policy_id=one.policy_id,
                policy_version=one.policy_version,
                stratum=number,
                pi=strata[number].pi,
                round_id=round_id,
                lane=lane,
                chance=1 - rate if one.outcome is Decided.VIOLATES else rate,
                barred=tuple(sorted(barred.get(one.pair, ()))),
                note=note,
            )
            found.append(sampled)
        return found

    def _seen(self) -> dict[Cell, tuple[int, int]]:
        """Answers and errors of earlier days, by cell."""
        oldest = (date.fromisoformat(self._day) - timedelta(days=WINDOW_DAYS)).isoformat()
        days = [one for one in self._stores.decisions.days() if oldest <= one.day < self._day]
        seen: dict[Cell, tuple[int, int]] = defaultdict(lambda: (0, 0))
        for one in reviewed(self._stores, days, self._terms.actions):
            if one.is_judged:
                n, errors = seen[one.decision.cell]
                seen[one.decision.cell] = (n + 1, errors + (one.verdict != RIGHT))
        return dict(seen)


class _Ways:
    """How each drawn decision gets its answer."""

    def __init__(
        self,
        stores: Stores,
        lake: Lake,
        drawn: Sequence[Decision],
        barred: Mapping[Pair, frozenset[str]],
        images: Images | None,
    ) -> None:
        self._barred = barred
        self._gold = {(row.item_id, row.policy_id): row for row in stores.golden.items()}
        self._finals = finals_of(stores.golden, [one.pair for one in drawn])
        versions = {(one.policy_id, one.policy_version) for one in drawn}
        self._busy = {pair: waiting(stores.tasks, *pair) for pair in versions}
        ids = sorted({one.item_id for one in drawn})
        self._modality = {row["item_id"]: row["modality"] for row in lake.take(ids, ["modality"]).to_pylist()}
        seen = [item_id for item_id in ids if self._modality[item_id] == IMAGE]
        self._read = dict(images(seen)) if images and seen else {}

    def of(self, one: Decision) -> tuple[str, str]:
        """The lane that asks, or "" and why nobody is asked."""
        finals = self._finals.get((*one.pair, one.policy_version), ())
        if self._is_labelled(one) and finals and not rests_on(finals[-1], self._barred.get(one.pair, ())):
            return "", ""
        if one.item_id in self._busy[one.policy_id, one.policy_version]:
            return "", ""
        if note := self._fault(one.item_id):
            return "", note
        return (RELABEL if finals else LANE), ""

    def _is_labelled(self, one: Decision) -> bool:
        """Whether its item has a label that nobody doubts, under the same policy version."""
        gold = self._gold.get(one.pair)
        if gold is None or gold.state is not GoldState.ACTIVE or is_contested(gold):
            return False
        return gold.policy_version == one.policy_version

    def _fault(self, item_id: str) -> str:
        modality = self._modality[item_id]
        if modality == IMAGE and isinstance(self._read.get(item_id), str):
            return ""
        return "" if modality == TEXT else f"its {modality} cannot be shown"


def _barred(decisions: Decisions, drawn: Sequence[Decision], accounts: Mapping[str, str]) -> dict[Pair, frozenset[str]]:
    """By pair, the addresses of everybody who ever decided about it; an id that no account is named for may itself be
    an address."""
    told = decisions.deciders([one.item_id for one in drawn])
    return {
        pair: frozenset(accounts.get(who, who).strip().casefold() for who in people) for pair, people in told.items()
    }


def _value(cell: Cell, name: str) -> str:
    return cell[DIMENSIONS.index(name)]


def _strata(plan: Plan) -> list[dict[str, object]]:
    """As the frame keeps them: people go by numbers."""
    people: dict[str, int] = {}
    told: list[dict[str, object]] = []
    for stratum in plan.strata:
        key_: dict[str, object] = dict(zip(plan.level, stratum.key, strict=True))
        if "who" in key_:
            key_["who"] = people.setdefault(str(key_["who"]), len(people) + 1)
        told.append({"key": key_, "units": stratum.units, "picks": stratum.picks})
    return told


def _ask(
    stores: Stores, lake: Lake, day: QaDay, sample: Sequence[Sampled], terms: Terms, images: Images | None
) -> None:
    """Open the rounds, each in one step that a killed process takes up again."""
    rounds: dict[str, dict[Pair, Sampled]] = defaultdict(dict)
    there = stores.items.by_id([one.item_id for one in sample])
    for one in sample:
        if one.round_id and one.item_id in there:
            rounds[one.round_id].setdefault(one.pair, one)
    known = {round_.round_id: round_ for round_ in stores.rounds.all() if round_.round_id in rounds}
    for round_id, asked in sorted(rounds.items()):
        if round_id in known and known[round_id].state is not RoundState.PLANNED:
            open_up(stores.rounds, round_id)
            continue
        first = next(iter(asked.values()))
        policy = terms.policy(first.policy_id, first.policy_version)
        read = _hashes(lake, [item_id for item_id, _ in asked], images)
        picks = [_pick(round_id, one) for one in asked.values()]
        made = plan_for(DAILY_QA, policy, LANE, len(picks), terms.overlap, day=day.day)
        plan = known[round_id].plan if round_id in known else made  # as a killed process began it
        frame = {"decisions": day.frame["units"], "sampled": len(sample)}
        note = f"daily QA of {day.day}: {len(picks)} items, asked under {policy.id} {policy.version}"
        write_round(stores, lake, round_id, day.seed, plan, picks, frame, [note], images=read)


def _pick(round_id: str, one: Sampled) -> PickRow:
    """Nothing of it tells what was decided but the chance, which no task shows."""
    reason = f"{DAILY_QA}: a decision of {one.day}"
    return PickRow(round_id, one.item_id, one.policy_id, one.lane, None, one.chance, one.item_id, (reason,))


def _hashes(lake: Lake, item_ids: Sequence[str], images: Images | None) -> dict[str, str]:
    rows = lake.take(sorted(set(item_ids)), ["modality"]).to_pylist()
    seen = [row["item_id"] for row in rows if row["modality"] == IMAGE]
    read = images(seen) if images and seen else {}
    return {item_id: told for item_id, told in read.items() if isinstance(told, str)}


def _opened(day: QaDay, sample: Sequence[Sampled], *, again: bool, dry_run: bool) -> Opened:
    unaskable: dict[str, int] = defaultdict(int)
    for one in sample:
        if one.note:
            unaskable[one.note] += 1
    frame, level = day.frame, day.frame["level"]
    return Opened(
        day=day.day,
        level=tuple(level) if isinstance(level, list) else (),
        decisions=int(str(frame["units"])),
        left_out=int(str(frame["left_out"])),
        sampled=len(sample),
        asked=len({(one.round_id, *one.pair) for one in sample if one.round_id}),
        known=sum(not one.round_id and not one.note for one in sample),
        unaskable=dict(unaskable),
        rounds=tuple(sorted({one.round_id for one in sample if one.round_id})),
        again=again,
        dry_run=dry_run,
    )
