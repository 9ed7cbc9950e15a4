"""What the ledger keeps of the root-cause desk."""

from __future__ import annotations

from typing import Protocol

from labeling.cause_records import Action, ActionEvent, Coding, Finding


class Causes(Protocol):
    """Findings, their codings, and corrective actions. Nothing is ever changed; an action's state is its newest
    event's."""

    def open(self, finding: Finding) -> None:
        """Raises Conflict when the id is taken, or another finding has its origin."""

    def findings(self) -> list[Finding]:
        """Oldest first."""

    def code(self, coding: Coding) -> None:
        """Raises NotFound for a finding nobody knows, Conflict when that role has coded it."""

    def codings(self) -> list[Coding]:
        """By finding, then first, second, final."""

    def act(self, action: Action) -> None:
        """Raises NotFound for a finding nobody knows, Conflict when the id is taken."""

    def actions(self) -> list[Action]:
        """Oldest first."""

    def move(self, event: ActionEvent) -> None:
        """Raises NotFound for an action nobody knows."""

    def events(self) -> list[ActionEvent]:
        """Oldest first."""
