"""How far off a first stage's guess is likely to be: longer texts and texts of rare words are guessed worse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import GammaRegressor

from scoring.first_stage import FirstStage

LEAST_TEXTS = 100  # below which nothing is learned, and no text is doubted more than another
PENALTY = 0.01
LEAST_ERROR = 1e-3  # squared, in spreads: what is guessed to the digit is not beyond doubt

F64 = npt.NDArray[np.float64]


def with_doubts(stage: FirstStage, texts: Sequence[str], logits: F64) -> FirstStage:
    """The stage with a ``doubt`` fitted to how far its guesses are off the full scorer's ``logits`` (n, k) of texts
    that it has not seen: a gamma regression of the squared error, mean of the policies' in their own spreads, on the
    logarithm of the length and the mean rarity. Raises ValueError when lengths differ."""
    if len(texts) != len(logits):
        raise ValueError(f"{len(texts)} texts but {len(logits)} rows of logits")
    reading = stage.read(texts)
    rows = np.flatnonzero(reading.whole)
    if len(rows) < LEAST_TEXTS:
        return stage
    squares = (reading.logits[rows].astype(np.float64) - logits[rows]) ** 2
    errors = (squares / (squares.mean(axis=0) + 1e-12)).mean(axis=1) + LEAST_ERROR
    ids = stage.token_ids([texts[i] for i in rows])
    features = np.array([[np.log(len(row)), stage.tensors["rarity"][row].mean()] for row in ids], np.float64)
    middle, scale = features.mean(axis=0), features.std(axis=0) + 1e-6
    model = GammaRegressor(alpha=PENALTY, max_iter=1000).fit((features - middle) / scale, errors)
    slopes = model.coef_ / scale / 2  # a doubt is the root of a squared error
    doubt = np.array([model.intercept_ / 2 - slopes @ middle, *slopes], np.float32)
    return replace(stage, tensors={**stage.tensors, "doubt": doubt})
