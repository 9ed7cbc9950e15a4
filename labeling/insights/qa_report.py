"""A day's quality report: how right each project's decisions were, by which errors they were wrong, and which projects
are likely below their target.

Every figure speaks for the project's decisions of the day, weighted by inclusion probability, and for nothing else.
While some of the sample waits for an answer, the others of its stratum stand for it, and the licence says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from labeling.decision_records import Decided, ErrorType, QaDay
from labeling.errors import NotFound
from labeling.figures import Origin, versions_of
from labeling.golden.newest import newest_name
from labeling.insights.daily_qa import bounds, day_of
from labeling.insights.qa_verdicts import LOST, RIGHT, UNDECIDED, WAITING, WITHHELD, Reviewed, Stores, reviewed
from labeling.insights.sampled_items import ANSWERED, Sampled
from labeling.quality.qa_accuracy import Share, Tally, stratified

LICENCE = "population: the project's decisions of the day, weighted by inclusion probability"
UNFINISHED = (
    "provisional: {n} of the project's sample wait for an answer, and the others of their stratum stand for them"
)
NONE_YET = "none: nothing of the project's sample is judged yet"
BELOW, AT_RISK, ON_TARGET, INSUFFICIENT = "below target", "at risk", "on target", "insufficient"
SURE, EVEN = 0.95, 0.5  # from which probability of being below its target a project is called below, or at risk
Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class Targets:
    """The share of right decisions that each project is held to, in (0, 1); ``accuracy`` where it is not named."""

    accuracy: float = 0.95
    projects: Mapping[str, float] | None = None

    def of(self, project: str) -> float:
        return (self.projects or {}).get(project, self.accuracy)


@dataclass(frozen=True, slots=True)
class _Project:
    name: str
    rows: Sequence[Reviewed]
    strata: Mapping[int, int]  # stratum to its decisions

    def share(self, *verdicts: str) -> Share:
        """Of the decisions, those with one of these verdicts."""
        judged = Counter(row.sampled.stratum for row in self.rows if row.is_judged)
        events = Counter(row.sampled.stratum for row in self.rows if row.verdict in verdicts)
        return stratified([Tally(units, judged[number], events[number]) for number, units in self.strata.items()])


def qa_report(stores: Stores, day: date, targets: Targets, actions: Mapping[str, Decided]) -> Json:
    """What the day's sample says now; JSON-able. ``projects`` by the probability of being below target, the highest
    first, those that say nothing last. Raises NotFound where the day was not sampled."""
    sampled = day_of(stores.decisions, day)
    if sampled is None:
        raise NotFound(f"day {day.isoformat()} was not sampled yet: goldfold qa sample --day {day.isoformat()}")
    rows = reviewed(stores, [sampled], actions)
    golden = newest_name(stores.golden)
    told = [_told(project, sampled, targets, golden) for project in _projects(sampled, rows)]
    told.sort(key=_rank)
    now = sum(stores.decisions.count(*bounds(day, sampled.zone)).values())
    units, left_out = int(str(sampled.frame["units"])), int(str(sampled.frame["left_out"]))
    return {
        "day": sampled.day,
        "zone": sampled.zone,
        "budget": sampled.budget,
        "strata_by": sampled.frame["level"],
        "strata": sampled.frame["strata"],
        "decisions": units,
        "left_out": left_out,
        "late": max(0, now - units - left_out),
        **_counts(rows),
        "projects": told,
        "breaches": [one["project"] for one in told if one["state"] == BELOW],
    }


def qa_decisions(
    stores: Stores, day: date, actions: Mapping[str, Decided], *, project: str = "", verdict: str = ""
) -> list[Json]:
    """The decisions of a day's sample with their verdicts, without who decided. Raises NotFound."""
    sampled = day_of(stores.decisions, day)
    if sampled is None:
        raise NotFound(f"day {day.isoformat()} was not sampled yet: goldfold qa sample --day {day.isoformat()}")
    return [
        {
            "decision_id": row.decision.decision_id,
            "source": row.decision.source.value,
            "item_id": row.decision.item_id,
            "policy": row.decision.policy_id,
            "policy_version": row.decision.policy_version,
            "project": row.decision.project,
            "verdict": row.verdict,
            "pi": row.sampled.pi,
            "round_id": row.sampled.round_id,
            "note": row.sampled.note,
        }
        for row in reviewed(stores, [sampled], actions)
        if project in ("", row.decision.project) and verdict in ("", row.verdict)
    ]


def _projects(day: QaDay, rows: Sequence[Reviewed]) -> list[_Project]:
    strata: dict[str, dict[int, int]] = {}
    frame = day.frame["strata"]
    for number, stratum in enumerate(frame if isinstance(frame, list) else []):
        strata.setdefault(str(stratum["key"]["project"]), {})[number] = int(stratum["units"])
    return [
        _Project(name, [row for row in rows if row.decision.project == name], mine)
        for name, mine in sorted(strata.items())
    ]


def _told(project: _Project, day: QaDay, targets: Targets, golden: str) -> Json:
    counts = _counts(project.rows)
    accuracy, target = project.share(RIGHT), targets.of(project.name)
    below = accuracy.below(target)
    licence = _licence(int(str(counts["judged"])), int(str(counts["waiting"])))
    versions = versions_of((row.sampled.policy_id, row.sampled.policy_version) for row in project.rows)

    def told(share: Share, verdict: str) -> Json:
        items = Sampled(day=day.day, where={"project": project.name}, verdict=verdict).link()
        return Origin(licence, golden, versions, items).of(share.as_dict())

    return {
        "project": project.name,
        "target": target,
        "state": _state(below),
        "below_target": below,
        "decisions": sum(project.strata.values()),
        **counts,
        "accuracy": told(accuracy, ANSWERED),
        "errors": {error.value: told(project.share(error.value), error.value) for error in ErrorType},
    }


def _counts(rows: Sequence[Reviewed]) -> Json:
    """``judged`` + ``waiting`` + ``undecided`` + ``withheld`` + ``lost`` = ``sampled``."""
    said = Counter(row.verdict for row in rows)
    named = {name: said[name] for name in (WAITING, UNDECIDED, WITHHELD, LOST)}
    return {"sampled": len(rows), "judged": len(rows) - sum(named.values()), **named}


def _licence(judged: int, waiting: int) -> str:
    if not judged:
        return NONE_YET
    return UNFINISHED.format(n=waiting) if waiting else LICENCE


def _state(below: float | None) -> str:
    if below is None:
        return INSUFFICIENT
    return BELOW if below >= SURE else AT_RISK if below >= EVEN else ON_TARGET


def _rank(told: Json) -> tuple[float, str]:
    below = told["below_target"]
    return (-below if isinstance(below, float) else 1.0, str(told["project"]))
