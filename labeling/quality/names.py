"""Names of clusters: the words that tell one from the rest, by class-based TF-IDF (Grootendorst 2022).

A name is made of content, so a word may be in one only when ``LEAST_TEXTS`` different texts of the cluster have it and
it is letters alone: no handle, number, address or link can be one. Whoever shows names shows words of what people
wrote: they are kept out of logs, of the ledger, and of output that did not ask for them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer

LEAST_TEXTS, WORDS = 5, 4
MOST_WORDS = 50_000
SPOKEN = r"(?u)(?<![\w@#/.:])[^\W\d_]{3,20}(?![\w@/:])"


def cluster_names(texts: Sequence[str], clusters: Sequence[int], named: Sequence[int]) -> dict[int, tuple[str, ...]]:
    """Up to ``WORDS`` words of each cluster of ``named``, the most telling first; none where no word may be shown.
    ``texts`` (n,) and ``clusters`` (n,): the cluster of each, -1 for the rest of the traffic."""
    empty: dict[int, tuple[str, ...]] = dict.fromkeys(named, ())
    distinct = sorted(set(zip(clusters, texts, strict=True)))  # one text said often is one text
    counter = CountVectorizer(token_pattern=SPOKEN, binary=True, max_features=MOST_WORDS)
    try:
        counts = counter.fit_transform([text for _, text in distinct]).tocsr()
    except ValueError:  # no text holds a word
        return empty
    words, of = counter.get_feature_names_out(), np.array([cluster for cluster, _ in distinct])
    everywhere = np.asarray(counts.sum(axis=0)).ravel()
    average = counts.sum() / max(len(np.unique(of)), 1)
    for cluster in named:
        own = np.asarray(counts[of == cluster].sum(axis=0)).ravel()
        weight = own / max(own.sum(), 1) * np.log1p(average / np.maximum(everywhere, 1))
        weight[own < LEAST_TEXTS] = 0.0
        best = np.argsort(-weight, kind="stable")[:WORDS]
        empty[cluster] = tuple(str(words[i]) for i in best if weight[i] > 0)
    return empty
