"""Dawid-Skene with partial pooling, gold and a model's evidence, that can be kept up to date.

The model (Dawid and Skene 1979): an item has a class k with probability p_k; a person who judges it says l with
probability c_kl of their own. Fitted by expectation-maximisation (Dempster et al. 1977). What is ours:

- **Pooling.** A person's row c_k is the mean under a Dirichlet prior of ``STRENGTH`` answers at the crowd's row, which
  has itself a prior that holds ``SURE`` for the right answer. Who said little looks like everybody; nobody's row is 0.
- **Gold.** The class of a known item is fixed.
- **Evidence.** log P(what a model says of the item | class) is added to each item's (``labeling.quality.model_vote``).
- **Updates.** The sufficient statistics are kept: sums over items by person, class and answer. New votes touch their
  items only, which are then re-estimated; a few sweeps over everything bring the rest to the same place as a fit from
  scratch.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from labeling.quality.votes import F64, Consensus, Ints, Votes

STRENGTH = 4.0  # answers that the crowd's row counts as, for each true class
SURE = 0.8  # of the crowd's prior row for the right answer
CROWD = 10.0  # answers that this prior row counts as
SWEEPS, TOLERANCE = 200, 1e-7  # at most, and the largest change of a probability at which a fit ends


def pooled(votes: Votes, gold: Mapping[str, str]) -> Consensus:
    """The aggregator: a fit from scratch, without a model."""
    return fit(votes, gold).consensus()


@dataclass(frozen=True, slots=True)
class Fit:
    """The state after some sweeps. ``posterior`` (n, q); ``tally`` (people, q, q): expected number of answers l of a
    person to items of class k; ``known`` (n,): gold's class, -1 where there is none; ``evidence`` (n, q) in nats."""

    votes: Votes
    known: Ints
    evidence: F64
    posterior: F64
    tally: F64
    sweeps: int
    change: float

    def consensus(self) -> Consensus:
        """What the votes come to."""
        rows, prior = confusion(self.tally), class_shares(self.posterior)
        right = np.einsum("jkk,k->j", rows, prior)
        return Consensus("pooled", self.posterior, right)


def fit(votes: Votes, gold: Mapping[str, str], evidence: F64 | None = None, sweeps: int = SWEEPS) -> Fit:
    """From scratch: starts at the shares of votes. ``evidence`` as ``Fit`` has it. Raises ValueError for another shape,
    or a class of gold that there is not."""
    shape = (len(votes.item_names), len(votes.classes))
    told = np.zeros(shape) if evidence is None else evidence
    if told.shape != shape:
        raise ValueError(f"evidence: expected (items, classes) = {shape}, found {told.shape}")
    known = votes.places(gold)
    counts = votes.counts() + 0.5 / shape[1]
    posterior = _anchored(counts / counts.sum(axis=1, keepdims=True), known)
    state = Fit(votes, known, told, posterior, _tally(votes, posterior), 0, np.inf)
    return sweep(state, sweeps)


def sweep(state: Fit, sweeps: int) -> Fit:
    """As many steps of expectation and maximisation over everything, fewer where nothing changes any more."""
    votes, posterior, tally, change, done = state.votes, state.posterior, state.tally, state.change, 0
    while done < sweeps and change > TOLERANCE:
        new = _expect(votes, np.arange(len(votes)), len(posterior), tally, posterior, state)
        change = float(np.abs(new - posterior).max(initial=0.0))
        posterior, tally, done = new, _tally(votes, new), done + 1
    return replace(state, posterior=posterior, tally=tally, sweeps=state.sweeps + done, change=change)


def update(state: Fit, new: Votes, gold: Mapping[str, str] | None = None, sweeps: int = 3) -> Fit:
    """``state`` with more votes, on its items or on others, and more gold. The items that were touched are
    re-estimated from the people as they are known, then all of it in ``sweeps`` sweeps. Raises ValueError when the
    classes differ, or a person votes twice on an item."""
    grown = _grown(state, new)
    _know(grown, gold or {})
    names = grown.votes.item_names
    changed = np.unique([bisect_left(names, name) for name in new.item_names]).astype(np.int64)
    is_changed = np.zeros(len(names), dtype=np.bool_)
    is_changed[changed] = True
    rows = np.flatnonzero(is_changed[grown.votes.items])
    estimate = _expect(grown.votes, rows, len(names), grown.tally, grown.posterior, grown)
    grown.posterior[changed] = estimate[changed]
    _anchored(grown.posterior, grown.known)
    return sweep(replace(grown, tally=_tally(grown.votes, grown.posterior)), sweeps)


def confusion(tally: F64) -> F64:
    """(people, q, q) rows c_k of each person, pooled towards the crowd's."""
    crowd = crowd_confusion(tally)
    alpha = tally + STRENGTH * crowd
    return np.asarray(alpha / alpha.sum(axis=2, keepdims=True), dtype=np.float64)


def crowd_confusion(tally: F64) -> F64:
    """(q, q) the rows of everybody together, under the prior."""
    q = tally.shape[1]
    sure = np.full((q, q), (1 - SURE) / max(q - 1, 1))
    np.fill_diagonal(sure, SURE)
    total = tally.sum(axis=0) + CROWD * sure
    return np.asarray(total / total.sum(axis=1, keepdims=True), dtype=np.float64)


def class_shares(posterior: F64) -> F64:
    """(q,) p, each class with one item more than it has."""
    total = posterior.sum(axis=0) + 1.0
    return np.asarray(total / total.sum(), dtype=np.float64)


def _expect(votes: Votes, rows: Ints, n: int, tally: F64, posterior: F64, state: Fit) -> F64:
    """(n, q) the posterior of the items that the votes ``rows`` are about; of others, what no vote says."""
    q = len(votes.classes)
    logs = np.log(confusion(tally)).transpose(0, 2, 1).reshape(-1, q)  # by (person, answer): (q,) over true classes
    told = logs[votes.people[rows] * q + votes.labels[rows]]
    sums = np.stack([np.bincount(votes.items[rows], told[:, k], n) for k in range(q)], axis=1)
    logits = sums + np.log(class_shares(posterior)) + state.evidence
    likely = np.exp(logits - logits.max(axis=1, keepdims=True))
    return _anchored(np.asarray(likely / likely.sum(axis=1, keepdims=True), dtype=np.float64), state.known)


def _anchored(posterior: F64, known: Ints) -> F64:
    fixed = np.flatnonzero(known >= 0)
    posterior[fixed] = 0.0
    posterior[fixed, known[fixed]] = 1.0
    return posterior


def _tally(votes: Votes, posterior: F64) -> F64:
    people, q = len(votes.people_names), len(votes.classes)
    cells = votes.people * q + votes.labels
    by_class = [np.bincount(cells, posterior[votes.items, k], people * q).reshape(people, q) for k in range(q)]
    return np.stack(by_class, axis=1)


def _grown(state: Fit, new: Votes) -> Fit:
    """The state with room for new items and people, and all votes in order; new items start at what is known of
    none."""
    old = state.votes
    if new.classes != old.classes:
        raise ValueError(f"classes: the new votes have {', '.join(new.classes)}, not {', '.join(old.classes)}")
    item_names, item_of_old, item_of_new = _merged(old.item_names, new.item_names)
    people_names, person_of_old, person_of_new = _merged(old.people_names, new.people_names)
    items = np.concatenate([item_of_old[old.items], item_of_new[new.items]])
    people = np.concatenate([person_of_old[old.people], person_of_new[new.people]])
    order = np.lexsort((people, items))
    items, people, labels = items[order], people[order], np.concatenate([old.labels, new.labels])[order]
    twice = np.flatnonzero((np.diff(items) == 0) & (np.diff(people) == 0))
    if len(twice):
        raise ValueError(f"item {item_names[items[twice[0]]]!r}: {people_names[people[twice[0]]]!r} votes twice")
    n, q = len(item_names), len(old.classes)
    known, evidence = np.full(n, -1, dtype=np.int64), np.zeros((n, q))
    known[item_of_old], evidence[item_of_old] = state.known, state.evidence
    posterior = np.tile(class_shares(state.posterior), (n, 1))
    posterior[item_of_old] = state.posterior
    tally = np.zeros((len(people_names), q, q))
    tally[person_of_old] = state.tally
    votes = Votes(item_names, people_names, old.classes, items, people, labels)
    return Fit(votes, known, evidence, posterior, tally, state.sweeps, np.inf)


def _merged(old: tuple[str, ...], new: tuple[str, ...]) -> tuple[tuple[str, ...], Ints, Ints]:
    """Both sets of sorted names as one, and where each of them now stands."""
    fresh = [name for name in new if not _holds(old, name)]
    before = np.array([bisect_left(old, name) for name in fresh], dtype=np.int64)
    names = tuple(sorted([*old, *fresh]))
    rows = np.arange(len(old))
    of_old = rows + np.searchsorted(before, rows, side="right")
    return names, of_old, np.array([bisect_left(names, name) for name in new], dtype=np.int64)


def _holds(names: tuple[str, ...], name: str) -> bool:
    at = bisect_left(names, name)
    return at < len(names) and names[at] == name


def _know(state: Fit, gold: Mapping[str, str]) -> None:
    """Write gold into ``state.known``; items without a vote are left out."""
    names, place = state.votes.item_names, {name: k for k, name in enumerate(state.votes.classes)}
    for item, label in gold.items():
        if label not in place:
            raise ValueError(f"gold of item {item!r}: {label!r} is not one of {', '.join(place)}")
        if _holds(names, item):
            state.known[bisect_left(names, item)] = place[label]
