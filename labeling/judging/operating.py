"""Where a model draws the line: its own thresholds where they were set, else those of the policies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labeling.model_records import Model
from labeling.policies import Policies
from labeling.training import calibration_version

THRESHOLDS = "thresholds"  # the key of a model's metrics that says where it draws the line, by policy


def own_thresholds(model: Model) -> Mapping[str, Mapping[str, Any]]:
    """What was set for a model, by policy, with the bound it rests on. A threshold holds for the probabilities that it
    was set on: under another calibration than that of now it is no threshold any more."""
    recorded = model.metrics.get(THRESHOLDS)
    told = recorded if isinstance(recorded, dict) else {}
    return {p: one for p, one in told.items() if one["calibration_version"] == calibration_version(model)}


def operating_thresholds(model: Model | None, policies: Policies) -> dict[str, float]:
    """Policy to the probability from which it is acted on; without a model, as the policies say."""
    own = {} if model is None else own_thresholds(model)
    return {name: float(own[name]["threshold"]) if name in own else p.threshold for name, p in policies.items()}


def under(model: Model | None, policies: Policies) -> Policies:
    """The policies with the thresholds that a model operates at."""
    taus = operating_thresholds(model, policies)
    return {name: policy.model_copy(update={"threshold": taus[name]}) for name, policy in policies.items()}
