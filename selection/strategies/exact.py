"""Cosines that come out the same on any machine, in any order and with any number of threads.

A unit row is put on a grid of whole numbers, at most ``GRID`` long. Then every product and every partial sum of a dot
product is a whole number below 2^24, which float32 holds exactly, so the order in which a BLAS adds does not matter and
equal cosines are equal. The price is an error of about 1e-4 (standard deviation) in a cosine.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numpy as np

from selection.hashing import F64
from selection.types import F16, F32

GRID = 4000  # GRID^2 with room for rows that rounding (here and in float16) makes longer stays below 2^24
_BLOCK = 8192  # rows at a time


def grid(vectors: F16 | F32) -> F32:
    """(m, d) unit (or zero) rows as whole numbers: ``grid(a) @ grid(b).T`` is exact, and GRID^2 times the cosine."""
    return cast(F32, np.rint(vectors.astype(np.float32) * np.float32(GRID)))


def squared_lengths(rows: F32) -> F64:
    """(m,) of rows on the grid, exact."""
    return cast(F64, np.einsum("ij,ij->i", rows, rows, dtype=np.float64))


def squared_distances(rows: F32, lengths: F64, centre: F32) -> F64:
    """(m,) squared Euclidean distances to one row of the grid, exact, in units of the grid."""
    return lengths + float(centre @ centre) - 2.0 * (rows @ centre).astype(np.float64)


def dots(vectors: Callable[[slice], F16 | F32], m: int, total: F64) -> F64:
    """(m,) exact products of m unit rows, put on the grid block by block, with one sum of rows of the grid."""
    found = np.empty(m)
    for start in range(0, m, _BLOCK):
        part = slice(start, start + _BLOCK)
        found[part] = grid(vectors(part)).astype(np.float64) @ total
    return found
