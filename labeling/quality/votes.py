"""Who said what: the answers of several people to one question, as arrays, whatever the order they came in.

One question is one policy; its classes are the outcomes. ``context_missing`` is a class of its own: whoever says so has
judged the item. A skipped task is a missing vote.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

F64 = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Votes:
    """v votes: ``people[j]`` put ``items[j]`` into ``labels[j]``, each a place in the tuple of that name, sorted by
    item, then person. Nobody votes twice on an item."""

    item_names: tuple[str, ...]
    people_names: tuple[str, ...]
    classes: tuple[str, ...]
    items: Ints
    people: Ints
    labels: Ints

    def __len__(self) -> int:
        return len(self.items)

    @classmethod
    def of(cls, triples: Iterable[tuple[str, str, str]], classes: Sequence[str] | None = None) -> Votes:
        """From (item, person, class). ``classes``: those there are, in the order that breaks ties (default: those seen,
        sorted). Raises ValueError for a class that is not among them, or a person's second vote on an item."""
        rows = sorted(triples)
        for before, after in pairwise(rows):
            if before[:2] == after[:2]:
                raise ValueError(f"item {after[0]!r}: {after[1]!r} votes twice")
        names = tuple(classes) if classes is not None else tuple(sorted({row[2] for row in rows}))
        unknown = sorted({row[2] for row in rows} - set(names))
        if unknown:
            raise ValueError(f"class {unknown[0]!r} is not one of {', '.join(names)}")
        item_names, items = coded([row[0] for row in rows])
        people_names, people = coded([row[1] for row in rows])
        place = {name: j for j, name in enumerate(names)}
        labels = np.array([place[row[2]] for row in rows], dtype=np.int64)
        return cls(item_names, people_names, names, items, people, labels)

    def counts(self) -> F64:
        """(n items, q classes): how many people said so."""
        shape = (len(self.item_names), len(self.classes))
        told = np.bincount(self.items * shape[1] + self.labels, minlength=shape[0] * shape[1])
        return np.asarray(told.reshape(shape), dtype=np.float64)

    def places(self, gold: Mapping[str, str]) -> Ints:
        """(n items,) the class of each item that ``gold`` names, -1 of the others. Raises ValueError for a class that
        there is not; items without a vote are left out."""
        place = {name: j for j, name in enumerate(self.classes)}
        found = np.full(len(self.item_names), -1, dtype=np.int64)
        for i, name in enumerate(self.item_names):
            if name in gold:
                if gold[name] not in place:
                    raise ValueError(f"gold of item {name!r}: {gold[name]!r} is not one of {', '.join(self.classes)}")
                found[i] = place[gold[name]]
        return found


@dataclass(frozen=True, slots=True)
class Consensus:
    """What the votes come to: ``probabilities`` (n items, q classes), rows adding up to 1, in the order of the votes'
    names; ``method`` made them. ``reliability`` (people,) in [0, 1]: the probability that a person's answer is right,
    as the method sees it; it weighs severities and is never shown."""

    method: str
    probabilities: F64
    reliability: F64

    @property
    def labels(self) -> Ints:
        """(n items,) the likeliest class; of equal ones the first."""
        return np.asarray(np.argmax(self.probabilities, axis=1), dtype=np.int64)


def coded(names: Sequence[str]) -> tuple[tuple[str, ...], Ints]:
    """The distinct names, sorted by code point, and the place of each."""
    known = tuple(sorted(set(names)))
    place = {name: j for j, name in enumerate(known)}
    return known, np.fromiter((place[name] for name in names), dtype=np.int64, count=len(names))
