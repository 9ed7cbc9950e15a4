"""k-means++ seeding (Arthur and Vassilvitskii 2007): far from what is chosen, by chance in proportion to the square."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numpy as np

from selection.hashing import F64, U64, uniforms
from selection.strategies.base import Candidates, Chosen, Rows
from selection.strategies.exact import GRID, squared_distances, squared_lengths
from selection.strategies.pointwise import adjusted
from selection.strategies.shortlist import LINEAR, Short, at_threshold, by_value, size
from selection.types import F32

_SAME = 1e-9  # a squared distance below it, as a share of the largest, is none


def weighted_plus_plus(candidates: Candidates, n: int, seed: int) -> Chosen:
    """k-means++ seeding with chances in proportion to uncertainty times squared distance; the least sure first."""
    short = by_value(candidates, at_threshold(candidates), size(n, LINEAR))
    rows = short.grid()
    lengths = squared_lengths(rows)
    order = plus_plus(lambda row: squared_distances(rows, lengths, rows[row]), n, 0, short.hashes(), seed, short.values)
    return short.chosen(order, n)


def badge(candidates: Candidates, n: int, seed: int) -> Chosen:
    """k-means++ seeding over the gradients that each item would give the head if its likelier answer were true."""
    p = adjusted(candidates.probabilities.astype(np.float64), candidates.thresholds)
    short = by_value(candidates, 2.0 * np.minimum(p, 1.0 - p), size(n, LINEAR))
    factors, rows = gradient_factors(short, p), short.grid()
    norms = squared_norms(factors, rows)
    order = plus_plus(
        lambda row: gradient_distances(factors, rows, norms, row), n, int(norms.argmax()), short.hashes(), seed
    )
    return short.chosen(order, n)


def gradient_factors(short: Short, p: F64) -> F64:
    """(M, k): the gradient of the logistic loss for the likelier answer is the outer product of these factors,
    ``severity (p' - [p' >= .5])``, and the embedding; a closed pair gives none. ``p`` (m, k) of all candidates."""
    mine = p[short.rows]
    factors = (mine - (mine >= 0.5)) * short.of.weights
    return cast(F64, np.where(short.of.open[short.rows], factors, 0.0))


def squared_norms(factors: F64, rows: F32) -> F64:
    """(M,) of the gradients: the norm of an outer product is the product of the norms."""
    return cast(F64, np.einsum("ij,ij->i", factors, factors) * squared_lengths(rows) / GRID**2)


def gradient_distances(factors: F64, rows: F32, norms: F64, row: int) -> F64:
    """(M,) squared distances to the gradient of one row. ``<a x, b y> = <a, b> <x, y>``, so the d k long gradients are
    never made."""
    products = np.einsum("ij,j->i", factors, factors[row]) * (rows @ rows[row]).astype(np.float64) / GRID**2
    return cast(F64, norms + norms[row] - 2.0 * products)


def plus_plus(
    squared: Callable[[int], F64], n: int, first: int, hashes: U64, seed: int, weights: F64 | None = None
) -> Rows:
    """At most n places that differ, ``first`` first: each drawn with a chance in proportion to ``weights`` times the
    squared distance to the nearest before it. ``squared(place)`` (M,); ``hashes`` (M,) make the luck the item's own
    (the largest of log w + Gumbel noise is such a draw)."""
    distances = squared(first)
    least = _SAME * max(float(distances.max(initial=0.0)), 1e-300)
    order = [first]
    factors = np.ones(len(hashes)) if weights is None else weights
    while len(order) < min(n, len(hashes)):
        distances[order[-1]] = 0.0
        chances = np.where(distances > least, distances, 0.0) * factors
        if not chances.any():
            break
        luck = uniforms(hashes, seed, "plus plus", len(order))
        with np.errstate(divide="ignore"):
            order.append(int((np.log(chances) - np.log(-np.log(np.maximum(luck, 1e-18)))).argmax()))
        distances = np.minimum(distances, squared(order[-1]))
    return np.array(order, dtype=np.int64)
