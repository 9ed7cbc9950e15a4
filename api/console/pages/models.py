"""Models: what there is, what gold says of each, which of two is better where, and what the gate ruled:
/console/models. What is done with them is in ``model_acts``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from api.console.actors import unnamed
from api.console.charts import Chart, Series
from api.console.formats import policy as policy_words
from api.console.kept import Kept
from api.console.page import Ask, Page, ViewerAsk
from api.console.pages.model_parts import (
    SHOWN,
    about,
    chosen,
    has_passed,
    judged,
    judging_version,
    lines_of,
    newest_verdict,
    policies_of,
    precision_recall,
    reliability,
    whole,
)
from api.console.pages.model_words import reason_words, slice_words, told_verdict, values_in_words
from api.routes.models import ModelOut
from labeling.artefacts import kind_of
from labeling.figures import ORIGIN
from labeling.judging.beside import beside
from labeling.judging.gate import right_shares
from labeling.judging.operating import own_thresholds
from labeling.judging.promotion import champion_before
from labeling.model_records import GateRow, Model, ModelState
from labeling.training import CALIBRATION, calibration_version

router = APIRouter(prefix="/models")
DIMENSIONS = ("language", "severity", "lane", "market", "modality")
PAIRED = ("auprc", "precision", "recall")  # figures of both sides that a comparison shows


@router.get("")
def all_models(ask: ViewerAsk, skip: int = 0) -> Response:
    """Every model, champions first, then the newest; with what gold and the gate said of each, and the newest
    verdicts."""
    ledger = ask.goldfold.ledger
    models = ledger.models.all()[::-1]
    models.sort(key=lambda model: model.state is not ModelState.CHAMPION)
    start = max(skip, 0)
    listed = [_line(ask, model) for model in models[start : start + SHOWN]]
    data = {
        "models": listed,
        "policies": sorted({policy for each in listed for policy in each["recall"]}),
        "all": len(models),
        "skip": start,
        "shown": SHOWN,
        "verdicts": [_verdict(row) for row in reversed(ledger.gates.all()[-SHOWN:])],
    }
    return ask.show(Page("Models", "models.html", data))


@router.get("/gates/{gate_id}")
def one_verdict(ask: ViewerAsk, gate_id: str) -> Response:
    """A verdict of the gate with its slices."""
    row = ask.goldfold.ledger.gates.get(gate_id)
    body: Any = unnamed(ask, row.body)
    told = told_verdict(gate_id, body)
    data = {
        "gate_id": gate_id,
        "hash": row.row_hash,
        "signed": bool(row.signature),
        "body": body,
        "reasons": [reason_words(each) for each in body["reasons"]],
        "slices": [_slice(one) for one in body["slices"]],
    }
    return ask.show(Page(told["title"], "model_gate.html", data))


@router.get("/{model_id}")
def one_model(ask: ViewerAsk, model_id: str) -> Response:
    """One model: its state, what its last evaluation found, what the gate ruled, and every move it made."""
    ledger = ask.goldfold.ledger
    model = ledger.models.get(model_id)
    is_champion = model.state is ModelState.CHAMPION
    evaluation: Any = ModelOut.of(model).metrics
    verdicts = [_verdict(row) for row in reversed(ledger.gates.all()) if _is_of(row, model_id)][:SHOWN]
    data = {
        **about(ask, model, str(evaluation.get("golden_version", ""))),
        "kind": kind_of(model),
        "evaluation": evaluation,
        "judging": judging_version(ask, model, ""),
        "passed": has_passed(ask, model),
        "own": own_thresholds(model),
        "calibration": calibration_version(model),
        "verdicts": verdicts,
        "history": [unnamed(ask, asdict(event)) for event in reversed(ledger.models.history(model_id))],
        "before": champion_before(ledger.models, model.modality) if is_champion else None,
    }
    return ask.show(Page(f"Model {model_id}", "model.html", data))


@router.get("/{model_id}/slices")
def slices(ask: ViewerAsk, model_id: str, policy: str = "", dimension: str = "language", golden: str = "") -> Response:
    """What dev gold says of a model, slice by slice."""
    model = ask.goldfold.ledger.models.get(model_id)
    version = judging_version(ask, model, golden)
    found = judged(ask, model, version)
    policies = policies_of(found)
    policy = chosen(policy, policies)
    told = [] if found.value is None else found.value["slices"]
    mine = [one for one in told if (one["policy"], one["dimension"]) == (policy, dimension)]
    data = {
        **about(ask, model, version),
        "judged": found,
        "asked": {"policy": policy, "dimension": dimension, "golden": version},
        "policies": policies,
        "dimensions": DIMENSIONS,
        "whole": whole(found, policy),
        "slices": mine,
        "names": values_in_words(dimension, mine),
        "passed": None if found.value is None else {name: found.value[name] for name in ("left_out", "unread")},
    }
    return ask.show(Page(f"Model {model_id}: slices", "model_slices.html", data))


@router.get("/{model_id}/curves")
def curves(ask: ViewerAsk, model_id: str, policy: str = "", golden: str = "") -> Response:
    """Precision and recall, and whether its probabilities mean what they say."""
    model = ask.goldfold.ledger.models.get(model_id)
    version = judging_version(ask, model, golden)
    found = judged(ask, model, version)
    policies = policies_of(found)
    policy = chosen(policy, policies)
    lines, all_rows, charts = lines_of(found, policy), whole(found, policy), list[Chart]()
    if lines is not None and all_rows is not None:
        bins = {policy_words(policy): lines["reliability"]}
        charts = [
            precision_recall(policy, lines["pr"], all_rows),
            reliability("reliability", f"{policy_words(policy)}: reliability", bins),
        ]
    data = {
        **about(ask, model, version),
        "judged": found,
        "asked": {"policy": policy, "golden": version},
        "policies": policies,
        "whole": all_rows,
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
    charts = [] if found.value is None else _moved(found.value["policies"])
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
    version = judging_version(ask, model, golden)
    found = _side_by_side(ask, model, other, version) if other else None
    told = [] if found is None or found.value is None else found.value["slices"]
    policies = sorted({one["policy"] for one in told})
    policy = chosen(policy, policies)
    mine = [one for one in told if (one["policy"], one["dimension"]) == (policy, dimension)]
    data = {
        **about(ask, model, version),
        "found": found,
        "asked": {"other": other, "policy": policy, "dimension": dimension, "golden": version},
        "rivals": rivals,
        "policies": policies,
        "dimensions": DIMENSIONS,
        "figures": PAIRED,
        "whole": [one for one in told if (one["policy"], one["dimension"]) == (policy, "all")],
        "slices": mine,
        "names": values_in_words(dimension, mine),
    }
    return ask.show(Page(f"{model_id} beside {other or 'another'}", "model_beside.html", data))


def worth(policy: str, told: Any) -> list[Chart]:
    """A calibration's reliability before and after; nothing where there was too little to fit it."""
    if not told or "before" not in told:
        return []
    lines = {
        side: [each | {"mean": each["said"]} for each in told[side]["reliability"]] for side in ("before", "after")
    }
    title = f"{policy_words(policy)}: reliability before and after"
    return [reliability("calibration", title, lines)]


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


def _line(ask: Ask, model: Model) -> dict[str, Any]:
    """What the list says of a model: recall by policy as its last evaluation found it, and the newest verdict."""
    told = {name: getattr(model, name) for name in ("model_id", "state", "modality", "created_at", "promoted_at")}
    evaluation: Any = model.metrics.get("policies") or {}
    row = newest_verdict(ask, model.model_id)
    return told | {
        "judged_on": model.metrics.get("golden_version", ""),
        "recall": {policy: one["recall"] for policy, one in sorted(evaluation.items()) if one["n"]},
        "verdict": None if row is None else _verdict(row),
    }


def _verdict(row: GateRow) -> dict[str, Any]:
    return told_verdict(row.gate_id, row.body)


def _slice(one: dict[str, Any]) -> dict[str, Any]:
    """A slice of a verdict in words, with the share that each side is right about as a figure."""
    difference = one.get("difference") or {}
    origin = {name: difference.get(name) for name in ORIGIN}
    sides = {side: figure.as_dict() | origin for side, figure in right_shares(one).items()}
    return one | {"title": slice_words(one["name"]), "sides": sides}


def _is_of(row: GateRow, model_id: str) -> bool:
    body: Any = row.body
    return model_id in (body["challenger"]["model_id"], body["champion"]["model_id"])


def _moved(policies: Any) -> list[Chart]:
    """Nothing where no window is large enough to tell."""
    if all(cells["all"]["psi"] is None for cells in policies.values()):
        return []
    names = sorted(policies)
    cells = [policies[name]["all"] for name in names]
    said = [policy_words(name) for name in names]
    notes = [f"n {cell['n_reference']:,} then, {cell['n_current']:,} since" for cell in cells]
    drawn = [
        Series("PSI", said, [cell["psi"] for cell in cells]),
        Series("noise of windows this size", said, [cell["psi_noise"] for cell in cells], reference=True),
    ]
    caption = "; ".join(f"{name}: {note}" for name, note in zip(said, notes, strict=True)) + "."
    title = "Population stability index by policy"
    return [Chart("drift", title, "bar", "policy", "PSI", drawn, caption=caption)]
