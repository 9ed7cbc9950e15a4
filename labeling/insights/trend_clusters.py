"""The frozen clusters that trends count by: k-means centroids with a version, kept beside the data.

They are fitted once on a sample of the items in the lake, and stay: a cluster means the same from day to day, and its
count can be compared with last month's. A refit is a new version with a baseline of its own, counted anew from the
lake. A theme that is new needs none of them (``labeling.quality.themes``).
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from labeling.errors import NothingToDo, StoreError
from labeling.golden.vectors import unit
from selection.diversity import kmeans

MOST_CLUSTERS, ITEMS_EACH = 64, 50
SAMPLE = 50_000
FAR = 0.05  # the part of a cluster's own items that count as far from it
SEED = 0
F32 = npt.NDArray[np.float32]
I64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Clusters:
    """``centroids`` (k, d) unit float32; ``reach`` (k,) float32: the cosine below which an item of the cluster is
    far."""

    centroids: F32
    reach: F32

    @property
    def version(self) -> str:
        """The first 12 hex digits of the SHA-256 of both arrays."""
        return hashlib.sha256(self.centroids.tobytes() + self.reach.tobytes()).hexdigest()[:12]

    def assign(self, vectors: F32) -> tuple[I64, npt.NDArray[np.bool_]]:
        """(n,) the nearest cluster of each row, and whether the row is far from it."""
        cosine = vectors.astype(np.float32) @ self.centroids.T
        nearest = cosine.argmax(axis=1)
        return nearest.astype(np.int64), cosine[np.arange(len(nearest)), nearest] < self.reach[nearest]


def fit(vectors: F32) -> Clusters:
    """Clusters of (n, d) unit rows. Raises NothingToDo for fewer than ``ITEMS_EACH``."""
    k = min(MOST_CLUSTERS, len(vectors) // ITEMS_EACH)
    if k < 1:
        raise NothingToDo(
            f"{len(vectors)} items with a time and an embedding are too few for clusters: {ITEMS_EACH} will do"
        )
    centroids = unit(kmeans(np.ascontiguousarray(vectors, np.float32), k, SEED)[1])
    cosine = vectors @ centroids.T
    nearest, best = cosine.argmax(axis=1), cosine.max(axis=1)
    reach = [np.quantile(best[nearest == j], FAR) if (nearest == j).any() else 1.0 for j in range(k)]
    return Clusters(centroids, np.array(reach, np.float32))


def load(path: Path) -> Clusters | None:
    """The clusters of a file, None where there is none. Raises StoreError."""
    if not path.exists():
        return None
    try:
        found = load_file(path)
        return Clusters(found["centroids"], found["reach"])
    except (OSError, SafetensorError, KeyError) as error:
        raise StoreError(f"{path} cannot be read: delete it, and trends start with new clusters") from error


def save(clusters: Clusters, path: Path) -> None:
    """Whole or not at all. Raises StoreError."""
    part = path.with_suffix(f".{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({"centroids": clusters.centroids, "reach": clusters.reach}, part)
        part.replace(path)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror or error}") from error
