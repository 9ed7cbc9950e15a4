"""What the anchoring meter says, as the route and the command line show it."""

from __future__ import annotations

from typing import Any

from api.composition import Goldfold
from labeling.anchoring import report


def anchoring_told(goldfold: Goldfold) -> dict[str, Any]:
    """The report as JSON-able values; people go by address and desk number, for leads alone."""
    desks = {person.email: person.desk for person in goldfold.ledger.people.all()}
    return report(goldfold.ledger).as_dict(desks)
