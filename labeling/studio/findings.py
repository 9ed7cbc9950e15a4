"""What a sweep of Label Studio finds amiss, and what becomes of it: one defined outcome each.

The words of ``OUTCOMES`` and ``CURES`` are those of the table in docs/bridge.md; a test compares them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

ROWS = 500  # rows kept a project: counts are exact, but a report must not grow with a lost server


class Found(StrEnum):
    """What may be amiss between the ledger and Label Studio."""

    TASK_DELETED = "task deleted"
    ANSWER_TAKEN_BACK = "answer taken back"
    RESTORED = "older than the ledger"
    CLOCK_BACK = "clock went back"
    TASK_EDITED = "task edited"
    FORM_EDITED = "form edited"
    PROJECT_DELETED = "project deleted"
    TWINS = "task twice"
    UNKNOWN_TASK = "unknown task"
    OVERLAP_CHANGED = "overlap changed"
    CLOSED_EARLY = "closed too early"
    UNKNOWN_PERSON = "unknown person"
    INVALID_ANSWER = "invalid answer"


OUTCOMES: dict[Found, str] = {
    Found.TASK_DELETED: "queued again; its answers stay",
    Found.ANSWER_TAKEN_BACK: "counts no more; its events stay",
    Found.RESTORED: "answers in the ledger stay",
    Found.CLOCK_BACK: "everything was read, not only what changed",
    Found.TASK_EDITED: "quarantined; new answers to it are invalid",
    Found.FORM_EDITED: "nothing is read from the project",
    Found.PROJECT_DELETED: "made anew; its open tasks are queued again, answers stay",
    Found.TWINS: "copies that nobody worked on are removed; answers to all count",
    Found.UNKNOWN_TASK: "left alone",
    Found.OVERLAP_CHANGED: "put back",
    Found.CLOSED_EARLY: "opened again for who is still needed",
    Found.UNKNOWN_PERSON: "counts under the number of the account",
    Found.INVALID_ANSWER: "does not count",
}

CURES: dict[Found, str] = {
    Found.TASK_EDITED: "goldfold studio repair",
    Found.FORM_EDITED: "goldfold studio repair",
    Found.RESTORED: "see whether the server was restored from a backup",
    Found.CLOCK_BACK: "set the server's clock",
    Found.INVALID_ANSWER: "correct it in Label Studio",
    Found.UNKNOWN_TASK: "delete it there, or import it (goldfold import)",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing amiss. ``studio_task_id`` None: it concerns the project, or a task that is not there."""

    found: Found
    project_id: int
    task_id: str = ""
    studio_task_id: int | None = None
    detail: str = ""

    def row(self) -> dict[str, object]:
        """The row of the report."""
        return {
            "found": str(self.found),
            "project_id": self.project_id,
            "task_id": self.task_id,
            "studio_task_id": self.studio_task_id,
            "detail": self.detail,
            "outcome": OUTCOMES[self.found],
            "cure": CURES.get(self.found, ""),
        }


@dataclass(slots=True)
class Findings:
    """Those of one project: exact ``counts``, and the first ``ROWS`` of them."""

    project_id: int
    counts: Counter[Found] = field(default_factory=Counter)
    rows: list[Finding] = field(default_factory=list)

    def add(self, found: Found, task_id: str = "", studio_task_id: int | None = None, detail: str = "") -> None:
        """Count it, and keep it while there is room."""
        self.counts[found] += 1
        if len(self.rows) < ROWS:
            self.rows.append(Finding(found, self.project_id, task_id, studio_task_id, detail))

    def add_all(self, found: Found, task_ids: Iterable[str], detail: str = "") -> None:
        for task_id in task_ids:
            self.add(found, task_id, detail=detail)
