"""The nouns of production's decisions and of their daily re-review, as plain frozen values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum


class Source(StrEnum):
    """What kind of decider it was."""

    HUMAN = "human"
    MODEL = "model"
    AGENT = "agent"


class Decided(StrEnum):
    """What was decided about an item under one policy."""

    VIOLATES = "violates"
    OK = "ok"


class ErrorType(StrEnum):
    """How a decision is wrong. ``wrong_selection``: the right outcome by the wrong rule; ``technical``: the right
    answer, but the action recorded with it belongs to the other outcome."""

    OVER = "over_enforcement"
    UNDER = "under_enforcement"
    WRONG_SELECTION = "wrong_selection"
    TECHNICAL = "technical"


@dataclass(frozen=True, slots=True)
class Decision:
    """What somebody decided in production. ``decision_id`` is the caller's key, unique per ``source``; ``who`` the
    caller's opaque id of the person, model or agent; ``tool`` the tool or queue. ``lot``: in [0, 1), a hash of the key,
    which orders decisions where a sample is drawn. ``outcome`` is None once the item was erased (``erased_at``)."""

    source: Source
    decision_id: str
    item_id: str
    policy_id: str
    policy_version: str
    who: str
    outcome: Decided | None
    rule: str | None
    action: str
    decided_at: datetime
    project: str
    team: str
    language: str
    market: str
    shift: str
    tool: str
    lot: float
    erased_at: datetime | None = None

    @property
    def key(self) -> tuple[str, str]:
        """Source and id."""
        return self.source.value, self.decision_id

    def says_as(self, there: Decision) -> bool:
        """Whether this is the one that is there; who decided may have been forgotten since."""
        return (replace(self, who="") if there.who == "" else self) == there

    @property
    def pair(self) -> tuple[str, str]:
        """Item and policy."""
        return self.item_id, self.policy_id

    @property
    def cell(self) -> tuple[str, str, str, str, str]:
        """What strata are cut by: ``labeling.quality.daily_qa.DIMENSIONS``."""
        return self.project, self.policy_id, self.language, str(self.outcome or ""), self.who


@dataclass(frozen=True, slots=True)
class QaDay:
    """A day that was sampled: once. ``day`` is its ISO date in ``zone``; ``frame`` what could have been drawn
    (``units``, ``level``, and ``strata``, each with its key, units and picks; people by number; JSON-able)."""

    day: str
    zone: str
    budget: int
    seed: int
    frame: dict[str, object]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Sampled:
    """A decision of a day's sample, with its inclusion probability ``pi`` in (0, 1]. ``stratum`` counts from 0 in the
    frame's list. ``round_id``: where its item is asked about, "": nowhere, since the answer is known, or is being asked
    elsewhere, or cannot be asked (``note`` says why). ``chance``: that the item violates, as far as the decision tells.
    ``barred``: addresses in Label Studio of those who decided about the pair, and may not answer."""

    day: str
    source: Source
    decision_id: str
    item_id: str
    policy_id: str
    policy_version: str
    stratum: int
    pi: float
    round_id: str
    lane: str
    chance: float
    barred: tuple[str, ...]
    note: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """Source and id of the decision."""
        return self.source.value, self.decision_id

    @property
    def pair(self) -> tuple[str, str]:
        """Item and policy."""
        return self.item_id, self.policy_id
