"""The model as one more voter: what its probability says about the answer, as learnt from gold that it never saw.

A probability is cut into ``LEVELS`` levels of equal mass among the held-out gold. How often each level comes with each
class, by gold, is the model's confusion: it is not believed to be calibrated, nor good. The vote of a level is
log P(level | class), with one item more in every cell. It counts only where the annotators were blind to the model:
else their answers hold its opinion already, and it would be counted twice.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import numpy as np
import numpy.typing as npt

from labeling.quality.pooled import fit
from labeling.quality.votes import F64, Consensus, Ints, Votes

LEVELS = 5
PER_CLASS = 5  # held-out gold items that a class needs before a level says anything about it
Bools = npt.NDArray[np.bool_]


def model_voter(
    probabilities: Mapping[str, float], held_out: Collection[str], blind: Collection[str]
) -> Callable[[Votes, Mapping[str, str]], Consensus]:
    """An aggregator: ``pooled`` with the model as a voter. By item: its probability (none: not scored), whether gold of
    it is held out from the model, whether those who judged it were blind. The gold it is given teaches the
    confusion."""

    def with_model(votes: Votes, gold: Mapping[str, str]) -> Consensus:
        names = votes.item_names
        told = evidence(
            np.array([probabilities.get(name, np.nan) for name in names], dtype=np.float64),
            votes.places(gold),
            np.array([name in held_out for name in names], dtype=np.bool_),
            np.array([name in blind for name in names], dtype=np.bool_),
            len(votes.classes),
        )
        found = fit(votes, gold, told).consensus()
        return Consensus("pooled_with_model", found.probabilities, found.reliability)

    return with_model


def evidence(probabilities: F64, known: Ints, held_out: Bools, blind: Bools, classes: int) -> F64:
    """(n, ``classes``) nats for ``labeling.quality.pooled.fit``: 0 where the model has no vote.

    ``probabilities`` (n,) in [0, 1], NaN: not scored. ``known`` (n,): gold's class, -1: none. ``held_out`` (n,): gold
    that the model has not learnt, nor a near-duplicate of it. ``blind`` (n,): nobody who judged it saw a score. A class
    with fewer than ``PER_CLASS`` held-out items is spoken of as all the others together are: nothing is said for or
    against it. Raises ValueError for a number out of range or shapes that differ.
    """
    if not len(probabilities) == len(known) == len(held_out) == len(blind):
        raise ValueError("probabilities, known, held_out and blind must have one entry an item")
    scored = ~np.isnan(probabilities)
    if not ((probabilities[scored] >= 0) & (probabilities[scored] <= 1)).all():
        raise ValueError("probabilities: a number is not between 0 and 1")
    told = np.zeros((len(probabilities), classes))
    learn = np.flatnonzero(scored & held_out & (known >= 0))
    if not len(learn):
        return told
    edges = np.unique(np.quantile(probabilities[learn], np.linspace(0, 1, LEVELS + 1)[1:-1]))
    levels = np.searchsorted(edges, np.where(scored, probabilities, 0.0), side="right")
    table = _table(levels[learn], known[learn], classes, len(edges) + 1)
    votes = scored & blind
    told[votes] = np.log(table[:, levels[votes]].T)
    return told


def _table(levels: Ints, known: Ints, classes: int, count: int) -> F64:
    """(classes, levels) P(level | class)."""
    table = np.bincount(known * count + levels, minlength=classes * count).reshape(classes, count) + 1.0
    few = np.bincount(known, minlength=classes) < PER_CLASS
    table[few] = table.sum(axis=0)
    return np.asarray(table / table.sum(axis=1, keepdims=True), dtype=np.float64)
