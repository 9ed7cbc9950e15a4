"""The items behind figures of sampled decisions, and the link that names them: daily QA, actions, KPIs, the alarm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from labeling.cause_records import SLICE_KEYS, Slice
from labeling.decision_records import Decided, Decision
from labeling.errors import InvalidInput, NotFound
from labeling.figures import link
from labeling.insights.qa_verdicts import JUDGED, LOST, UNDECIDED, WAITING, WITHHELD, Reviewed, Stores, reviewed

WHERE = "/v1/qa/items"
ANSWERED, VIOLATING = "judged", "violating"  # any verdict; that the item violates, whatever was decided
VERDICTS = (ANSWERED, VIOLATING, *sorted(JUDGED), WAITING, UNDECIDED, WITHHELD, LOST)


@dataclass(frozen=True, slots=True)
class Sampled:
    """Which sampled decisions are meant. ``day``: an ISO date that was sampled, "": all; ``since`` and ``until``: made
    in [since, until); ``where``: in this slice; ``verdict``: one of ``VERDICTS``, "": any."""

    day: str = ""
    since: datetime | None = None
    until: datetime | None = None
    where: Slice = field(default_factory=dict)
    verdict: str = ""

    def link(self) -> str:
        """The path that names their items."""
        told = {name: self.where[name] for name in SLICE_KEYS if name in self.where}
        ends = {"since": moment(self.since), "until": moment(self.until)}
        return link(WHERE, day=self.day or None, **ends, **told, verdict=self.verdict or None)


def sampled_items(stores: Stores, actions: Mapping[str, Decided], asked: Sampled) -> list[str]:
    """Their items, sorted; each once. Raises InvalidInput for a verdict that is none, NotFound for a day that was not
    sampled."""
    if asked.verdict not in ("", *VERDICTS):
        raise InvalidInput(f"verdict: {asked.verdict!r} is none of {', '.join(VERDICTS)}")
    days = [day for day in stores.decisions.days() if asked.day in ("", day.day)]
    if asked.day and not days:
        raise NotFound(f"day {asked.day} was not sampled yet: goldfold qa sample --day {asked.day}")
    rows = reviewed(stores, days, actions)
    return sorted({row.decision.item_id for row in rows if _is_meant(row, asked)})


def lies_in(decision: Decision, where: Mapping[str, str]) -> bool:
    """Whether a decision is one of the slice."""
    return all(_value(decision, name) == value for name, value in where.items())


def _is_meant(row: Reviewed, asked: Sampled) -> bool:
    at = row.decision.decided_at
    return (
        _says(row, asked.verdict)
        and (asked.since is None or at >= asked.since)
        and (asked.until is None or at < asked.until)
        and lies_in(row.decision, asked.where)
    )


def _says(row: Reviewed, verdict: str) -> bool:
    if verdict in (ANSWERED, VIOLATING):
        return row.is_judged and (verdict == ANSWERED or row.violates)
    return verdict in ("", row.verdict)


def _value(decision: Decision, name: str) -> str:
    found = getattr(decision, "policy_id" if name == "policy" else name)
    return "" if found is None else str(found)


def moment(at: datetime | None) -> str | None:
    """As a link has it: ISO 8601 in UTC."""
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")
