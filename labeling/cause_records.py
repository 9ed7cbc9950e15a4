"""The nouns of the root-cause desk, as plain frozen values: findings, how people code them, and what is done about
them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from labeling.decision_records import ErrorType

# Two levels: an area, and what of it. DOMAIN: "P.gap" is a gap in the policy.
AREAS = {
    "P": "policy",
    "G": "guideline",
    "R": "reviewer",
    "C": "context",
    "T": "tool",
    "M": "model",
    "A": "agent",
    "D": "gold",
    "U": "legitimately plural",
}
CODES = {
    "P.gap": "no rule covers it",
    "P.conflict": "two rules contradict",
    "P.outdated": "the rule no longer fits what is posted",
    "P.exception_unclear": "it is unclear when an exception holds",
    "G.missing_step": "a step is missing",
    "G.order": "the steps stand in the wrong order",
    "G.no_example": "no example shows it",
    "G.translation": "a translation says something else",
    "R.knowledge_gap": "somebody did not know the rule",
    "R.slip": "somebody knew the rule and slipped",
    "R.speed": "it went too fast",
    "R.drift": "somebody's reading has moved",
    "R.fatigue": "somebody was tired",
    "C.missing": "context was missing",
    "C.cultural": "it takes knowledge of a culture",
    "C.truncated": "the content was cut off",
    "T.render": "it was shown wrongly",
    "T.routing": "it came to the wrong queue",
    "T.lost_action": "the action was lost",
    "M.false_high": "the model scored it too high",
    "M.false_low": "the model scored it too low",
    "M.calibration": "the score does not mean what it says",
    "M.threshold": "the line is drawn in the wrong place",
    "M.novel": "the model has never seen its like",
    "M.evasion": "it was disguised from the model",
    "A.prompt": "the agent's instruction is wrong",
    "A.ignored_exception": "the agent ignored an exception",
    "A.invented_evidence": "the agent invented evidence",
    "A.unstable": "the agent answers differently each time",
    "D.error": "the golden answer is wrong",
    "D.stale": "the golden answer is of an older policy",
    "U.plural": "several answers can be defended",
}
SLICE_KEYS = ("project", "policy", "language", "source", "who", "team", "market", "shift", "tool", "rule")
DOUBLE_SHARE = 0.2  # of the findings, that a second person codes
Slice = dict[str, str]  # some of SLICE_KEYS to a value


class Role(StrEnum):
    """Whose coding it is. ``final``: a lead's, where the two differ."""

    FIRST = "first"
    SECOND = "second"
    FINAL = "final"


class ActionState(StrEnum):
    """How far a corrective action is. ``verified`` and ``missed`` are said by figures alone; ``dropped`` by a
    person."""

    OPEN = "open"
    DONE = "done"
    VERIFIED = "verified"
    MISSED = "missed"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that goes wrong, in plain words. ``slice``: where; ``item_ids`` show it. ``severity`` 0..4;
    ``cost_minutes``: people's minutes that it has cost so far, or None. ``origin``: where it came from, such as
    ``pattern:<id>``. Its versions say what the evidence was judged by."""

    finding_id: str
    title: str
    statement: str
    slice: Slice
    item_ids: tuple[str, ...]
    error_type: ErrorType | None
    severity: int
    cost_minutes: float | None
    origin: str
    golden_version: str
    policy_version: str
    opened_by: str
    opened_at: datetime

    @property
    def is_double_coded(self) -> bool:
        """Whether a second person codes it too: drawn by the hash of its id, so that nobody chooses."""
        drawn = int.from_bytes(hashlib.sha256(f"double {self.finding_id}".encode()).digest()[:8], "big")
        return drawn < DOUBLE_SHARE * 2**64


@dataclass(frozen=True, slots=True)
class Coding:
    """One person's code for a finding."""

    finding_id: str
    role: Role
    code: str
    note: str
    coder: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Action:
    """What is to be done about a finding, by whom, by when, and how it will show. ``kpi``: ``accuracy`` or ``recall``,
    of which the slice shall have at least ``target``, or an error type, of which at most. ``before``: the figure when
    it was agreed."""

    action_id: str
    finding_id: str
    what: str
    owner: str
    kpi: str
    target: float
    slice: Slice
    due: date
    before: dict[str, object]
    opened_by: str
    opened_at: datetime


@dataclass(frozen=True, slots=True)
class ActionEvent:
    """An action came into a state. ``figure``: what was measured then; {} where nothing was."""

    action_id: str
    state: ActionState
    actor: str
    reason: str
    figure: dict[str, object]
    at: datetime
