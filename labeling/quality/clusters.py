"""What content is about: clusters of embeddings, and the words that set each apart."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer

from selection.diversity import kmeans

F32 = npt.NDArray[np.float32]
I64 = npt.NDArray[np.int64]
LEAST, MOST = 40, 60  # items a cluster on average at least; clusters at most
_WORD = r"(?u)\b[^\W\d_]{3,}\b"  # letters alone: no numbers, names of accounts or addresses


@dataclass(frozen=True, slots=True, eq=False)
class Clusters:
    """``codes`` (n,) from 0; ``medoids`` (k,): of each cluster the row nearest to its centre, by which it is known."""

    codes: I64
    medoids: I64


def clusters(vectors: F32, seed: int = 0) -> Clusters:
    """Spherical k-means by FAISS of (n, d) unit rows: sqrt(n / 2) clusters, of 40 items on average at least, at most
    60. The same rows in the same order give the same clusters."""
    n = len(vectors)
    if n == 0:
        return Clusters(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
    k = max(1, min(round((n / 2) ** 0.5), n // LEAST, MOST))
    codes, centres = kmeans(np.ascontiguousarray(vectors, dtype=np.float32), k, seed)
    used, codes = np.unique(codes, return_inverse=True)
    near = np.einsum("nd,nd->n", vectors, centres[used][codes])
    medoids = [int(rows[np.argmax(near[rows])]) for c in range(len(used)) for rows in [np.flatnonzero(codes == c)]]
    return Clusters(codes.astype(np.int64), np.array(medoids, dtype=np.int64))


def terms(texts: Sequence[str], codes: I64, *, top: int = 4, least_items: int = 5) -> tuple[tuple[str, ...], ...]:
    """For each cluster from 0 its ``top`` words by c-TF-IDF (Grootendorst 2022): the word's share of the cluster's
    words times log(1 + A / f), A words a cluster on average, f how often the word comes at all. A word that fewer than
    ``least_items`` of a cluster's texts hold is never told, as it may point at one of them."""
    count = int(codes.max()) + 1 if len(codes) else 0
    if not any(re.search(_WORD, text) for text in texts):
        return ((),) * count
    reader = CountVectorizer(token_pattern=_WORD)
    words = sparse.csr_matrix(reader.fit_transform(texts), dtype=np.float64)
    member = sparse.csr_matrix((np.ones(len(codes)), (codes, np.arange(len(codes)))), shape=(count, len(codes)))
    totals = np.asarray((member @ words).todense())
    holds = np.asarray((member @ (words > 0).astype(np.float64)).todense())
    sums = totals.sum(axis=1, keepdims=True)
    weight = totals / np.maximum(sums, 1) * np.log1p(sums.mean() / totals.sum(axis=0))
    weight[holds < least_items] = 0
    names = reader.get_feature_names_out()
    best = np.argsort(-weight, axis=1, kind="stable")[:, :top]
    return tuple(tuple(str(names[j]) for j in best[c] if weight[c, j] > 0) for c in range(count))
