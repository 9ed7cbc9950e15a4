"""Where a model draws the line: what each threshold misses and costs, and setting one after a look at it:
/console/models/{model_id}/thresholds.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query
from fastapi.responses import Response

from api.console.charts import Chart
from api.console.formats import policy as policy_words
from api.console.kept import Kept
from api.console.page import Ask, LeadAsk, Page, ViewerAsk
from api.console.pages.model_parts import about, address, chosen, judged, judging_version, lines_of, policies_of, whole
from api.console.pages.model_sweep import live, shown, sweep, told_at
from api.routes.models import ThresholdIn
from labeling.judging.operating import operating_thresholds, own_thresholds
from labeling.quality.ranking import point_at

router = APIRouter(prefix="/models")
Json = dict[str, Any]


@router.get("/{model_id}/thresholds")
def thresholds(
    ask: ViewerAsk,
    model_id: str,
    policy: str = "",
    at: Annotated[float | None, Query(ge=0, le=1, allow_inf_nan=False)] = None,
    golden: str = "",
) -> Response:
    """What a threshold would miss and cost on dev gold; ``at``: where the slider stands."""
    model = ask.goldfold.ledger.models.get(model_id)
    version = judging_version(ask, model, golden)
    found = judged(ask, model, version)
    policies = policies_of(found)
    policy = chosen(policy, policies)
    lines, now = lines_of(found, policy), operating_thresholds(model, ask.goldfold.policies).get(policy)
    at = at if at is not None else now if now is not None else 0.5
    all_rows = whole(found, policy)
    point, told, points, charts, drawn = None, None, list[Json](), list[Chart](), None
    if lines is not None and all_rows is not None:
        taus, key = lines["thresholds"], (model.model_id, version, policy, found.at)
        point = point_at(taus, at)
        told = told_at(point, all_rows)
        drawn = ask.kept(("sweep", *key), lambda: (live(taus, all_rows), sweep(policy, taus, all_rows)))
        marks = [(at, "here"), *([] if now in (None, at) else [(now, "now")])]
        if drawn.value is not None:
            points, charts = drawn.value[0], [replace(drawn.value[1], marks=marks)]
    data = {
        **about(ask, model, version),
        "judged": found,
        "asked": {"policy": policy, "at": at, "golden": version},
        "policies": policies,
        "whole": all_rows,
        "now": now,
        "own": own_thresholds(model).get(policy),
        "point": point,
        "told": told,
        "shown": shown(point, told) if told else None,
        "points": points,
        "drawn": None if drawn is None else Kept(None if drawn.value is None else True, drawn.at, drawn.error),
    }
    return ask.show(Page(f"Model {model_id}: thresholds", "model_thresholds.html", data, charts=charts))


@router.get("/{model_id}/line")
def look(
    ask: LeadAsk,
    model_id: str,
    policy: str,
    miss_rate: Annotated[float | None, Query(gt=0, lt=1)] = None,
    precision: Annotated[float | None, Query(gt=0, lt=1)] = None,
) -> Response:
    """Where the line would be drawn for a target, and what that rests on; nothing is written."""
    given = ThresholdIn(policy=policy, miss_rate=miss_rate, precision=precision, dry_run=True)
    model = ask.goldfold.ledger.models.get(model_id)
    data = {
        **about(ask, model),
        "policy": policy,
        "target": {"miss_rate": miss_rate, "precision": precision},
        "line": ask.kept(("line", model_id, policy, miss_rate, precision), lambda: _drawn(ask, model_id, given)),
        "now": operating_thresholds(model, ask.goldfold.policies).get(policy),
    }
    return ask.show(Page(f"Model {model_id}: the line for {policy_words(policy)}", "model_line.html", data))


@router.post("/{model_id}/line")
def draw(ask: LeadAsk, model_id: str) -> Response:
    """Draw the line there; with no target the policy's own threshold holds again."""
    given = ask.typed(ThresholdIn)
    told = _drawn(ask, model_id, given)
    said = f"From now on {model_id} draws the line for {given.policy} at {told['threshold']:.3f}."
    return ask.back(address(model_id, f"/thresholds?policy={quote(given.policy)}"), said)


def _drawn(ask: Ask, model_id: str, given: ThresholdIn) -> dict[str, Any]:
    wanted, version = given.wanted(), given.golden_version or ""
    return ask.goldfold.threshold(model_id, given.policy, wanted, ask.actor, version, dry_run=given.dry_run)
