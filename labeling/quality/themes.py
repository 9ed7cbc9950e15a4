"""New themes that no old cluster need catch: what is dense in the last days and was not before.

The items of the last ``WINDOW`` days are halved by a hash. The first half proposes: among those that lie far from every
frozen centroid, and as many others as there is room for, the item with the most neighbours (cosine; at each of
``SCALES`` by itself) leads a group, which is taken out, and so on. The second half tests: how many of its items lie as
near to the group's centre, beside how many did before. No item does both, so that a group is as likely to stand out by
chance as any cell that was named beforehand.

The count's law is the predictive of a Gamma-Poisson: h earlier items among E_h say of E_w items a negative binomial
with mean (h + 1/2) E_w / E_h and variance mu + mu^2 (alpha + 1 / (h + 1/2)); alpha is the over-dispersion of the
clusters' days, taken whole, as if the days of the window moved together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import nbinom

WINDOW = 3  # days
SCALES = (0.75, 0.88)  # cosine: what is about the same, and what says nearly the same
LEAST = 6  # items of the first half that make a group
MOST_ITEMS, MOST_GROUPS = 10_000, 200
BLOCK, COUNTED = 2048, 65_536
F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Tests:
    """Of each of g groups: ``count`` (g,) of the second half, ``expected`` (g,), ``p`` (g,) one-sided."""

    count: I64
    expected: F64
    p: F64


@dataclass(frozen=True, slots=True)
class Groups:
    """``centres`` (g, d) unit rows, and ``near`` (g,): the cosine from which an item belongs to each."""

    centres: F32
    near: F32

    def __len__(self) -> int:
        return len(self.near)

    def members(self, vectors: F32) -> npt.NDArray[np.bool_]:
        """(n, g): which unit rows (n, d) belong to which group."""
        return np.asarray(vectors.astype(np.float32) @ self.centres.T >= self.near)

    def count(self, vectors: F32) -> I64:
        """(g,) rows that belong to each."""
        found = np.zeros(len(self), np.int64)
        for start in range(0, len(vectors) if len(self) else 0, COUNTED):
            found += self.members(vectors[start : start + COUNTED]).sum(axis=0)
        return found

    def only(self, place: int) -> Groups:
        """One of them."""
        return Groups(self.centres[[place]], self.near[[place]])


def proposals(vectors: F32, far: npt.NDArray[np.bool_], order: I64) -> Groups:
    """The groups among ``vectors`` (n, d), unit rows, of each scale ``MOST_GROUPS`` at most. ``far`` (n,): no centroid
    is near; these come first, then the others, by ``order`` (n,), which must not depend on what is in them."""
    rows = np.lexsort((order, ~far))[:MOST_ITEMS]
    points = np.ascontiguousarray(vectors[rows], np.float32)
    found = [_centres(points, near) for near in SCALES]
    near = np.repeat(np.array(SCALES, np.float32), [len(one) for one in found])
    return Groups(np.concatenate([np.array(one, np.float32).reshape(-1, vectors.shape[1]) for one in found]), near)


def _centres(points: F32, near: float) -> list[F32]:
    """The item with the most neighbours leads a group, which is taken out, until none has ``LEAST``."""
    neighbours = [row for start in range(0, len(points), BLOCK) for row in _near(points, start, near)]
    alive, degree = np.ones(len(points), np.bool_), np.array([len(row) for row in neighbours], np.int64)
    centres: list[F32] = []
    while len(centres) < MOST_GROUPS and len(degree) and degree.max() >= LEAST:
        lead = int(degree.argmax())
        group = neighbours[lead][alive[neighbours[lead]]]
        centre = points[group].mean(axis=0)
        centres.append(centre / max(float(np.linalg.norm(centre)), 1e-9))
        alive[group] = False
        for member in group:
            degree[neighbours[member]] -= 1
        degree[group] = 0
    return centres


def _near(points: F32, start: int, near: float) -> list[I64]:
    """The neighbours of a block's rows, themselves included."""
    close = points[start : start + BLOCK] @ points.T >= near
    return [np.flatnonzero(row) for row in close]


def judge(count: I64, before: I64, items: int, items_before: int, alpha: float) -> Tests:
    """``count`` (g,) of ``items`` in the second half beside ``before`` (g,) of ``items_before``; ``alpha`` as
    ``Volumes`` has it."""
    shape = before + 0.5
    mu = np.maximum(shape * items / max(items_before, 1), 1e-12)
    size = 1.0 / (alpha + 1.0 / shape)
    p = nbinom(size, size / (size + mu)).sf(count - 1)
    return Tests(count, mu, np.asarray(p, np.float64))
