"""Daily QA in an installation: its settings and its QA file around the use cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from api.composition import Goldfold
from configs.qa_files import QaFile, read_qa_file
from labeling.decision_records import Decided, Decision
from labeling.errors import BadMedia, InvalidInput
from labeling.insights.daily_qa import Opened, Terms, bounds, open_day, yesterday
from labeling.insights.decisions import ImportReport, import_decisions
from labeling.insights.door import Rows
from labeling.insights.qa_report import Targets, qa_decisions, qa_report
from labeling.insights.sampled_items import Sampled, sampled_items
from labeling.round_images import ImageDesk, hashes

MOST_DAYS = 92
Json = dict[str, Any]


def day_named(goldfold: Goldfold, named: str | None) -> date:
    """The day that is meant: an ISO date, or yesterday in the setting exposure_zone. Raises InvalidInput."""
    if not named:
        return yesterday(datetime.now(UTC), goldfold.settings.exposure_zone)
    try:
        return date.fromisoformat(named)
    except ValueError as error:
        raise InvalidInput(f"day: {named!r} is no date; write it as 2026-01-31") from error


def take_in(goldfold: Goldfold, rows: Rows, **how: Any) -> ImportReport:
    """Import decisions; ``how`` as ``labeling.insights.decisions.import_decisions`` takes it."""
    return import_decisions(rows, goldfold.ledger, goldfold.lake, **how)


def sample_day(
    goldfold: Goldfold, named: str | None, budget: int | None = None, *, actor: str = "", dry_run: bool = False
) -> Opened:
    """Draw a day's sample and open its rounds; the audit trail notes who did. Raises NothingToDo, InvalidInput."""
    given, file = goldfold.settings, read_qa_file(goldfold.settings.qa_file)
    terms = Terms(
        policies=goldfold.policies,
        policy=goldfold.policy,
        zone=given.exposure_zone,
        budget=budget or given.qa_budget,
        floor=given.qa_floor,
        overlap=given.overlap,
        prior=given.qa_prior,
        accounts=file.people,
        actions=actions_of(file),
    )
    images = None if goldfold.links is None else _Images(goldfold)
    made = open_day(goldfold.ledger, goldfold.lake, day_named(goldfold, named), terms, images, dry_run=dry_run)
    if actor and not (dry_run or made.again):
        goldfold.ledger.audit.add(actor, "qa.sample", made.day, {"sampled": made.sampled, "asked": made.asked})
    return made


def report_day(goldfold: Goldfold, named: str | None) -> Json:
    """What a day's sample says now. Raises NotFound, InvalidInput."""
    file = read_qa_file(goldfold.settings.qa_file)
    targets = Targets(file.accuracy, file.projects)
    return qa_report(goldfold.ledger, day_named(goldfold, named), targets, actions_of(file))


def decisions_of_day(goldfold: Goldfold, named: str | None, project: str = "", verdict: str = "") -> list[Json]:
    """The sampled decisions of a day with their verdicts. Raises NotFound, InvalidInput."""
    actions = actions_of(read_qa_file(goldfold.settings.qa_file))
    return qa_decisions(goldfold.ledger, day_named(goldfold, named), actions, project=project, verdict=verdict)


def items_sampled(goldfold: Goldfold, asked: Sampled) -> list[str]:
    """The items of sampled decisions. Raises NotFound, InvalidInput."""
    return sampled_items(goldfold.ledger, actions_of(read_qa_file(goldfold.settings.qa_file)), asked)


def count_days(goldfold: Goldfold, until: str | None, days: int) -> list[Json]:
    """How many decisions each of the last ``days`` has, by project and source; the newest first."""
    last, zone = day_named(goldfold, until), goldfold.settings.exposure_zone
    sampled = {one.day for one in goldfold.ledger.decisions.days()}
    told = []
    for back in range(min(days, MOST_DAYS)):
        day = last - timedelta(days=back)
        counts = goldfold.ledger.decisions.count(*bounds(day, zone))
        rows = [{"project": p, "source": source, "decisions": n} for (p, source), n in counts.items()]
        name = day.isoformat()
        told.append({"day": name, "decisions": sum(counts.values()), "sampled": name in sampled, "by": rows})
    return told


def days_around(goldfold: Goldfold, day: date, days: int) -> list[Json]:
    """As ``count_days``, with how many of each sample are still ``waiting``: the days around one, none of them to
    come."""
    last = min(yesterday(datetime.now(UTC), goldfold.settings.exposure_zone), day + timedelta(days=days // 2))
    counted = count_days(goldfold, last.isoformat(), days)
    return [one | {"waiting": report_day(goldfold, one["day"])["waiting"] if one["sampled"] else 0} for one in counted]


def newest_day(goldfold: Goldfold) -> date:
    """The newest day that was sampled; yesterday where none was."""
    sampled = goldfold.ledger.decisions.days()
    return date.fromisoformat(sampled[-1].day) if sampled else day_named(goldfold, None)


def decision_told(decision: Decision) -> Json:
    """A decision as a lead sees it."""
    names = [name for name in Decision.__slots__ if name != "lot"]
    return {name: getattr(decision, name) for name in names}


def actions_of(file: QaFile) -> dict[str, Decided]:
    """The outcome that each action belongs to."""
    return {action: Decided(outcome) for action, outcome in file.actions.items()}


class _Images:
    """Reads images when the first one is asked for, for the media need not be set up where there is none."""

    def __init__(self, goldfold: Goldfold) -> None:
        self._goldfold = goldfold

    def __call__(self, item_ids: Sequence[str]) -> Mapping[str, str | BadMedia]:
        return hashes(self._goldfold.lake, ImageDesk(read=self._goldfold.media.read), item_ids)
