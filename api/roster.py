"""The roster as the routes and the command line show it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from api.composition import Goldfold
from labeling.handout import day_start
from labeling.records import Person
from labeling.roster import list_people


def row_of(person: Person) -> dict[str, Any]:
    """A person as a plain row."""
    return asdict(person)


def rows(goldfold: Goldfold, now: datetime) -> list[dict[str, Any]]:
    """Everybody by desk number, with today's exposure (``spent``) and the bounds in force (``cap``, ``row_limit``)."""
    given = goldfold.settings
    found = []
    for listed in list_people(goldfold.ledger, day_start(now, given.exposure_zone)):
        person = listed.person
        cap = given.daily_exposure if person.daily_exposure is None else person.daily_exposure
        limit = given.severe_in_row if person.severe_in_row is None else person.severe_in_row
        found.append({**row_of(person), "spent": listed.spent, "cap": cap, "row_limit": limit})
    return found
