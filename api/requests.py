"""Requests as jobs keep them: plain JSON, completed from the settings, so that a job means the same after a restart."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from configs.scorer_files import is_committee
from configs.settings import Settings
from labeling.errors import InvalidInput
from labeling.policies import Policies
from labeling.round_plan import RoundRequest, check_frame, check_request
from selection.strategies.registry import DISAGREEMENT
from selection.types import Quota

if TYPE_CHECKING:
    from api.composition import Goldfold

Json = dict[str, Any]
AUTO = "auto"  # for lanes: shares by what they brought before, starting from the settings


def score_request(max_items: int | None) -> Json:
    """A score job's request: all items, or ``max_items`` of them."""
    return {} if max_items is None else {"max_items": max_items}


def round_request(settings: Settings, given: Mapping[str, Any]) -> Json:
    """A round job's request: what was given, and the settings for what was not (None).

    The seed, when none is given, comes from the round's id: rounds under one seed would draw in one order, and their
    probabilities would not be apart from each other's."""
    defaults: Json = {
        "budget": settings.budget,
        "seed": int.from_bytes(sha256(str(given["round_id"]).encode()).digest()[:4]),
        "lanes": dict(settings.lanes),
        "policies": [],
        "strategy": "auto",
        "overlap": settings.overlap,
        "risk_floor": settings.risk_floor,
        "duplicate_cosine": settings.duplicate_cosine,
        "quotas": [],
    }
    request = {**defaults, **{key: value for key, value in given.items() if value is not None}}
    if request["lanes"] == AUTO:
        request |= {"lanes": dict(settings.lanes), "retune": True}
    if request.get("assisted"):
        request = {"assisted_blind_share": settings.assisted_blind_share, **request}
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


def check_round_here(goldfold: Goldfold, request: Mapping[str, Any]) -> None:
    """The same for what this installation's scorer and items cannot give. Raises SettingsError, InvalidInput,
    NothingToDo, BudgetTooLarge."""
    images = goldfold.image_frame()
    judged = goldfold.judged() | images.policies
    bare = sorted(set(request["policies"] or goldfold.policies) - judged)
    if bare:
        raise InvalidInput(
            f"policies: {', '.join(bare)}: the scorer {goldfold.settings.scorer} does not judge it: ask only for "
            f"{', '.join(sorted(judged))}, or give a label of the model that meaning"
        )
    if request["strategy"] == DISAGREEMENT:
        _check_committee(goldfold.settings)
    check_frame(goldfold.ledger, goldfold.lake, goldfold.policies, typed_round(request), images)


def _check_committee(settings: Settings) -> None:
    if not is_committee(settings.scorer) or settings.cascade is not None:
        raise InvalidInput(
            "strategy: disagreement needs a scorer file of kind ensemble or mc-dropout and no cascade, but the setting "
            f"scorer is {settings.scorer} and cascade is {settings.cascade or 'none'}: change them, or choose another "
            "strategy"
        )
