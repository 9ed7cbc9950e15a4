"""What a model says of labels that it has not learnt: a head a policy, fitted on the other folds.

A model that has learnt a wrong label agrees with it, so its own score is no witness.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import expit

from selection.hashing import F64, item_hashes, uniforms
from selection.replay_head import ReplayHead, matched_thresholds
from selection.strategies.base import Rows
from selection.types import F16, F32

FOLDS = 5
LEAST = 10  # labels of either kind that a policy needs
_DIGITS = 6  # what a fit leaves below depends on the order of its sums


def out_of_fold(embeddings: F16 | F32, answers: F32, blocks: Sequence[str], otherwise: F64) -> F64:
    """(l, k) probabilities of violating, 0.5 where as many of the labels lie above as violate.

    ``embeddings`` (l, d) unit rows; ``answers`` (l, k): 1, 0 or NaN; ``blocks`` (l): rows of one block, such as
    near-duplicates, are never learnt from for each other; rows in an order that does not change from run to run.
    ``otherwise`` (l, k) stands for policies with fewer than ``LEAST`` labels of either kind."""
    found = otherwise.astype(np.float64)
    folds = (uniforms(item_hashes(blocks), "second look") * FOLDS).astype(np.int64)
    vectors = embeddings.astype(np.float32)
    for column in range(answers.shape[1]):
        mine = answers[:, column]
        if min((mine == 1).sum(), (mine == 0).sum()) >= LEAST:
            found[:, column] = _column(vectors, mine, folds)
    return found


def _column(vectors: F32, answers: F32, folds: Rows) -> F64:
    logits = np.zeros((len(answers), 1))
    known = ~np.isnan(answers)
    for fold in np.unique(folds):
        head, inside = ReplayHead(1), folds == fold
        head.fit(vectors[~inside & known], answers[~inside & known][:, None])
        logits[inside] = head.logits(vectors[inside])
    taus = matched_thresholds(logits[known], np.array([float(answers[known].mean())]))
    return np.asarray(np.round(expit(logits[:, 0] - taus[0]), _DIGITS), np.float64)
