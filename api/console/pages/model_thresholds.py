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
from api.console.page import Ask, LeadAsk, Page, ViewerAsk
from api.console.pages.model_parts import about, address, chosen, judged, lines_of, policies_of, rests, sweep, whole
from api.routes.models import ThresholdIn
from labeling.judging.operating import operating_thresholds, own_thresholds
from labeling.quality.ranking import point_at

router = APIRouter(prefix="/models")


@router.get("/{model_id}/thresholds")
def thresholds(ask: ViewerAsk, model_id: str, policy: str = "", at: float | None = None, golden: str = "") -> Response:
    """What a threshold would miss and cost on dev gold; ``at``: where the slider stands."""
    model = ask.goldfold.ledger.models.get(model_id)
    found = judged(ask, model, golden)
    policies = policies_of(found)
    policy = chosen(policy, policies)
    lines, now = lines_of(found, policy), operating_thresholds(model, ask.goldfold.policies).get(policy)
    at = at if at is not None else now if now is not None else 0.5
    point, charts = None, list[Chart]()
    if lines is not None:
        point = point_at(lines["thresholds"], at)
        marks = [(at, "here"), *([] if now in (None, at) else [(now, "now")])]
        charts = [replace(sweep(policy, lines["thresholds"], marks), basis=rests(whole(found, policy)))]
    data = {
        **about(ask, model),
        "judged": found,
        "asked": {"policy": policy, "at": at, "golden": golden or model.golden_version},
        "policies": policies,
        "whole": whole(found, policy),
        "now": now,
        "own": own_thresholds(model).get(policy),
        "point": point,
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
    return ask.show(Page(f"Model {model_id}: the line for {policy}", "model_line.html", data))


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
