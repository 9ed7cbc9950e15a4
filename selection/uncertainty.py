"""How unsure a model is about a pair, measured where the decision is taken: at the policy's threshold."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import cast

import numpy as np

from selection.errors import BadPlan
from selection.hashing import F64

# (probabilities (n,), thresholds (n,), temperature) -> utilities (n,) in [0, 1], 1 = most uncertain.
# Element by element: a utility depends on its own pair only.
Strategy = Callable[[F64, F64, float], F64]

# Where each strategy lives. Looked up on use: modAL imports torch where torch is installed, and a round that does
# not ask for modAL must not pay for it.
STRATEGIES: dict[str, str] = {
    "threshold": "selection.uncertainty:threshold_utility",
    "modal_least_confident": "selection.modal_measures:least_confident_utility",
    "modal_margin": "selection.modal_measures:margin_utility",
    "modal_entropy": "selection.modal_measures:entropy_utility",
}

DISAGREEMENT = "disagreement"  # measured by the scorer's members and not from the probability, so it is none of those
KNOWN = (*STRATEGIES, DISAGREEMENT)

_EDGE = 1e-6  # probabilities are clipped to [_EDGE, 1 - _EDGE] before the logit


def logit(p: F64) -> F64:
    """log(p / (1 - p)) with p kept 1e-6 away from 0 and 1."""
    clipped = np.clip(p, _EDGE, 1.0 - _EDGE)
    return cast(F64, np.log(clipped) - np.log1p(-clipped))


def threshold_utility(probabilities: F64, thresholds: F64, temperature: float) -> F64:
    """``u = exp(-|logit p - logit tau| / s)``: 1 at the operating threshold, falling off on both sides."""
    return cast(F64, np.exp(-np.abs(logit(probabilities) - logit(thresholds)) / temperature))


def disagreement_utility(bald: F64) -> F64:
    """``bald / ln 2``, in [0, 1]: 1 where one half of a committee is sure of yes and the other of no."""
    return cast(F64, np.minimum(bald / np.log(2), 1.0))


def find_strategy(name: str) -> Strategy:
    """The strategy of that name. Raises BadPlan naming the known ones."""
    if name not in STRATEGIES:
        raise BadPlan(f"strategy: {name!r} is unknown (known: {', '.join(STRATEGIES)})")
    module, function = STRATEGIES[name].split(":")
    return cast(Strategy, getattr(importlib.import_module(module), function))
