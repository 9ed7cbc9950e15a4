"""Which aggregator for this question? The one that held-out gold prefers, and the majority where gold cannot tell.

Each candidate answers for gold items that it was not told: gold is cut into ``FOLDS`` by near-duplicate group, and the
anchored ones get the other folds only. All are judged on the same items, so two are compared by the items on which one
is right and the other is wrong (McNemar, exact and one-sided). Another than the majority is chosen only when such items
speak for it at ``LEVEL``: with less than that a lead over the majority is luck, and the plain rule is the safe one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import binom

from labeling.quality.aggregate import AGGREGATORS, Aggregator
from labeling.quality.intervals import FEW, Figure, proportion
from labeling.quality.votes import Votes

Bools = npt.NDArray[np.bool_]
FOLDS = 5
LEVEL = 0.05
MAJORITY = "majority"
NOTHING = proportion(0, 0)
FREE = frozenset({MAJORITY, "mace"})  # gold plays no part in these: they are asked once


@dataclass(frozen=True, slots=True)
class Choice:
    """``chosen`` of the aggregators, and ``reason``. ``accuracy``: of each, the share of held-out gold items whose
    answer it gives; the items are those of gold that have a vote."""

    chosen: str
    reason: str
    accuracy: Mapping[str, Figure]

    def as_dict(self) -> dict[str, object]:
        """JSON-able."""
        told = {name: figure.as_dict() for name, figure in self.accuracy.items()}
        return {"chosen": self.chosen, "reason": self.reason, "accuracy": told}


def choose_aggregator(
    votes: Votes,
    gold: Mapping[str, str],
    groups: Mapping[str, str] | None = None,
    candidates: Mapping[str, Aggregator] = AGGREGATORS,
) -> Choice:
    """``gold``: item to class, from elsewhere than these votes (a lead, an anchor): gold that the votes themselves made
    says of every aggregator that it agrees with the majority. ``groups``: item to near-duplicate group (default: each
    item its own). ``candidates`` hold ``majority``."""
    known = {item: gold[item] for item in votes.item_names if item in gold}
    if not known:
        return Choice(MAJORITY, "there is no held-out gold to choose by: majority", dict.fromkeys(candidates, NOTHING))
    right = {
        name: _plainly_right(votes, known, aggregate) if name in FREE else _right(votes, known, groups or {}, aggregate)
        for name, aggregate in candidates.items()
    }
    accuracy = {name: proportion(int(r.sum()), len(known)) for name, r in right.items()}
    if len(known) <= FEW:
        return Choice(MAJORITY, f"{len(known)} held-out gold items are too few to choose by: majority", accuracy)
    base = right[MAJORITY]
    best = max(candidates, key=lambda name: (int(right[name].sum()), name == MAJORITY))  # of equals the first
    better, worse = int((right[best] & ~base).sum()), int((base & ~right[best]).sum())
    beside = f"on {len(known)} held-out gold items {best} is right in {int(right[best].sum())}"
    if best == MAJORITY:
        return Choice(MAJORITY, f"{beside}, and none is right more often", accuracy)
    p = float(binom.sf(better - 1, better + worse, 0.5))
    said = f"{beside}, majority in {int(base.sum())} (McNemar, exact, one-sided: p = {p:.2g})"
    if p > LEVEL:
        return Choice(MAJORITY, f"{said}: gold cannot tell, so majority", accuracy)
    return Choice(best, said, accuracy)


def _plainly_right(votes: Votes, known: Mapping[str, str], aggregate: Aggregator) -> Bools:
    told = aggregate(votes, {}).labels
    place = {name: i for i, name in enumerate(votes.item_names)}
    return np.array([votes.classes[told[place[item]]] == label for item, label in known.items()], dtype=np.bool_)


def _right(votes: Votes, known: Mapping[str, str], groups: Mapping[str, str], aggregate: Aggregator) -> Bools:
    """By item of ``known``, in its order: the answer without that item's fold is gold's."""
    place = {name: i for i, name in enumerate(votes.item_names)}
    fold = {item: _fold(groups.get(item, item)) for item in known}
    right = np.zeros(len(known), dtype=np.bool_)
    for number in range(FOLDS):
        asked = [(i, item) for i, item in enumerate(known) if fold[item] == number]
        if not asked:
            continue
        told = aggregate(votes, {item: label for item, label in known.items() if fold[item] != number}).labels
        for i, item in asked:
            right[i] = votes.classes[told[place[item]]] == known[item]
    return right


def _fold(group: str) -> int:
    return hashlib.sha256(f"goldfold\0aggregator\0{group}".encode()).digest()[0] % FOLDS
