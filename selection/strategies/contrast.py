"""Strategies that hold the candidates against what is labelled already. They need labels."""

from __future__ import annotations

from typing import cast

import faiss
import numpy as np
from sklearn.linear_model import LogisticRegression

from selection.diversity import one_thread
from selection.hashing import F64
from selection.strategies import needs
from selection.strategies.base import Candidates, Chosen, Rows
from selection.strategies.exact import grid
from selection.strategies.shortlist import LINEAR, PAIRWISE, at_threshold, by_chance, by_value, size
from selection.types import F32, Bool

NEIGHBOURS = 10  # labelled neighbours of CAL
ROUNDS = 10  # parts in which the discriminative strategy takes its picks
_DIGITS = 6  # of a fitted probability
_EDGE = 1e-6


def contrastive(candidates: Candidates, n: int, _: int) -> Chosen:
    """Items whose probabilities differ most from those of their labelled neighbours: alike in content, not in score."""
    labelled = needs.labels(candidates)
    short = by_value(candidates, at_threshold(candidates), size(n, LINEAR))
    near = labelled_neighbours(short.grid(), grid(labelled.embeddings))
    theirs = labelled.probabilities.astype(np.float64)
    mine = candidates.probabilities[short.rows].astype(np.float64)
    utilities = np.zeros(candidates.probabilities.shape)
    utilities[short.rows] = np.mean([divergence(theirs[near[:, i]], mine) for i in range(near.shape[1])], axis=0)
    found = by_value(candidates.of(short.rows), utilities[short.rows], n)
    rows = short.rows[found.rows]
    mine_policies = found.policies[found.rows]
    return Chosen(rows, mine_policies, utilities[rows, mine_policies], ((),) * len(rows))


def divergence(p: F64, q: F64) -> F64:
    """Kullback-Leibler divergence of yes-or-no answers in nats, element by element, with both kept off 0 and 1."""
    p, q = np.clip(p, _EDGE, 1.0 - _EDGE), np.clip(q, _EDGE, 1.0 - _EDGE)
    return cast(F64, p * np.log(p / q) + (1.0 - p) * np.log((1.0 - p) / (1.0 - q)))


def labelled_neighbours(rows: F32, labelled: F32) -> Rows:
    """(M, min(NEIGHBOURS, l)) the labelled rows of largest cosine; both on the grid."""
    with one_thread():
        _, found = faiss.knn(rows, labelled, min(NEIGHBOURS, len(labelled)), metric=faiss.METRIC_INNER_PRODUCT)
    return np.asarray(found, dtype=np.int64)


def discriminative(candidates: Candidates, n: int, _: int) -> Chosen:
    """Items that a classifier of labelled against unlabelled takes most surely for unlabelled; it is fitted again with
    the picks so far counted as labelled, ten times."""
    labelled = needs.labels(candidates).embeddings.astype(np.float64)
    short = by_chance(candidates, size(n, PAIRWISE))
    points = short.unit().astype(np.float64)
    n = min(n, len(points))
    taken = np.zeros(len(points), dtype=bool)
    order: list[int] = []
    for part in np.array_split(np.arange(n), min(ROUNDS, n)):
        if taken.all():
            break
        surely = np.where(taken, -1.0, unlabelled_chance(np.concatenate([labelled, points[taken]]), points, ~taken))
        order += np.argsort(-surely, kind="stable")[: len(part)].tolist()
        taken[order] = True
    return short.chosen(np.array(order, dtype=np.int64), n)


def unlabelled_chance(labelled: F64, points: F64, pool: Bool) -> F64:
    """(M,) the probability of being unlabelled, by a logistic regression with the classes in balance, fitted to the
    last digit (Newton) so that it does not depend on the order of sums."""
    features = np.concatenate([labelled, points[pool]])
    classes = np.repeat([0, 1], [len(labelled), int(pool.sum())])
    head = LogisticRegression(class_weight="balanced", solver="newton-cholesky", tol=1e-8)
    return cast(F64, np.round(head.fit(features, classes).predict_proba(points)[:, 1], _DIGITS))
