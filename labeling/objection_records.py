"""What the ledger keeps of objections: somebody who answered says that a lead's decision is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class ObjectionState(StrEnum):
    """``open``: no lead has answered; ``stands``: the decision stays; ``reopened``: a lead agrees, and its gold is in
    quarantine until it is decided anew."""

    OPEN = "open"
    STANDS = "stands"
    REOPENED = "reopened"


@dataclass(frozen=True, slots=True)
class Objection:
    """One person's objection to one adjudication. ``person``: their e-mail address, casefolded. ``reason`` and
    ``answer`` are people's own words, and gone when the item is erased."""

    objection_id: str
    person: str
    adjudication_id: str
    item_id: str
    policy_id: str
    reason: str
    at: datetime
    state: ObjectionState = ObjectionState.OPEN
    answer: str = ""
    answered_by: str = ""
    answered_at: datetime | None = None
