"""How much of the traffic lies near gold, and where it does not: pure mathematics on unit embeddings.

- **Near**: the cosine to the nearest golden item is at least ``NEAR`` (exact, by brute force). Gold is near itself.
- **Share near gold**: of the items, or of the risky ones by weight. Of a simple random sample with Wilson's interval
  (Clopper and Pearson's at none or all; by weight on Kish's effective n); of everything there is, it is the share
  itself.
- **Divergence**: Jensen and Shannon's (Lin 1991), in bits, in [0, 1], between the cluster histograms of gold and of
  risky traffic. The plain estimate errs upwards where there are few items, so it stands beside ``by_chance``: the 95 %
  quantile of what as many golden items would give if they were drawn from the risky traffic itself. The interval is
  the bootstrap's, moved by its bias (Efron and Tibshirani 1993, chapter 10).
- **Dark**: what is not near gold. Clusters are ranked by their dark risk, the weight of their risky items that are not
  near gold, and then by their dark items.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass

import faiss
import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import jensenshannon

from labeling.quality.intervals import ENOUGH, FEW, INSUFFICIENT, Figure, clopper_pearson, proportion, wilson
from selection.diversity import kmeans, one_thread

NEAR = 0.8  # cosine
LADDER = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)  # cosines at which the share is told, whatever is called near
MOST_CLUSTERS = 64
LEAST_ITEMS = 50  # a cluster, on average
RESAMPLES = 1000
WHOLE = "whole: every item, so there is no sampling error"
NONE_NEAR = -1.0
_BLOCK = 4096
_DIGITS = 5  # an item is near itself at a cosine of 1, whatever its embedding's last bit says

F16 = npt.NDArray[np.float16]
F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Tick = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Divergence:
    """``value`` in bits; None while ``verdict`` is "insufficient". ``gold`` items and ``risky`` ones (by effective
    number, ``effective``) in ``clusters``."""

    value: float | None
    low: float
    high: float
    by_chance: float
    gold: int
    risky: int
    effective: float
    clusters: int
    verdict: str
    method: str = "jensen-shannon in bits, bootstrap moved by its bias"

    def as_dict(self) -> dict[str, object]:
        """JSON-able."""
        return asdict(self)


def nearest(traffic: F16 | F32, gold: F32, tick: Tick = lambda _done, _all: None) -> F32:
    """(n,) the cosine of each of (n, d) unit rows to the nearest of (m, d) unit rows, to ``_DIGITS`` digits;
    ``NONE_NEAR`` where m is 0. Products of blocks: a quarter of what FAISS's flat index takes here, in CPU seconds."""
    found = np.full(len(traffic), NONE_NEAR, np.float32)
    for start in range(0, len(traffic) if len(gold) else 0, _BLOCK):
        rows = slice(start, start + _BLOCK)
        part = np.asarray(traffic[rows], np.float32)
        for at in range(0, len(gold), _BLOCK):
            np.maximum(found[rows], (part @ gold[at : at + _BLOCK].T).max(axis=1), out=found[rows])
        tick(min(start + _BLOCK, len(traffic)), len(traffic))
    return np.round(found, _DIGITS)


def share(counts: Bools, *, is_whole: bool) -> Figure:
    """Of n items those that count; ``is_whole``: they are all there are, and no sample."""
    n, events = len(counts), int(counts.sum())
    return _exact(events / n if n else 0.0, n, events) if is_whole and n else proportion(events, n)


def weighted_share(counts: Bools, weights: F64, *, is_whole: bool) -> Figure:
    """The same by weight, of the items whose weight is above 0."""
    counts, weights = counts[weights > 0], weights[weights > 0]
    n, events = len(counts), int(counts.sum())
    if not n:
        return proportion(0, 0)
    value, size = float((weights * counts).sum() / weights.sum()), effective(weights)
    if is_whole:
        return _exact(value, n, events)
    exact = events in (0, n)
    low, high = (clopper_pearson if exact else wilson)(value * size, size)
    method = f"weighted, {'clopper-pearson' if exact else 'wilson'} on effective n {size:.1f}"
    return Figure(value if n > FEW else None, low, high, n, events, method, ENOUGH if n > FEW else INSUFFICIENT)


def effective(weights: F64) -> float:
    """Kish's effective n, ``(sum w)^2 / sum w^2``; 0 of nothing."""
    squares = float((weights**2).sum())
    return min(float(len(weights)), float(weights.sum()) ** 2 / squares) if squares else 0.0


def clustered(vectors: F32, seed: int, most: int = MOST_CLUSTERS) -> tuple[Ints, F32]:
    """The cluster (n,) of each of (n, d) unit rows and the centroids (k, d), unit rows: spherical k-means, k at most
    ``most`` and n / ``LEAST_ITEMS``, at least 1. n >= 1."""
    k = max(1, min(most, len(vectors) // LEAST_ITEMS))
    labels, centroids = kmeans(vectors, k, seed)
    lengths = np.linalg.norm(centroids, axis=1, keepdims=True)
    return labels, np.asarray(centroids / np.where(lengths > 0, lengths, 1.0), np.float32)


def assigned(vectors: F16 | F32, centroids: F32) -> Ints:
    """(n,) the nearest centroid of each row, as ``clustered`` gives them."""
    found = np.empty(len(vectors), np.int64)
    index = faiss.IndexFlatIP(centroids.shape[1])
    index.add(np.ascontiguousarray(centroids, np.float32))
    with one_thread():
        for start in range(0, len(vectors), _BLOCK):
            part = np.ascontiguousarray(vectors[start : start + _BLOCK], np.float32)
            found[start : start + _BLOCK] = index.search(part, 1)[1][:, 0]
    return found


def divergence(gold: Ints, labels: Ints, weights: F64, seed: int) -> Divergence:
    """Between ``gold`` (k,), golden items by cluster, and the risky items, whose ``labels`` (n,) have ``weights``
    (n,) above 0."""
    risky = np.bincount(labels, weights=weights, minlength=len(gold))
    items, size = int(gold.sum()), effective(weights[weights > 0])
    n, k = int((weights > 0).sum()), len(gold)
    if not items or not n:
        return Divergence(None, 0.0, 1.0, 1.0, items, n, size, k, INSUFFICIENT)
    p, q = gold / items, risky / risky.sum()
    plain, random = float(_bits(p, q)), np.random.default_rng(seed)
    drawn = random.multinomial(max(1, round(size)), q, RESAMPLES)
    resampled = _bits(random.multinomial(items, p, RESAMPLES), drawn)
    low, high = np.quantile(resampled, (0.025, 0.975)) - (resampled.mean() - plain)
    chance = float(np.quantile(_bits(random.multinomial(items, q, RESAMPLES), q), 0.95))
    enough = min(items, n) > FEW
    return Divergence(
        value=plain if enough else None,
        low=float(np.clip(low, 0.0, plain)),
        high=float(np.clip(high, plain, 1.0)),
        by_chance=chance,
        gold=items,
        risky=n,
        effective=size,
        clusters=k,
        verdict=ENOUGH if enough else INSUFFICIENT,
    )


def dark(labels: Ints, is_near: Bools, weights: F64, k: int) -> tuple[F64, Ints]:
    """By cluster (k,) the weight of the risky items that are not near gold, and how many items are not."""
    away = ~is_near
    risk = np.bincount(labels[away], weights=weights[away], minlength=k)
    return risk.astype(np.float64), np.bincount(labels[away], minlength=k).astype(np.int64)


def ranked(risk: F64, items: Ints) -> list[int]:
    """Clusters from the darkest on, as ``dark`` counted them; equal ones by number."""
    return [int(label) for label in np.lexsort((np.arange(len(risk)), -items, -np.round(risk, 9)))]


def _bits(p: npt.NDArray[np.generic], q: npt.NDArray[np.generic]) -> F64:
    """Along the last axis; counts are scaled to shares."""
    one, other = np.broadcast_arrays(np.asarray(p, np.float64), np.asarray(q, np.float64))
    return np.asarray(np.nan_to_num(jensenshannon(one, other, base=2, axis=-1)) ** 2, np.float64)


def _exact(value: float, n: int, events: int) -> Figure:
    enough = n > FEW and math.isfinite(value)
    return Figure(value if enough else None, value, value, n, events, WHOLE, ENOUGH if enough else INSUFFICIENT)
