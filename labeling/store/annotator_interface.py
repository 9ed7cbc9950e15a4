"""What may be asked about the people who answer: their looks at items, and their objections."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from labeling.objection_records import Objection, ObjectionState


class Looks(Protocol):
    """Who has looked at what, and what it cost them."""

    def looks_of(self, person: str, since: datetime) -> list[tuple[str, datetime, float]]:
        """(task, when, units) of each thing that somebody has answered or skipped since then, a task as often as they
        wrote it; the oldest first."""


class Objections(Protocol):
    """Objections to adjudications, one a person and adjudication."""

    def add(self, objection: Objection, actor: str) -> None:
        """With a line of the audit. Raises Conflict when that person has objected to that adjudication."""

    def get(self, objection_id: str) -> Objection:
        """Raises NotFound."""

    def all(self, *, person: str = "", state: ObjectionState | None = None) -> list[Objection]:
        """The newest first."""

    def close(self, objection_id: str, state: ObjectionState, answer: str, actor: str, at: datetime) -> Objection:
        """A lead's answer, with a line of the audit. Raises NotFound, Conflict when it has one."""
