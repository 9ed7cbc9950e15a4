"""Models: what there is, what gold says of each, which of two is better where, and what the gate ruled:
/console/models. What is done with them is in ``model_acts``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from api.console.charts import Chart, Series
from api.console.kept import Kept
from api.console.page import Ask, Page, ViewerAsk
from api.console.pages.model_parts import (
    SHOWN,
    about,
    chosen,
    judged,
    lines_of,
    policies_of,
    precision_recall,
    reliability,
    rests,
    whole,
)
from api.routes.models import ModelOut
from labeling.artefacts import kind_of
from labeling.judging.beside import beside
from labeling.judging.operating import own_thresholds
from labeling.judging.promotion import champion_before
from labeling.model_records import GateRow, Model, ModelState
from labeling.training import CALIBRATION, calibration_version, newest_version

router = APIRouter(prefix="/models")
DIMENSIONS = ("language", "severity", "lane", "market", "modality")
PAIRED = ("auprc", "precision", "recall")  # figures of both sides that a comparison shows


@router.get("")
def all_models(ask: ViewerAsk, skip: int = 0) -> Response:
    """Every model, the newest first, and the gate's verdicts."""
    ledger = ask.goldfold.ledger
    models = list(reversed(ledger.models.all()))
    start = max(skip, 0)
    data = {
        "models": [_line(model) for model in models[start : start + SHOWN]],
        "all": len(models),
        "skip": start,
        "shown": SHOWN,
        "names": [model.model_id for model in models],
        "champion": next((model.model_id for model in models if model.state is ModelState.CHAMPION), ""),
        "verdicts": [_verdict(row) for row in reversed(ledger.gates.all()[-SHOWN:])],
    }
    return ask.show(Page("Models", "models.html", data))


@router.get("/gates/{gate_id}")
def one_verdict(ask: ViewerAsk, gate_id: str) -> Response:
    """A verdict of the gate with its slices."""
    row = ask.goldfold.ledger.gates.get(gate_id)
    return ask.show(Page(f"Verdict {gate_id}", "model_gate.html", {"row": row, "body": row.body}))


@router.get("/{model_id}")
def one_model(ask: ViewerAsk, model_id: str) -> Response:
    """One model: its state, what its last evaluation found, what the gate ruled, and every move it made."""
    ledger = ask.goldfold.ledger
    model = ledger.models.get(model_id)
    is_champion = model.state is ModelState.CHAMPION
    data = {
        **about(ask, model),
        "kind": kind_of(model),
        "evaluation": ModelOut.of(model).metrics,
        "own": own_thresholds(model),
        "calibration": calibration_version(model),
        "verdicts": [_verdict(row) for row in reversed(ledger.gates.all()) if _is_of(row, model_id)][:SHOWN],
        "history": [asdict(event) for event in reversed(ledger.models.history(model_id))],
        "before": champion_before(ledger.models, model.modality) if is_champion else None,
    }
    return ask.show(Page(f"Model {model_id}", "model.html", data))


@router.get("/{model_id}/slices")
def slices(ask: ViewerAsk, model_id: str, policy: str = "", dimension: str = "language", golden: str = "") -> Response:
    """What dev gold says of a model, slice by slice."""
    model = ask.goldfold.ledger.models.get(model_id)
    found = judged(ask, model, golden)
    policies = policies_of(found)
    policy = chosen(policy, policies)
    told = [] if found.value is None else found.value["slices"]
    data = {
        **about(ask, model),
        "judged": found,
        "asked": {"policy": policy, "dimension": dimension, "golden": golden or model.golden_version},
        "policies": policies,
        "dimensions": DIMENSIONS,
        "whole": whole(found, policy),
        "slices": [one for one in told if (one["policy"], one["dimension"]) == (policy, dimension)],
        "passed": None if found.value is None else {name: found.value[name] for name in ("left_out", "unread")},
    }
    return ask.show(Page(f"Model {model_id}: slices", "model_slices.html", data))


@router.get("/{model_id}/curves")
def curves(ask: ViewerAsk, model_id: str, policy: str = "", golden: str = "") -> Response:
    """Precision and recall, and whether its probabilities mean what they say."""
    model = ask.goldfold.ledger.models.get(model_id)
    found = judged(ask, model, golden)
    policies = policies_of(found)
    policy = chosen(policy, policies)
    lines, charts = lines_of(found, policy), list[Chart]()
    if lines is not None:
        bins = {policy: lines["reliability"]}
        drawn = precision_recall(policy, lines["pr"]), reliability("reliability", f"{policy}: reliability", bins)
        charts = [replace(each, basis=rests(whole(found, policy))) for each in drawn]
    data = {
        **about(ask, model),
        "judged": found,
        "asked": {"policy": policy, "golden": golden or model.golden_version},
        "policies": policies,
        "whole": whole(found, policy),
    }
    return ask.show(Page(f"Model {model_id}: curves", "model_curves.html", data, charts=charts))


@router.get("/{model_id}/calibration")
def calibration(ask: ViewerAsk, model_id: str, policy: str = "") -> Response:
    """The calibration in force, and what it was worth."""
    model = ask.goldfold.ledger.models.get(model_id)
    made: Any = model.metrics.get(CALIBRATION)
    policies = labelled_first(made["policies"]) if made else []
    policy = chosen(policy, policies)
    told = made["policies"].get(policy) if made else None
    data = {**about(ask, model), "calibration": made, "policies": policies, "policy": policy, "told": told}
    return ask.show(Page(f"Model {model_id}: calibration", "model_calibration.html", data, charts=worth(policy, told)))


@router.get("/{model_id}/drift")
def drift(ask: ViewerAsk, model_id: str) -> Response:
    """How far its scores have moved since it was promoted."""
    model = ask.goldfold.ledger.models.get(model_id)
    found = ask.kept(("drift", model_id), lambda: ask.goldfold.drift(model_id))
    charts = [] if found.value is None else [_moved(found.value["policies"])]
    return ask.show(
        Page(f"Model {model_id}: drift", "model_drift.html", {**about(ask, model), "drift": found}, charts=charts)
    )


@router.get("/{model_id}/beside")
def two_models(
    ask: ViewerAsk, model_id: str, other: str = "", policy: str = "", dimension: str = "language", golden: str = ""
) -> Response:
    """A model and another (the champion where none is named) on the same dev items, slice by slice."""
    ledger = ask.goldfold.ledger
    model = ledger.models.get(model_id)
    champion = ledger.models.champion(model.modality)
    rivals = [each.model_id for each in ledger.models.all() if each.modality == model.modality]
    rivals = [name for name in reversed(rivals) if name != model_id]
    if not other and champion is not None and champion.model_id != model_id:
        other = champion.model_id
    other = other or next(iter(rivals), "")
    version = golden or newest_version(ledger.golden)
    found = _side_by_side(ask, model, other, version) if other else None
    told = [] if found is None or found.value is None else found.value["slices"]
    policies = sorted({one["policy"] for one in told})
    policy = chosen(policy, policies)
    data = {
        **about(ask, model),
        "found": found,
        "asked": {"other": other, "policy": policy, "dimension": dimension, "golden": version},
        "rivals": rivals,
        "policies": policies,
        "dimensions": DIMENSIONS,
        "figures": PAIRED,
        "whole": [one for one in told if (one["policy"], one["dimension"]) == (policy, "all")],
        "slices": [one for one in told if (one["policy"], one["dimension"]) == (policy, dimension)],
    }
    return ask.show(Page(f"{model_id} beside {other or 'another'}", "model_beside.html", data))


def worth(policy: str, told: Any) -> list[Chart]:
    """A calibration's reliability before and after; nothing where there was too little to fit it."""
    if not told or "before" not in told:
        return []
    lines = {
        side: [each | {"mean": each["said"]} for each in told[side]["reliability"]] for side in ("before", "after")
    }
    return [reliability("calibration", f"{policy}: reliability before and after", lines)]


def labelled_first(policies: Mapping[str, Any]) -> list[str]:
    """Policies by name, those with labels to calibrate by before the others."""
    return sorted(policies, key=lambda name: (not policies[name]["n"], name))


def _side_by_side(ask: Ask, model: Model, other: str, version: str) -> Kept[Any]:
    goldfold = ask.goldfold
    rival = goldfold.ledger.models.get(other)

    def compute() -> Any:
        first, second = goldfold.contender(model, model.modality), goldfold.contender(rival, rival.modality)
        return beside(goldfold.ledger.golden, goldfold.lake, first, second, version)

    return ask.kept(("beside", model.model_id, other, version), compute)


def _line(model: Model) -> dict[str, Any]:
    calibrated = calibration_version(model)
    names = ("model_id", "version", "golden_version", "state", "modality", "created_at", "promoted_at")
    told = {name: getattr(model, name) for name in names}
    evaluation: Any = model.metrics.get("policies") or {}
    return told | {
        "kind": kind_of(model),
        "calibration": calibrated,
        "own": len(own_thresholds(model)),
        "judged": sum(bool(one["n"]) for one in evaluation.values()),
    }


def _verdict(row: GateRow) -> dict[str, Any]:
    body: Any = row.body
    told = {name: body[name] for name in ("verdict", "needed", "n", "at", "reasons")}
    sides = {side: body[side]["model_id"] for side in ("challenger", "champion")}
    return {"gate_id": row.gate_id, **told, **sides, "golden_version": body["golden"]["version"]}


def _is_of(row: GateRow, model_id: str) -> bool:
    body: Any = row.body
    return model_id in (body["challenger"]["model_id"], body["champion"]["model_id"])


def _moved(policies: Any) -> Chart:
    names = sorted(policies)
    cells = [policies[name]["all"] for name in names]
    drawn = [
        Series("PSI", names, [cell["psi"] for cell in cells]),
        Series("noise of windows this size", names, [cell["psi_noise"] for cell in cells], reference=True),
    ]
    return Chart("drift", "Population stability index by policy", "bar", "policy", "PSI", drawn)
