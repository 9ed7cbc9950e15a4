"""Signals, interception and changes of a KPI in an installation: its settings and its QA file around the use cases."""

from __future__ import annotations

from datetime import date
from typing import Any

from api import root_causes
from api.composition import Goldfold
from api.daily_qa import actions_of, day_named
from configs.qa_files import read_qa_file
from labeling.cause_records import Finding
from labeling.decision_records import Decided
from labeling.errors import InvalidInput
from labeling.insights.alarm import alarms
from labeling.insights.door import Rows
from labeling.insights.interception import MISSED, WANTED, intercepted_items, interception, ticket_of
from labeling.insights.kpi_change import kpi_change, kpi_items, kpi_series
from labeling.insights.overturns import weekly_overturns
from labeling.insights.signal_items import Meant, signal_items
from labeling.insights.signals import SignalReport, count_signals, import_signals
from labeling.insights.weeks import Window, two_windows, window

WEEKS = 4
MOST_WEEKS = 26
Json = dict[str, Any]


def take_in(goldfold: Goldfold, rows: Rows, **how: Any) -> SignalReport:
    """Import signals; ``how`` as ``labeling.insights.signals.import_signals`` takes it."""
    return import_signals(rows, goldfold.ledger, goldfold.lake, **how)


def count_days(goldfold: Goldfold, until: str | None, days: int) -> list[Json]:
    """How many signals each of the last ``days`` has, by project, kind and outcome; the newest first."""
    zone = goldfold.settings.exposure_zone
    return count_signals(goldfold.ledger.signals, day_named(goldfold, until), days, zone)


def alarm(goldfold: Goldfold, until: str | None, weeks: int) -> Json:
    """The common-mode alarm of each project."""
    last, zone = day_named(goldfold, until), goldfold.settings.exposure_zone
    return alarms(goldfold.ledger, last, weeks, zone, _actions(goldfold))


def overturns(goldfold: Goldfold, until: str | None, weeks: int, project: str = "") -> list[Json]:
    """Weekly share of decided appeals that were overturned."""
    last, zone = day_named(goldfold, until), goldfold.settings.exposure_zone
    return weekly_overturns(goldfold.ledger, last, weeks, zone, project)


def intercepted(
    goldfold: Goldfold, until: str | None, weeks: int = WEEKS, wanted: float = WANTED, policy: str = ""
) -> Json:
    """Stages and recall by policy and severity. Raises NothingToDo, InvalidInput."""
    _, span = two_windows(day_named(goldfold, until), weeks, goldfold.settings.exposure_zone)
    return interception(goldfold.ledger, goldfold.lake, span, _actions(goldfold), wanted, policy)


def items_intercepted(goldfold: Goldfold, days: tuple[str, str], policy: str, severity: int, kind: str) -> list[str]:
    """The items of a slice of interception over the days from the first to the last. Raises InvalidInput,
    NothingToDo."""
    span = _span("first and last", "/".join(days), goldfold.settings.exposure_zone)
    return intercepted_items(goldfold.ledger, goldfold.lake, span, _actions(goldfold), policy, severity, kind)


def items_signalled(goldfold: Goldfold, meant: Meant) -> list[str]:
    """The items that signals speak of. Raises InvalidInput."""
    return signal_items(goldfold.ledger.signals, meant)


def items_of_change(goldfold: Goldfold, old: str, new: str, project: str, what: str) -> list[str]:
    """The items behind a change of the error rate; periods as FROM/TO. Raises InvalidInput."""
    zone = goldfold.settings.exposure_zone
    spans = _span("old", old, zone), _span("new", new, zone)
    return kpi_items(goldfold.ledger, *spans, _actions(goldfold), project, what)


def ticket(goldfold: Goldfold, policy: str, severity: int, until: str | None, weeks: int, actor: str) -> Finding:
    """Open a finding about a policy at a severity. Raises NothingToDo, Conflict where that day's is open already."""
    told = intercepted(goldfold, until, weeks, policy=policy)
    missed = items_intercepted(goldfold, (told["from"], told["to"]), policy, severity, MISSED)
    said = ticket_of(told, policy, severity, missed)
    return root_causes.open_(goldfold, said, actor)


def change(
    goldfold: Goldfold, before: str | None, after: str | None, until: str | None, weeks: int, project: str = ""
) -> Json:
    """Why each project's error rate changed. ``before`` and ``after``: FROM/TO, both or neither. Raises InvalidInput,
    NothingToDo."""
    zone = goldfold.settings.exposure_zone
    if (before is None) != (after is None):
        raise InvalidInput("before and after: give both periods, as 2026-01-01/2026-01-31, or neither")
    if before is None or after is None:
        spans = two_windows(day_named(goldfold, until), weeks, zone)
    else:
        spans = _span("before", before, zone), _span("after", after, zone)
    return kpi_change(goldfold.ledger, *spans, _actions(goldfold), project)


def series(goldfold: Goldfold, until: str | None, weeks: int, project: str = "") -> Json:
    """Weekly accuracy and the breaks in it."""
    last, zone = day_named(goldfold, until), goldfold.settings.exposure_zone
    return kpi_series(goldfold.ledger, last, weeks, zone, _actions(goldfold), project)


def target(goldfold: Goldfold, project: str = "") -> float | None:
    """The share of right decisions that a project is held to; of all projects together, where they are held to the
    same. None where they are not."""
    file = read_qa_file(goldfold.settings.qa_file)
    if project:
        return file.projects.get(project, file.accuracy)
    return None if any(each != file.accuracy for each in file.projects.values()) else file.accuracy


def _span(name: str, told: str, zone: str) -> Window:
    first, slash, last = told.partition("/")
    try:
        return window(date.fromisoformat(first), date.fromisoformat(last if slash else first), zone)
    except ValueError as error:
        raise InvalidInput(f"{name}: {told!r} is no period; write it as 2026-01-01/2026-01-31") from error


def _actions(goldfold: Goldfold) -> dict[str, Decided]:
    return actions_of(read_qa_file(goldfold.settings.qa_file))
