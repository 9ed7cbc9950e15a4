"""What Today says of each of its rooms in one line, and how urgent it is; the rooms' figures decide."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from api.console.formats import count, number
from api.console.kept import Kept
from labeling.insights.qa_report import BELOW

BAD, WARN, BUSY, QUIET = "bad", "warn", "busy", "quiet"
LEVELS = (BAD, WARN, BUSY, QUIET)  # in the order in which a lead looks
Told = Mapping[str, Any]
Said = tuple[str, str]  # a level, and a line


@dataclass(frozen=True, slots=True)
class Card:
    """A room on Today. ``part``: the figures it tells of; ``level``: one of ``LEVELS``; ``line``: all of it in a few
    words."""

    card_id: str
    title: str
    part: str
    level: str
    line: str


def cards_of(parts: Mapping[str, Kept[Any]]) -> list[Card]:
    """Every room's card, the most urgent first; those alike in the order in which harm is done by waiting."""
    made = [_card(*row, parts[row[2]]) for row in ROOMS]
    return sorted(made, key=lambda card: LEVELS.index(card.level))


def as_of(parts: Mapping[str, Kept[Any]]) -> datetime | None:
    """The time of the oldest figures shown."""
    return min((kept.at for kept in parts.values() if kept.at is not None and kept.value is not None), default=None)


def counted(cards: Sequence[Card]) -> dict[str, int]:
    """How many cards stand at each level."""
    return {level: sum(card.level == level for card in cards) for level in LEVELS}


def _card(card_id: str, title: str, part: str, say: Callable[[Told], Said], kept: Kept[Any]) -> Card:
    if kept.error is not None:
        return Card(card_id, title, part, WARN, f"is not there yet: {kept.error}")
    if kept.value is None:
        return Card(card_id, title, part, BUSY, "is being computed")
    return Card(card_id, title, part, *say(kept.value))


def _breaches(told: Told) -> Said:
    found = told["breaches"]
    if found:
        below = sum(one["state"] == BELOW for one in found)
        risk = len(found) - below
        said = [f"{below} below target"] if below else []
        return BAD if below else WARN, ", ".join([*said, *([f"{risk} at risk"] if risk else [])])
    if told["sampled"]:
        return QUIET, "no project of the sampled days is below its target or at risk"
    return QUIET, "no day of the last week is sampled yet"


def _alarm(told: Told) -> Said:
    if told["alarms"]:
        named = [name for name in told["alarms"] if name]
        return BAD, f"rings for {', '.join(named) or 'all projects together'}"
    states = sorted({str(one["state"]) for one in told["projects"]})
    return QUIET, "quiet" if states == ["quiet"] else f"quiet, or too little is known ({', '.join(states)})"


def _exposure(told: Told) -> Said:
    found = told["exposure"]
    paused = f"; {found['paused']} paused" if found["paused"] else ""
    if not found["people"]:
        return QUIET, "there is no roster, so nobody's exposure is bounded"
    if found["over"]:
        return BAD, f"{found['over']} of {count(found['people'], 'person', 'people')} over their bound{paused}"
    return QUIET, f"none of {count(found['people'], 'person', 'people')} is over their bound{paused}"


def _disputes(told: Told) -> Said:
    waits = told["adjudications"]
    if not waits["waiting"]:
        return QUIET, "no dispute waits for a lead"
    line = f"{count(waits['waiting'], 'dispute')}, the oldest for {number(waits['oldest_days'], 1)} days"
    return BAD if waits["late"] else WARN, line


def _jobs(told: Told) -> Said:
    runs = f"{count(len(told['running']), 'job')} on the way" if told["running"] else "nothing runs"
    if told["failed"]:
        return BAD, f"{len(told['failed'])} failed; {runs}"
    return QUIET, f"{runs}, and nothing failed"


def _qa(told: Told) -> Said:
    if not told["decisions"]:
        return QUIET, "nothing was decided in the last days, as far as Goldfold was told"
    said = [f"{count(len(told['due']), 'day')} without a sample"] if told["due"] else []
    said += [f"{count(len(told['open']), 'sample')} waiting for answers"] if told["open"] else []
    return (WARN, ", ".join(said)) if said else (QUIET, "every day with decisions is sampled and judged")


def _injections(told: Told) -> Said:
    found = told["injections"]
    if not found["given"]:
        return QUIET, "no injection was given yet"
    said = [f"{count(found['flagged'], 'person', 'people')} flagged"] if found["flagged"] else []
    said += ["they are recognised"] if found["meter"]["recognised"] else []
    return (WARN, ", ".join(said)) if said else (QUIET, "nobody is flagged")


def _stale(told: Told) -> Said:
    found = told["stale"]
    if not found:
        return QUIET, "no label is stale"
    return WARN, f"{count(sum(one['stale'] for one in found), 'label')} of {count(len(found), 'policy', 'policies')}"


def _trends(told: Told) -> Said:
    if told["open"]:
        return WARN, f"{count(told['open'], 'alert')} that nobody has looked at"
    return QUIET, "no alert waits"


ROOMS: tuple[tuple[str, str, str, Callable[[Told], Said]], ...] = (
    ("breaches", "Below target", "qa", _breaches),
    ("alarm", "Common-mode alarm", "alarm", _alarm),
    ("exposure", "Exposure today", "people", _exposure),
    ("disputes", "Waiting for a lead", "gold", _disputes),
    ("jobs", "Jobs", "jobs", _jobs),
    ("qa", "Daily QA", "qa", _qa),
    ("injections", "Injections", "people", _injections),
    ("stale", "Stale gold", "gold", _stale),
    ("trends", "Trends", "trends", _trends),
)
