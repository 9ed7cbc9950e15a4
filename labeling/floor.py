"""What is known when work is handed out: the open questions, and each person's desk as it stands. Plain values."""

from __future__ import annotations

from dataclasses import dataclass, field

from labeling.records import GoldenItem, Person, Task

GOLD_GROUP = "gold:"  # stands before the golden set's group ids, so that none is taken for a round's


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """A blind task that lacks copies. ``have`` are about or answered; ``probability`` is the pick's, in [0, 1];
    ``group`` the near-duplicate group it was picked from ("": unknown)."""

    task: Task
    have: int
    probability: float
    group: str

    @property
    def wanted(self) -> int:
        """Copies still to be placed."""
        return max(0, self.task.overlap - self.have)


@dataclass(frozen=True, slots=True)
class Desk:
    """One person and what lies before them. In units of exposure: ``spent`` today, ``waiting`` unanswered.
    ``open_tasks`` counts the unanswered; ``last_position`` is the highest they were ever given.

    ``rows``: by policy, the exposure of each task on that desk in order, those that are open or were seen today.
    ``met``: (policy, item) and (policy, near-duplicate group) of what they were ever asked or answered, of those that
    matter now. ``items``: the items among them, and those they were asked as injections, whatever the policy.
    ``resting``: policies under which they get no injections now.
    """

    person: Person
    spent: float = 0.0
    waiting: float = 0.0
    open_tasks: int = 0
    last_position: int = 0
    rows: dict[str, tuple[float, ...]] = field(default_factory=dict)
    met: frozenset[tuple[str, str]] = frozenset()
    items: frozenset[str] = frozenset()
    resting: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Floor:
    """All of it, as one transaction saw it. ``anchors`` are there only when they were asked for."""

    questions: tuple[OpenQuestion, ...] = ()
    desks: tuple[Desk, ...] = ()
    anchors: tuple[GoldenItem, ...] = ()


@dataclass(frozen=True, slots=True)
class Handout:
    """What is to be written: ``tasks`` are copies and injections, ``exposure`` the units of each question by task id;
    ``unplaced`` counts the copies that found nobody, by reason. ``released``: copies that their people will not answer
    any more, taken back first."""

    tasks: tuple[Task, ...] = ()
    exposure: dict[str, float] = field(default_factory=dict)
    unplaced: dict[str, int] = field(default_factory=dict)
    released: int = 0
