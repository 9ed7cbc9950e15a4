"""What injections say, as the routes and the command line show it."""

from __future__ import annotations

from typing import Any

from api.composition import Goldfold
from labeling.injections import report


def injections_told(goldfold: Goldfold) -> dict[str, Any]:
    """The report as JSON-able values; people go by address and desk number, for leads alone."""
    found = report(goldfold.ledger)
    desks = {person.email: person.desk for person in goldfold.ledger.people.all()}
    rows = [{**told, "desk": desks.get(str(told["email"]), 0)} for told in found.told_standings()]
    return {
        "rate": goldfold.settings.injection_rate,
        "given": found.given,
        "answered": found.answered,
        "unjudged": found.unjudged,
        "flagged": sorted({standing.email for standing in found.flagged}),
        "people": rows,
        "meter": found.told_meter(),
    }
