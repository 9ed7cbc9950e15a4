"""Votes of single tokens and of pairs of neighbours, fitted by ridge regression: the linear half of a first stage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.linear_model import Ridge

from scoring.first_stage import F32, pair_places

F64 = npt.NDArray[np.float64]
PENALTY = 2.0  # of squared weights, where a text's features have a length of about 1
PAIRS = 2**18  # places that pairs are hashed into


@dataclass(frozen=True, slots=True)
class LinearVotes:
    """A text of t tokens is guessed as ``bias`` + (its tokens' ``tokens`` + its pairs' ``pairs``) / sqrt(t), in the
    targets' units: (k,), (v, k) and (PAIRS, k), float64."""

    tokens: F64
    pairs: F64
    bias: F64


def fit_votes(ids: Sequence[Sequence[int]], targets: F64, weights: F64, tables: Sequence[F32]) -> LinearVotes:
    """``ids``: token ids of n texts, none empty; ``targets`` and ``weights`` (n, k); ``tables``, each (v, D): tokens
    that are alike in one may share a vote, which a text of rare words needs. A few seconds of one core for 10,000 texts
    and one policy. Deterministic."""
    v = len(tables[0])
    counts = _counts(ids, v, PAIRS)
    table = np.concatenate([_sized(one.astype(np.float64), counts[:, :v]) for one in tables], axis=1)
    d = table.shape[1]
    features = sparse.hstack([sparse.csr_matrix(counts[:, :v] @ table), counts / np.sqrt(2)]).tocsr()
    found = [
        Ridge(alpha=PENALTY, solver="lsqr").fit(features, target, sample_weight=weight)
        for target, weight in zip(targets.T, weights.T, strict=True)
    ]
    slopes = np.stack([ridge.coef_ for ridge in found], axis=1)
    single, pairs = slopes[d : d + v] / np.sqrt(2), slopes[d + v :] / np.sqrt(2)
    return LinearVotes(single + table @ slopes[:d], pairs, np.array([ridge.intercept_ for ridge in found]))


def _sized(table: F64, counts: sparse.csr_matrix) -> F64:
    """The table over the length that the texts' sums have on average."""
    return np.asarray(table / (np.linalg.norm(counts @ table, axis=1).mean() + 1e-12))


def _counts(ids: Sequence[Sequence[int]], v: int, pairs: int) -> sparse.csr_matrix:
    """(n, v + pairs): how often each token and each pair is in a text, over the root of its number of tokens."""
    lengths = np.array([len(row) for row in ids])
    flat = np.concatenate([np.asarray(row, np.int64) for row in ids])
    text = np.repeat(np.arange(len(ids)), lengths)
    inner = text[1:] == text[:-1]
    places = v + pair_places(flat[:-1], flat[1:], pairs)[inner]
    rows, columns = np.concatenate([text, text[:-1][inner]]), np.concatenate([flat, places])
    return sparse.csr_matrix((1 / np.sqrt(lengths[rows]), (rows, columns)), shape=(len(ids), v + pairs))
