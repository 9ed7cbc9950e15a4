"""What injections say, as the routes and the command line show it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from api.composition import Goldfold
from labeling.injections import report


def injections_told(goldfold: Goldfold) -> dict[str, Any]:
    """The report as JSON-able values; people go by address and desk number, for leads alone."""
    found = report(goldfold.ledger)
    desks = {person.email: person.desk for person in goldfold.ledger.people.all()}
    rows = [{**asdict(standing), "desk": desks.get(standing.email, 0)} for standing in found.standings]
    meter = {**asdict(found.meter), "recognised": found.meter.recognised}
    return {
        "rate": goldfold.settings.injection_rate,
        "given": found.given,
        "answered": found.answered,
        "unjudged": found.unjudged,
        "flagged": sorted({standing.email for standing in found.flagged}),
        "people": rows,
        "meter": meter,
    }
