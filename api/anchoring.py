"""What the anchoring meter says, as the route and the command line show it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from api.composition import Goldfold
from labeling.anchoring import report
from labeling.quality.anchoring import Shift


def anchoring_told(goldfold: Goldfold) -> dict[str, Any]:
    """The report as JSON-able values; people go by address and desk number, for leads alone."""
    found = report(goldfold.ledger)
    desks = {person.email: person.desk for person in goldfold.ledger.people.all()}
    return {
        "given": found.given,
        "answered": found.answered,
        "withheld": found.withheld,
        "origins": found.origins,
        "people": [
            {"email": email, "desk": desks.get(email, 0), "policy_id": policy, **_told(shift)}
            for (email, policy), shift in found.people.items()
        ],
        "policies": [{"policy_id": policy, **_told(shift)} for policy, shift in found.policies.items()],
        "overall": _told(found.overall),
        "wrong": _told(found.wrong),
        "misled": found.misled.as_dict(),
    }


def _told(shift: Shift) -> dict[str, Any]:
    return {**asdict(shift), "pulls": shift.pulls}
