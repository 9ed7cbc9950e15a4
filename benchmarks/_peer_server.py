"""Asks other people's active learning libraries; run by the Python of .venv-peers, which has them and not us.

A line of JSON on standard input is a question: ``strategy`` (a name in ``ASK``), ``n``, ``seed``, and the paths of
``arrays`` (an .npz: ``probabilities`` (m, c) of the unlabelled, rows that add up to 1; ``embeddings`` (m, d)) and of
``answer`` (an .npy to write: n row numbers). A line ``done`` follows on standard output. Both libraries ask a
classifier, so theirs gives back the probabilities that were served, whatever it was fitted on.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from skactiveml.base import SkactivemlClassifier  # type: ignore[import-not-found]
from skactiveml.pool import Badge, Falcun, UncertaintySampling  # type: ignore[import-not-found]
from small_text import (  # type: ignore[import-not-found]
    BreakingTies,
    LeastConfidence,
    PredictionEntropy,
    QueryStrategy,
)

F64 = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]


class ServedToSmallText:
    """What small-text asks of a classifier; its data set is the row numbers."""

    def __init__(self, probabilities: F64) -> None:
        self._probabilities = probabilities

    def predict_proba(self, rows: Rows) -> F64:
        return self._probabilities[rows]


class ServedToScikit(SkactivemlClassifier):  # type: ignore[misc]
    """What scikit-activeml asks of a classifier; X is a column of row numbers."""

    def __init__(
        self, probabilities: F64, embeddings: F64, classes: list[int], missing_label: float = np.nan, **kwargs: Any
    ) -> None:
        super().__init__(classes=classes, missing_label=missing_label, **kwargs)
        self.probabilities, self.embeddings = probabilities, embeddings

    def fit(self, X: F64, y: F64, sample_weight: F64 | None = None) -> ServedToScikit:  # noqa: ARG002
        return self

    def predict_proba(self, X: F64, return_embeddings: bool = False) -> Any:
        rows = X[:, 0].astype(np.int64)
        found = self.probabilities[rows]
        return (found, self.embeddings[rows]) if return_embeddings else found


def small_text(strategy: QueryStrategy, probabilities: F64, n: int) -> Rows:
    """small-text's picks."""
    rows = np.arange(len(probabilities))
    nothing = np.empty(0, dtype=np.int64)
    return np.asarray(strategy.query(ServedToSmallText(probabilities), rows, rows, nothing, nothing, n=n))


def scikit(strategy: Any, probabilities: F64, embeddings: F64, n: int) -> Rows:
    """scikit-activeml's picks."""
    rows = np.arange(len(probabilities), dtype=np.float64)[:, None]
    served = ServedToScikit(probabilities, embeddings, list(range(probabilities.shape[1])))
    unknown = np.full(len(rows), np.nan)
    return np.asarray(strategy.query(X=rows, y=unknown, clf=served, fit_clf=False, batch_size=n))


ASK: dict[str, Callable[[F64, F64, int, int], Rows]] = {
    "small_text_breaking_ties": lambda p, _e, n, _s: small_text(BreakingTies(), p, n),
    "small_text_least_confidence": lambda p, _e, n, _s: small_text(LeastConfidence(), p, n),
    "small_text_prediction_entropy": lambda p, _e, n, _s: small_text(PredictionEntropy(), p, n),
    "scikit_activeml_margin": lambda p, e, n, s: scikit(
        UncertaintySampling(method="margin_sampling", random_state=s), p, e, n
    ),
    "scikit_activeml_falcun": lambda p, e, n, s: scikit(Falcun(random_state=s), p, e, n),
    "scikit_activeml_badge": lambda p, e, n, s: scikit(
        Badge(clf_embedding_flag_name="return_embeddings", random_state=s), p, e, n
    ),
}


def main() -> None:
    for line in sys.stdin:
        asked = json.loads(line)
        with np.load(asked["arrays"], allow_pickle=False) as arrays:
            p, embeddings = arrays["probabilities"].astype(np.float64), arrays["embeddings"].astype(np.float64)
        rows = ASK[asked["strategy"]](p, embeddings, asked["n"], asked["seed"])
        np.save(asked["answer"], np.asarray(rows, dtype=np.int64), allow_pickle=False)
        sys.stdout.write("done\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
