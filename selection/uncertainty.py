"""How unsure a model is about a pair, measured where the decision is taken: at the policy's threshold."""

from __future__ import annotations

from typing import cast

import numpy as np

from selection.hashing import F64

_EDGE = 1e-6  # probabilities are clipped to [_EDGE, 1 - _EDGE] before the logit


def logit(p: F64) -> F64:
    """log(p / (1 - p)) with p kept 1e-6 away from 0 and 1."""
    clipped = np.clip(p, _EDGE, 1.0 - _EDGE)
    return cast(F64, np.log(clipped) - np.log1p(-clipped))


def threshold_utility(probabilities: F64, thresholds: F64, temperature: float) -> F64:
    """``u = exp(-|logit p - logit tau| / s)``: 1 at the operating threshold, falling off on both sides."""
    return cast(F64, np.exp(-np.abs(logit(probabilities) - logit(thresholds)) / temperature))
