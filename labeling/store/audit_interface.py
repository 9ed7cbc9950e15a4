"""What the rest of Goldfold may ask of the audit trail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol


class Audit(Protocol):
    """Appended only."""

    def add(self, actor: str, action: str, target: str, detail: Mapping[str, object] | None = None) -> None: ...
    def latest(
        self,
        limit: int = 100,
        *,
        before: int | None = None,
        actor: str = "",
        action: str = "",
        target: str = "",
        actions: Sequence[str] = (),
    ) -> list[dict[str, object]]:
        """The newest ``limit`` entries, newest first; of those with a lower ``seq`` than ``before``, by that actor, of
        that action (``golden`` covers ``golden.fold``) or of one of ``actions``, about that target."""
