"""What the outside says of decisions: appeals, reports and other signals, as plain frozen values. Never gold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum


class SignalKind(StrEnum):
    """Who speaks. ``appeal``: somebody asks for a decision to be looked at again; ``report``: somebody reports the
    item; ``other``: anything else, such as a flag of a trusted partner."""

    APPEAL = "appeal"
    REPORT = "report"
    OTHER = "other"


class AppealOutcome(StrEnum):
    """What came of an appeal. ``upheld``: the decision stands; ``overturned``: it was turned round."""

    PENDING = "pending"
    UPHELD = "upheld"
    OVERTURNED = "overturned"


@dataclass(frozen=True, slots=True)
class Signal:
    """Something from outside about an item under a policy. ``signal_id`` is the caller's key, unique per ``kind``;
    ``at``: when it was said. ``outcome``: an appeal's, else None; None too once the item was erased (``erased_at``).
    ``decision_source`` and ``decision_id``: the decision it is about; "": not known."""

    kind: SignalKind
    signal_id: str
    item_id: str
    policy_id: str
    project: str
    language: str
    at: datetime
    outcome: AppealOutcome | None
    decision_source: str = ""
    decision_id: str = ""
    erased_at: datetime | None = None

    @property
    def is_decided(self) -> bool:
        """Whether it is an appeal that stands or fell."""
        return self.outcome in (AppealOutcome.UPHELD, AppealOutcome.OVERTURNED)

    @property
    def key(self) -> tuple[str, str]:
        """Kind and id."""
        return self.kind.value, self.signal_id

    @property
    def pair(self) -> tuple[str, str]:
        """Item and policy."""
        return self.item_id, self.policy_id

    def settles(self, there: Signal) -> bool:
        """Whether this is the one that is there, a pending appeal, with what came of it."""
        is_news = there.outcome is AppealOutcome.PENDING and self.outcome not in (None, AppealOutcome.PENDING)
        return is_news and replace(self, outcome=there.outcome) == there

    def says_as(self, there: Signal) -> bool:
        """Whether this is the one that is there, or an older state of it: an appeal that was pending has been decided
        since."""
        return self == there or there.settles(self)


@dataclass(frozen=True, slots=True)
class Taken:
    """``added`` signals are new; ``settled`` ones were there as pending appeals, and are decided now."""

    added: int
    settled: int
