"""The common-mode alarm, by project: internal QA held against appeals and reports, in two windows of whole weeks.

Signals are read here and nowhere near a label: they say that QA may be blind, never what the answer is. An appeal
counts in the week it was made in, once it is decided; reports count by distinct items and policies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import date
from typing import Protocol

from labeling.decision_records import Decided
from labeling.figures import Origin, versions_of
from labeling.golden.newest import newest_name
from labeling.insights.qa_verdicts import RIGHT, Reviewed, reviewed
from labeling.insights.sampled_items import ANSWERED, Sampled
from labeling.insights.signal_items import DECIDED, Meant
from labeling.insights.weeks import Window, two_windows
from labeling.quality import common_mode
from labeling.quality.common_mode import MARGIN, State
from labeling.quality.verification import kish
from labeling.signal_records import AppealOutcome, Signal, SignalKind
from labeling.store.decision_interface import Decisions
from labeling.store.interfaces import Golden, Tasks
from labeling.store.signal_interface import Signals

JUDGED = "population: sampled decisions of the period, weighted by inclusion probability"
CAME_IN = "signals: what came in, which speaks for nobody who kept silent"
EVERY = ""  # all projects together
_ORDER = {state: place for place, state in enumerate(State)}
Json = dict[str, object]


class Stores(Protocol):
    """The part of the ledger that the alarm reads."""

    @property
    def decisions(self) -> Decisions: ...

    @property
    def signals(self) -> Signals: ...

    @property
    def tasks(self) -> Tasks: ...

    @property
    def golden(self) -> Golden: ...


def alarms(
    stores: Stores, last: date, weeks: int, zone: str, actions: Mapping[str, Decided], margin: float = MARGIN
) -> Json:
    """The ``weeks`` weeks up to ``last`` against those before, for each project and all together (project ""), those
    that ring first; JSON-able."""
    before, after = two_windows(last, weeks, zone)
    days = [day for day in stores.decisions.days() if before.first.isoformat() <= day.day <= after.last.isoformat()]
    rows = [row for row in reviewed(stores, days, actions) if row.is_judged]
    seen = [_Seen(stores, span, rows) for span in (before, after)]
    names = sorted({EVERY}.union(*(one.projects for one in seen)))
    golden = newest_name(stores.golden)
    told = [_told(name, seen[0], seen[1], margin, golden) for name in names]
    told.sort(key=lambda one: (_ORDER[State(str(one["state"]))], str(one["project"])))
    return {
        "before": before.as_dict(),
        "after": after.as_dict(),
        "margin": margin,
        "projects": told,
        "alarms": [one["project"] for one in told if one["state"] == State.ALARM],
    }


class _Seen:
    """What a window saw."""

    def __init__(self, stores: Stores, span: Window, rows: Sequence[Reviewed]) -> None:
        self.span = span
        self.counts = stores.decisions.count(span.since, span.until)
        self.signals = stores.signals.within(span.since, span.until)
        self.rows = [row for row in rows if span.holds(row.decision.decided_at)]
        self.projects = {project for project, _ in self.counts} | {one.project for one in self.signals}

    def rows_of(self, project: str) -> list[Reviewed]:
        return [row for row in self.rows if project in (EVERY, row.decision.project)]

    def signals_of(self, project: str) -> list[Signal]:
        return [one for one in self.signals if project in (EVERY, one.project)]

    def window(self, project: str) -> common_mode.Window:
        rows, signals = self.rows_of(project), self.signals_of(project)
        effective, right = kish([row.verdict == RIGHT for row in rows], [row.sampled.pi for row in rows])
        decided = [one for one in signals if one.is_decided]
        return common_mode.Window(
            judged=len(rows),
            effective=effective,
            right=right,
            decided=len(decided),
            overturned=sum(one.outcome is AppealOutcome.OVERTURNED for one in decided),
            decisions=sum(n for (name, _), n in self.counts.items() if project in (EVERY, name)),
            reports=len({one.pair for one in signals if one.kind is SignalKind.REPORT}),
        )


def _told(project: str, before: _Seen, after: _Seen, margin: float, golden: str) -> Json:
    windows = before.window(project), after.window(project)
    said = common_mode.common_mode(*windows, margin)
    rows = [*before.rows_of(project), *after.rows_of(project)]
    signals = after.signals_of(project)
    versions = versions_of((row.sampled.policy_id, row.sampled.policy_version) for row in rows)
    where = {} if project == EVERY else {"project": project}
    judged = Sampled(since=before.span.since, until=after.span.until, where=where, verdict=ANSWERED)
    came_in = Meant(before.span.since, after.span.until, project or None)
    appeals = replace(came_in, kind=SignalKind.APPEAL, outcome=DECIDED).link()
    reports = replace(came_in, kind=SignalKind.REPORT).link()
    return {
        "project": project,
        "state": said.state.value,
        "accuracy": Origin(JUDGED, golden, versions, judged.link()).of(asdict(said.accuracy)),
        "overturns": Origin(CAME_IN, golden, versions, appeals).of(asdict(said.overturns)),
        "reports_per_1000": Origin(CAME_IN, golden, versions, reports).of(asdict(said.reports)),
        "seen": {name: asdict(one) for name, one in zip(("before", "after"), windows, strict=True)},
        "pending_appeals": sum(one.outcome is AppealOutcome.PENDING for one in signals),
    }
