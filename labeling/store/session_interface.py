"""What may be asked of the sign-ins at the console."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from labeling.session_records import ConsoleSession


class Sessions(Protocol):
    """Who is signed in at the console."""

    def open(self, session: ConsoleSession) -> None:
        """Raises Conflict when there is one of this hash."""

    def find(self, session_hash: str, at: datetime) -> ConsoleSession | None:
        """The session, unless it has ended by then."""

    def end(self, session_hash: str) -> None:
        """A no-op when there is none."""

    def sweep(self, before: datetime) -> int:
        """Forget those that ended before; how many."""
