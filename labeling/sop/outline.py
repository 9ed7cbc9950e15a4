"""A decision tree as people read it from the top: each question once, with what its answers lead to.

Answers may lead to the same step by many ways; it stands where the first of them leads, and the others refer to it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from labeling.sop.tree import Leaf, Sop, Step

MOST_DEPTH = 8  # questions within each other; what lies deeper begins anew


@dataclass(frozen=True, slots=True)
class Way:
    """An answer and what it leads to: a ``leaf``, a ``node`` that stands here, or a step that stands elsewhere
    (``to``)."""

    says: str
    leaf: Leaf | None = None
    node: Node | None = None
    to: str = ""


@dataclass(frozen=True, slots=True)
class Node:
    """A question with its answers."""

    step: Step
    ways: tuple[Way, ...]


def outline(sop: Sop) -> list[Node]:
    """The tree from its start; then what lies too deep to stand within it, and steps that nothing leads to."""
    grown = _Growing(sop)
    roots = [grown.node(sop.start, 0)]
    while left := grown.left():
        roots.append(grown.node(left, 0))
    return roots


class _Growing:
    def __init__(self, sop: Sop) -> None:
        self._sop = sop
        self._seen: set[str] = set()
        self._later: list[str] = []

    def left(self) -> str:
        """A step that stands nowhere yet: one that was put off, else any; "" where there is none."""
        names: Collection[str] = [*self._later, *self._sop.step_by_id]
        return next((name for name in names if name not in self._seen), "")

    def node(self, name: str, depth: int) -> Node:
        self._seen.add(name)
        step = self._sop.step_by_id[name]
        return Node(step, tuple(self._way(choice.says, choice.go, depth) for choice in step.answers))

    def _way(self, says: str, go: str, depth: int) -> Way:
        if go in self._sop.leaf_by_id:
            return Way(says, leaf=self._sop.leaf_by_id[go])
        if go in self._seen:
            return Way(says, to=go)
        if depth + 1 == MOST_DEPTH:
            self._later.append(go)
            return Way(says, to=go)
        return Way(says, node=self.node(go, depth + 1))


def steps_to(sop: Sop, rule: str) -> list[str]:
    """The steps, in the tree's order, from which a leaf of that rule can be reached."""
    reach = {leaf.id for leaf in sop.leaves if leaf.rule == rule}
    grew = True
    while grew:
        more = {step.id for step in sop.steps if any(choice.go in reach for choice in step.answers)} - reach
        reach |= more
        grew = bool(more)
    return [step.id for step in sop.steps if step.id in reach]
