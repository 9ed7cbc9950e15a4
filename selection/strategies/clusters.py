"""Strategies that cluster first and then ask about something of each cluster."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.cluster.hierarchy import fcluster, linkage

from selection.diversity import kmeans
from selection.hashing import F64
from selection.strategies.base import Candidates, Chosen, Rows
from selection.strategies.exact import GRID, squared_lengths
from selection.strategies.shortlist import LINEAR, PAIRWISE, at_threshold, by_chance, by_value, size
from selection.types import F32

NEIGHBOURS = 20  # of TypiClust's typicality
MOST_CLUSTERS = 500  # of TypiClust, unless more picks are asked for
UNSURE = 10  # Cluster-Margin: unsure rows a pick
_DIGITS = 6
_BLOCK = 1024  # rows at a time

Labels = npt.NDArray[np.int64]


def k_means(candidates: Candidates, n: int, seed: int) -> Chosen:
    """The item nearest to the centroid of each of n clusters of the content."""
    short = by_chance(candidates, size(n, LINEAR))
    vectors = short.unit()
    labels, centroids = kmeans(vectors, min(n, len(vectors)), seed)
    nearness = np.round(np.einsum("ij,ij->i", vectors, centroids[labels], dtype=np.float64), _DIGITS)
    rows = np.lexsort((-nearness, labels))
    firsts = rows[np.unique(labels[rows], return_index=True)[1]]
    return short.chosen(firsts, n, [(f"centre of cluster {label}",) for label in labels[firsts].tolist()])


def typical(candidates: Candidates, n: int, seed: int) -> Chosen:
    """The most typical item of each of the largest clusters that nothing labelled lies in: for the first labels."""
    short = by_chance(candidates, max(n, PAIRWISE))
    vectors, labelled = short.unit(), candidates.labelled
    known = np.zeros((0, vectors.shape[1]), np.float32) if labelled is None else labelled.embeddings.astype(np.float32)
    count = min(len(known) + n, max(MOST_CLUSTERS, n), len(vectors))
    labels, _ = kmeans(np.concatenate([vectors, known]), count, seed)
    mine, theirs = labels[: len(vectors)], np.bincount(labels[len(vectors) :], minlength=count)
    order = by_turns(mine, theirs, typicality(short.grid(), mine), n)
    return short.chosen(order, n, [(f"typical of cluster {label}",) for label in mine[order].tolist()])


def typicality(rows: F32, labels: Labels) -> F64:
    """(m,) for rows of the grid the inverse mean Euclidean distance to the NEIGHBOURS nearest rows of their cluster."""
    found = np.zeros(len(rows))
    for members in _members(labels):
        mine, near = rows[members], min(NEIGHBOURS, len(members) - 1)
        if near == 0:
            continue
        lengths = squared_lengths(mine)
        for start in range(0, len(mine), _BLOCK):
            block = slice(start, start + _BLOCK)
            squared = lengths[block, None] + lengths - 2.0 * (mine[block] @ mine.T)
            nearest = np.sqrt(np.partition(squared, near, axis=1)[:, : near + 1])  # itself, at 0, is one of them
            found[members[block]] = GRID / np.maximum(nearest.sum(axis=1) / near, 1.0)
    return np.round(found, _DIGITS)


def by_turns(labels: Labels, labelled: Labels, values: F64, n: int) -> Rows:
    """min(n, m) rows: each time the best row left of the cluster with the fewest labelled and chosen rows, the largest
    of those first. ``labelled`` (clusters,) counts what is labelled in each."""
    sizes = np.bincount(labels, minlength=len(labelled))
    by_cluster = np.lexsort((-values, labels))
    starts = np.concatenate([[0], np.cumsum(sizes)])[labels[by_cluster]]
    rank = np.arange(len(labels)) - starts  # 0: the best of its cluster
    order = np.lexsort((labels[by_cluster], -sizes[labels[by_cluster]], rank + labelled[labels[by_cluster]]))
    return np.asarray(by_cluster[order[:n]], dtype=np.int64)


def cluster_margin(candidates: Candidates, n: int, _: int) -> Chosen:
    """Of the 10 n pairs nearest their threshold, one after the other from each cluster, the smallest first."""
    short = by_value(candidates, at_threshold(candidates), max(n, min(UNSURE * n, PAIRWISE)))
    labels = average_linkage(short.grid(), min(n, len(short)))
    sizes = np.bincount(labels)[labels]
    by_cluster = np.argsort(labels, kind="stable")  # best value first in each
    firsts = np.unique(labels[by_cluster], return_index=True)[1]
    turn = np.empty(len(labels), dtype=np.int64)
    turn[by_cluster] = np.arange(len(labels)) - firsts[np.unique(labels[by_cluster], return_inverse=True)[1]]
    order = np.lexsort((np.arange(len(labels)), sizes, turn))[:n].astype(np.int64)
    return short.chosen(order, n, [(f"cluster {label}",) for label in labels[order].tolist()])


def average_linkage(rows: F32, count: int) -> Labels:
    """(m,) at most ``count`` clusters of rows of the grid by average-linkage hierarchical clustering of 1 - cosine."""
    m = len(rows)
    if count >= m or m == 1:
        return np.arange(m)
    apart = np.empty(m * (m - 1) // 2)
    at = 0
    for row in range(m - 1):
        apart[at : at + m - 1 - row] = 1.0 - (rows[row + 1 :] @ rows[row]).astype(np.float64) / GRID**2
        at += m - 1 - row
    tree = linkage(np.maximum(apart, 0.0), "average")
    return np.asarray(fcluster(tree, count, "maxclust"), dtype=np.int64) - 1


def _members(labels: Labels) -> list[Rows]:
    order = np.argsort(labels, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)
