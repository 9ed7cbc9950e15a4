"""Requests as jobs keep them: plain JSON, completed from the settings, so that a job means the same after a restart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from configs.settings import Settings
from labeling.policies import Policies
from labeling.rounds import RoundRequest, check_request
from selection.types import Quota

Json = dict[str, Any]


def round_request(settings: Settings, given: Mapping[str, Any]) -> Json:
    """A round job's request: what was given, and the settings for what was not (None)."""
    defaults: Json = {
        "budget": settings.budget,
        "seed": 0,
        "lanes": dict(settings.lanes),
        "policies": [],
        "strategy": "threshold",
        "overlap": settings.overlap,
        "risk_floor": settings.risk_floor,
        "duplicate_cosine": settings.duplicate_cosine,
        "quotas": [],
    }
    request = {**defaults, **{key: value for key, value in given.items() if value is not None}}
    request["lanes"] = {name: share for name, share in request["lanes"].items() if share != 0}
    return request


def typed_round(request: Mapping[str, Any]) -> RoundRequest:
    """The typed form of a round job's request."""
    known = {**request, "policies": tuple(request["policies"])}
    known["quotas"] = tuple(Quota(**quota) for quota in request["quotas"])
    return RoundRequest(**known)


def check_round(policies: Policies, request: Mapping[str, Any]) -> None:
    """Raises InvalidInput or BadPlan for a request that no frame could make good: before a job takes its id."""
    check_request(typed_round(request), policies)
