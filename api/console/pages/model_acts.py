"""What is done with models: judge, calibrate, put before the gate, promote, roll back, archive. Each shows first what
it would come to.
"""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from api.console.page import Ask, EngineerAsk, LeadAsk, Page
from api.console.pages.model_parts import about, address, chosen, judging_version, newest_verdict
from api.console.pages.model_words import told_verdict
from api.console.pages.models import labelled_first, worth
from api.ids import new_id
from api.jobs.rescoring import begin_rescore
from labeling.errors import Conflict
from labeling.judging.contender import family_of
from labeling.judging.promotion import needs_gate
from labeling.model_records import Model, ModelState
from labeling.training import newest_version

router = APIRouter(prefix="/models")


class WhyIn(BaseModel):
    """Why; kept in the audit."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=1000)


class PromotionIn(BaseModel):
    """``reason``: to do without a passing verdict of the gate; left out: with one, where it is needed."""

    model_config = ConfigDict(extra="forbid")

    reason: str | None = Field(None, max_length=1000)


@router.post("/{model_id}/evaluate")
def evaluate(ask: EngineerAsk, model_id: str) -> Response:
    """Judge a model on dev, by the golden version that its pages have too, and keep what is found."""
    version = judging_version(ask, ask.goldfold.ledger.models.get(model_id), "")
    ask.goldfold.evaluate(model_id, version)
    return ask.back(address(model_id), f"Judged anew on golden {version}; the figures below are kept with the model.")


@router.get("/{model_id}/calibrate")
def look_at_calibration(ask: EngineerAsk, model_id: str, policy: str = "") -> Response:
    """What a calibration would be worth; it is not in force."""
    model = ask.goldfold.ledger.models.get(model_id)
    found = ask.kept(("calibration", model_id), lambda: ask.goldfold.calibrate(model_id, actor=ask.actor, dry_run=True))
    policies = [] if found.value is None else labelled_first(found.value["policies"])
    policy = chosen(policy, policies)
    told = None if found.value is None else found.value["policies"].get(policy)
    data = {**about(ask, model), "found": found, "policies": policies, "policy": policy, "told": told}
    return ask.show(Page(f"Calibrate {model_id}", "model_calibrate.html", data, charts=worth(policy, told)))


@router.post("/{model_id}/calibrate")
def calibrate(ask: EngineerAsk, model_id: str) -> Response:
    """Put it in force."""
    made = ask.goldfold.calibrate(model_id, actor=ask.actor)
    return ask.back(address(model_id, "/calibration"), f"Calibration {made['version']} is in force.")


@router.get("/{model_id}/gate")
def look_at_gate(ask: LeadAsk, model_id: str) -> Response:
    """Whom it would meet, on which version, and what of the sealed budget is left."""
    goldfold = ask.goldfold
    model = goldfold.ledger.models.get(model_id)
    version, family = newest_version(goldfold.ledger.golden), family_of(model)
    champion = goldfold.ledger.models.champion(model.modality)
    data = {
        **about(ask, model),
        "champion": None if champion is None else champion.model_id,
        "golden_version": version,
        "family": family,
        "spent": goldfold.ledger.sealed.spent(family, version),
        "budget": goldfold.settings.sealed_budget,
    }
    return ask.show(Page(f"{model_id} before the gate", "model_before_gate.html", data))


@router.post("/{model_id}/gate")
def rule(ask: LeadAsk, model_id: str) -> Response:
    """Rule on it against the champion, on sealed gold."""
    told = ask.goldfold.gate(model_id, ask.actor)
    again = " It is the verdict of before, and cost nothing." if told["is_repeat"] else ""
    return ask.back(f"/console/models/gates/{told['gate_id']}", f"The gate says: {told['verdict']}.{again}")


@router.get("/{model_id}/promote")
def look_at_promotion(ask: LeadAsk, model_id: str) -> Response:
    """Whom it would replace, what would be scored anew, and what the gate said of the two."""
    goldfold = ask.goldfold
    model = goldfold.ledger.models.get(model_id)
    champion = goldfold.ledger.models.champion(model.modality)
    row = newest_verdict(ask, model_id, None if champion is None else champion.model_id)
    data = {
        **about(ask, model),
        "champion": None if champion is None else champion.model_id,
        "needs_gate": needs_gate(goldfold.ledger, goldfold.settings.gate_needed, None, model.modality),
        "verdict": None if row is None else told_verdict(row.gate_id, row.body),
        "items": ask.kept("items.count", goldfold.ledger.items.count),
    }
    return ask.show(Page(f"Promote {model_id}", "model_promote.html", data))


@router.post("/{model_id}/promote")
def promote(ask: LeadAsk, model_id: str) -> Response:
    """Make it the champion, and begin the job that scores every item with it."""
    given, job_id = ask.typed(PromotionIn), new_id("rescore")
    model = ask.goldfold.promote(model_id, ask.actor, given.reason, rescore=job_id)
    return _crowned(ask, model, job_id)


@router.post("/{model_id}/rollback")
def roll_back(ask: LeadAsk, model_id: str) -> Response:
    """Bring back the champion before this one, which must still be the champion."""
    given, job_id = ask.typed(WhyIn), new_id("rescore")
    model = ask.goldfold.ledger.models.get(model_id)
    if model.state is not ModelState.CHAMPION:
        raise Conflict(f"model {model_id!r} is {model.state} by now, not champion: look again at which model is")
    back = ask.goldfold.rollback(ask.actor, given.reason, model.modality, rescore=job_id)
    return _crowned(ask, back, job_id)


@router.post("/{model_id}/archive")
def archive(ask: LeadAsk, model_id: str) -> Response:
    """Put a candidate or a challenger away."""
    model = ask.goldfold.ledger.models.move(model_id, ModelState.ARCHIVED, ask.actor, ask.typed(WhyIn).reason)
    return ask.back(address(model_id), f"Model {model.model_id} is archived.")


def _crowned(ask: Ask, model: Model, job_id: str) -> Response:
    job = begin_rescore(ask.goldfold, ask.jobs.submit, model.model_id, job_id)
    said = f"Model {model.model_id} is the champion; job {job.job_id} scores every item with it."
    return ask.back(address(model.model_id), said)
