"""Why a project's accuracy changed between two periods, and its weekly figures with the breaks in the series.

Figures are Hajek's over sampled decisions that were judged again, as daily QA draws them. Strata are policy x language;
a stratum weighs what its judged decisions stand for. The old period is told twice: by the answers that first counted,
as it was reported then, and by gold of now. What lies between is the part ``gold_relabel``. A policy whose decisions of
both periods were not all made under one minor version is a ``policy_break``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import pairwise
from typing import Protocol

from labeling.cause_records import Slice
from labeling.decision_records import Decided, QaDay
from labeling.errors import NothingToDo
from labeling.figures import Origin, link, versions_of
from labeling.golden.newest import newest_name
from labeling.insights.qa_verdicts import RIGHT, WAITING, Reviewed, reviewed
from labeling.insights.sampled_items import ANSWERED, Sampled, lies_in
from labeling.insights.weeks import Window, weekly
from labeling.policy_versions import by_policy, parts
from labeling.quality.intervals import ENOUGH, FEW, INSUFFICIENT, newcombe
from labeling.quality.kpi_split import Cell, Split, split_kpi
from labeling.quality.verification import kish, weighted_share
from labeling.records import GoldAction
from labeling.store.decision_interface import Decisions
from labeling.store.interfaces import Golden, PolicyVersions, Tasks

LICENCE = "population: sampled decisions of the period, weighted by inclusion probability"
UNFINISHED = "provisional: {n} sampled decisions wait for an answer, and the others of the period stand for them"
WHERE = "/v1/kpi/items"
JUDGED, RELABELLED = "judged", "relabelled"  # which items of the two periods
Json = dict[str, object]
Key = tuple[str, str]  # policy, language


class Stores(Protocol):
    """The part of the ledger that figures are read from."""

    @property
    def decisions(self) -> Decisions: ...

    @property
    def tasks(self) -> Tasks: ...

    @property
    def golden(self) -> Golden: ...

    @property
    def policies(self) -> PolicyVersions: ...


@dataclass(frozen=True, slots=True)
class _Period:
    """A period's sample: ``rows`` judged by gold of now; ``first`` the same decisions by their first answers."""

    span: Window
    rows: Sequence[Reviewed]
    first: Sequence[Reviewed]
    waiting: Sequence[str]  # the projects of sampled decisions without an answer

    def of(self, project: str) -> _Period:
        waiting = [name for name in self.waiting if project in ("", name)]
        kept = [k for k, row in enumerate(self.rows) if project in ("", row.decision.project)]
        return _Period(self.span, [self.rows[k] for k in kept], [self.first[k] for k in kept], waiting)


def kpi_change(
    stores: Stores, before: Window, after: Window, actions: Mapping[str, Decided], project: str = ""
) -> Json:
    """Each project's change of the error rate, split into parts that add up to it; JSON-able. ``project`` "": every
    project that both periods know. Raises NothingToDo where there is none."""
    old, new = _read(stores, before, actions), _read(stores, after, actions)
    names = sorted({row.decision.project for row in old.rows} & {row.decision.project for row in new.rows})
    names = [name for name in names if project in ("", name)]
    if not names:
        raise NothingToDo(
            f"no project{f' {project!r}' if project else ''} has judged decisions in both periods: goldfold qa sample "
            "draws them, a day at a time"
        )
    return {
        "before": before.as_dict(),
        "after": after.as_dict(),
        "projects": [_change(name, old.of(name), new.of(name), newest_name(stores.golden)) for name in names],
    }


def kpi_series(
    stores: Stores, last: date, weeks: int, zone: str, actions: Mapping[str, Decided], project: str = ""
) -> Json:
    """Weekly accuracy, the oldest first, and where the series breaks: a minor or major version of a policy that the
    decisions were made under, or a week in which golden items were relabelled; JSON-able."""
    spans = weekly(last, weeks, zone)
    days = _days(stores.decisions, spans[0].first, spans[-1].last)
    rows = [row for row in reviewed(stores, days, actions) if project in ("", row.decision.project)]
    known = {row.decision.policy_id for row in rows}
    golden = newest_name(stores.golden)
    return {
        "project": project,
        "weeks": [
            _week(span, [row for row in rows if span.holds(row.decision.decided_at)], project, golden) for span in spans
        ],
        "breaks": sorted(
            [*_policy_breaks(stores.policies, spans, known), *_gold_breaks(stores.golden, spans, known)],
            key=lambda one: (str(one["week"]), str(one["at"]), str(one["policy"])),
        ),
    }


def _read(stores: Stores, span: Window, actions: Mapping[str, Decided]) -> _Period:
    days = _days(stores.decisions, span.first, span.last)
    now, then = reviewed(stores, days, actions), reviewed(stores, days, actions, first=True)
    rows = [(row, first) for row, first in zip(now, then, strict=True) if row.is_judged]
    waiting = [row.decision.project for row in now if row.verdict == WAITING]
    # Where the first answer gave no verdict there was nothing to report then: that of now stands for it.
    firsts = [first if first.is_judged else row for row, first in rows]
    return _Period(span, [row for row, _ in rows], firsts, waiting)


def _days(decisions: Decisions, first: date, last: date) -> list[QaDay]:
    return [day for day in decisions.days() if first.isoformat() <= day.day <= last.isoformat()]


def kpi_items(
    stores: Stores, before: Window, after: Window, actions: Mapping[str, Decided], project: str = "", what: str = JUDGED
) -> list[str]:
    """The items behind a change, sorted: the ``judged`` ones of both periods, or the ``relabelled`` ones of the old,
    whose answer of now says something else of their decision than the first one did."""
    old = _read(stores, before, actions).of(project)
    if what == RELABELLED:
        return _relabelled(old)
    rows = [*old.rows, *_read(stores, after, actions).of(project).rows]
    return sorted({row.decision.item_id for row in rows})


def _relabelled(old: _Period) -> list[str]:
    pairs = zip(old.rows, old.first, strict=True)
    return sorted({now.decision.item_id for now, first in pairs if now.verdict != first.verdict})


def _change(project: str, old: _Period, new: _Period, golden: str) -> Json:
    cells = _cells(old, new)
    split = split_kpi(cells)
    (n0, wrong0), (n1, wrong1) = _wrong(old.rows), _wrong(new.rows)
    _, (low, high) = newcombe(wrong1, n1, wrong0, n0)
    few = min(len(old.rows), len(new.rows)) <= FEW
    moved = {
        "value": None if few else split.after - split.before,
        "low": low,
        "high": high,
        "n": len(old.rows) + len(new.rows),
        "method": "newcombe, hajek",
        "verdict": INSUFFICIENT if few else ENOUGH,
    }
    both = _Period(new.span, [*old.rows, *new.rows], (), [*old.waiting, *new.waiting])
    first = _Period(old.span, old.first, (), old.waiting)
    rates = {"first": first, "before": old, "after": new}
    return {
        "project": project,
        "parts": {**_parts(split), "total": split.total},
        "error_rate": {name: _error_rate(period, {"project": project}, golden) for name, period in rates.items()},
        "under_gold_of_now": replace(
            _origin(both, {}, golden), items=_items_link(old.span, new.span, project, JUDGED)
        ).of(moved),
        "strata": [_stratum(cell, rates, project, golden) for cell in cells],
        "relabelled": {"count": len(_relabelled(old)), "items": _items_link(old.span, new.span, project, RELABELLED)},
    }


def _parts(split: Split) -> Json:
    return {name: getattr(split, name) for name in ("mix", "within", "gold_relabel", "policy_break")}


def _cells(old: _Period, new: _Period) -> list[Cell]:
    groups = [_grouped(rows) for rows in (old.rows, old.first, new.rows)]
    made = []
    for key in sorted(set(groups[0]) | set(groups[2])):
        before, first, after = (group.get(key, []) for group in groups)
        (w0, e0), (_, e_first), (w1, e1) = _rate(before), _rate(first), _rate(after)
        made.append(Cell(key, w0, w1, e_first, e0, e1, _is_break(before, after)))
    return made


def _grouped(rows: Sequence[Reviewed]) -> dict[Key, list[Reviewed]]:
    found: dict[Key, list[Reviewed]] = defaultdict(list)
    for row in rows:
        found[row.decision.policy_id, row.decision.language].append(row)
    return found


def _rate(rows: Sequence[Reviewed]) -> tuple[float, float | None]:
    """What they stand for, and the share of it that is wrong."""
    weight = sum(1 / row.sampled.pi for row in rows)
    wrong = sum(1 / row.sampled.pi for row in rows if row.verdict != RIGHT)
    return weight, wrong / weight if rows else None


def _wrong(rows: Sequence[Reviewed]) -> tuple[float, float]:
    return kish([row.verdict != RIGHT for row in rows], [row.sampled.pi for row in rows])


def _is_break(before: Sequence[Reviewed], after: Sequence[Reviewed]) -> bool:
    """Whether both periods have it, and its decisions were not all made under one minor version."""
    minors = {parts(row.decision.policy_version)[:2] for row in (*before, *after)}
    return bool(before) and bool(after) and len(minors) > 1


def _stratum(cell: Cell, rates: Mapping[str, _Period], project: str, golden: str) -> Json:
    policy, language = cell.name
    where = {"project": project, "policy": policy, "language": language}
    mine = {
        name: replace(period, rows=[row for row in period.rows if lies_in(row.decision, where)])
        for name, period in rates.items()
    }
    return {
        "policy": policy,
        "language": language,
        "decisions": {"before": cell.weight_before, "after": cell.weight_after},
        "error_rate": {name: _error_rate(period, where, golden) for name, period in mine.items()},
        "is_break": cell.is_break,
    }


def _week(span: Window, rows: Sequence[Reviewed], project: str, golden: str) -> Json:
    judged = [row for row in rows if row.is_judged]
    waiting = [row.decision.project for row in rows if row.verdict == WAITING]
    figure = weighted_share([row.verdict == RIGHT for row in judged], [row.sampled.pi for row in judged])
    where = {"project": project} if project else {}
    origin = _origin(_Period(span, judged, (), waiting), where, golden)
    return {**span.as_dict(), "accuracy": origin.of(figure.as_dict())}


def _error_rate(period: _Period, where: Slice, golden: str) -> Json:
    """Of the period's rows, those that are wrong."""
    figure = weighted_share([row.verdict != RIGHT for row in period.rows], [row.sampled.pi for row in period.rows])
    return _origin(period, where, golden).of(figure.as_dict())


def _origin(period: _Period, where: Slice, golden: str) -> Origin:
    licence = UNFINISHED.format(n=len(period.waiting)) if period.waiting else LICENCE
    versions = versions_of((row.decision.policy_id, row.decision.policy_version) for row in period.rows)
    items = Sampled(since=period.span.since, until=period.span.until, where=where, verdict=ANSWERED)
    return Origin(licence, golden, versions, items.link())


def _items_link(before: Window, after: Window, project: str, what: str) -> str:
    spans = {"old": f"{before.first}/{before.last}", "new": f"{after.first}/{after.last}"}
    return link(WHERE, **spans, project=project, what=what)


def _policy_breaks(policies: PolicyVersions, spans: Sequence[Window], known: Collection[str]) -> list[Json]:
    found: list[Json] = []
    for policy_id, history in by_policy(policies.all()).items():
        for earlier, later in pairwise(history):
            week = _week_of(spans, later.at)
            old, new = parts(earlier.version), parts(later.version)
            if policy_id in known and week and old[:2] != new[:2]:
                kind = "major" if old[0] != new[0] else "minor"
                found.append(
                    {
                        "week": week,
                        "at": later.at.isoformat(),
                        "kind": "policy",
                        "policy": policy_id,
                        "what": f"{earlier.version} -> {later.version} ({kind})",
                    }
                )
    return found


def _gold_breaks(golden: Golden, spans: Sequence[Window], known: Collection[str]) -> list[Json]:
    """By week and policy: how many golden items were relabelled."""
    counts: dict[tuple[str, str], list[str]] = defaultdict(list)
    for event in golden.events():
        week = _week_of(spans, event.at)
        if event.action is GoldAction.RELABELLED and event.policy_id in known and week:
            counts[week, event.policy_id].append(event.at.isoformat())
    return [
        {"week": week, "at": times[0], "kind": "gold", "policy": policy, "what": f"items relabelled: {len(times)}"}
        for (week, policy), times in counts.items()
    ]


def _week_of(spans: Sequence[Window], at: datetime) -> str:
    return next((span.first.isoformat() for span in spans if span.holds(at)), "")
