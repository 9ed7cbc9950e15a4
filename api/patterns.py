"""Misapplication patterns of an installation: of people's blind answers and of production's judged decisions."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from api.composition import Goldfold
from api.daily_qa import actions_of
from configs.qa_files import read_qa_file
from labeling.insights.judged_decisions import judged_decisions
from labeling.insights.patterns import THERE, Patterns, patterns


def items_of(goldfold: Goldfold, pattern_id: str, part: str) -> list[str]:
    """The items where a pattern went wrong, ``there`` or ``elsewhere``. Raises NothingToDo, NotFound."""
    one = mined(goldfold).one(pattern_id)
    known = goldfold.ledger.items.known(one.items if part == THERE else one.other_items)
    return [item.item_id for item in known.values()]


def mined(goldfold: Goldfold) -> Patterns:
    """Where one rule is taken for another, mined from every judged decision. Raises NothingToDo."""
    ledger, settings = goldfold.ledger, goldfold.settings
    decisions = judged_decisions(ledger, ledger.items, actions_of(read_qa_file(settings.qa_file)))
    return patterns(ledger, goldfold.lake, zone=ZoneInfo(settings.exposure_zone), decisions=decisions)
