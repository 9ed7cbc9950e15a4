"""From votes to one answer an item: the aggregators, under one signature.

- ``majority``: the share of the votes; a tie goes to the class that has more votes in all. Always shown beside the
  others.
- ``dawid_skene`` (Dawid and Skene 1979) and ``mace`` (Hovy et al. 2013, variational) are crowd-kit's. Dawid-Skene takes
  gold: the class of a known item is fixed in every step. MACE has no place for gold.
- ``pooled``: Dawid-Skene of our own (labeling.quality.pooled), anchored by gold too, whose people are drawn towards the
  crowd where they have said little. It alone takes evidence of a model, and updates without starting anew.

All are deterministic and the same for any order of the votes. An item that gold names has its gold class for sure in
the anchored ones; whoever judges an aggregator by gold must hold that gold out (labeling.quality.choice does).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
from crowdkit.aggregation.classification.dawid_skene import DawidSkene
from crowdkit.aggregation.classification.mace import MACE

from labeling.quality.pooled import pooled
from labeling.quality.votes import F64, Consensus, Votes

SWEEPS = 100
Aggregator = Callable[[Votes, Mapping[str, str]], Consensus]


def majority(votes: Votes, gold: Mapping[str, str] | None = None) -> Consensus:  # noqa: ARG001 - the signature of all
    """Shares of votes; gold plays no part. Reliability: a person's share of answers that are the majority's."""
    counts = votes.counts()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    overall = counts.sum(axis=0) / max(len(votes), 1)
    nudged = shares + 1e-9 * overall  # less than any difference between two shares
    found = nudged / np.maximum(nudged.sum(axis=1, keepdims=True), 1e-300)
    return Consensus("majority", found, _share_right(votes, found))


def dawid_skene(votes: Votes, gold: Mapping[str, str]) -> Consensus:
    """crowd-kit's, anchored by ``gold``."""
    model = DawidSkene(n_iter=SWEEPS)
    known = {item: gold[item] for item in votes.item_names if item in gold}
    with _quiet():
        model.fit(_frame(votes), true_labels=pd.Series(known, dtype=object) if known else None)
    return _told("dawid_skene", votes, model.probas_)


def mace(votes: Votes, gold: Mapping[str, str] | None = None) -> Consensus:  # noqa: ARG001 - the signature of all
    """crowd-kit's, with a fixed seed; gold plays no part."""
    # Under a fixed seed each of its restarts begins at the same point, so one is all that more would find.
    model = MACE(n_restarts=1, n_iter=SWEEPS // 2, random_state=0)
    with _quiet():
        model.fit(_frame(votes))
    return _told("mace", votes, model.probas_)


AGGREGATORS: dict[str, Aggregator] = {"majority": majority, "dawid_skene": dawid_skene, "mace": mace, "pooled": pooled}


@contextmanager
def _quiet() -> Iterator[None]:
    """crowd-kit 1.4 uses what pandas 4 will take away."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


def _frame(votes: Votes) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "task": np.array(votes.item_names, dtype=object)[votes.items],
            "worker": np.array(votes.people_names, dtype=object)[votes.people],
            "label": np.array(votes.classes, dtype=object)[votes.labels],
        }
    )


def _told(method: str, votes: Votes, probabilities: Any) -> Consensus:
    """In the votes' own order, with a column for a class that nobody chose."""
    table = probabilities.reindex(index=list(votes.item_names), columns=list(votes.classes)).fillna(0.0)
    found = table.to_numpy(dtype=np.float64)
    found = found / np.maximum(found.sum(axis=1, keepdims=True), 1e-300)
    return Consensus(method, found, _share_right(votes, found))


def _share_right(votes: Votes, probabilities: F64) -> F64:
    """(people,) the expected share of right answers, smoothed by one right and one wrong."""
    right = np.bincount(votes.people, probabilities[votes.items, votes.labels], len(votes.people_names))
    n = np.bincount(votes.people, minlength=len(votes.people_names))
    return np.asarray((right + 1) / (n + 2), dtype=np.float64)
