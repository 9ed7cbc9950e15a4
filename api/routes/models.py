"""Models: /v1/models. Train a candidate, judge it, promote it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Depends, Request, status
from pydantic import BaseModel, ConfigDict, Field

from api.auth import Engineer, Lead, Role, require
from api.composition import Goldfold
from api.finetune_request import finetune_request
from api.ids import JOB_ID, new_id
from api.jobs.rescoring import begin_rescore
from api.jobs.runtime import JobRuntime
from api.metrics import Metrics
from api.problems import documented
from api.routes.jobs import JobOut
from api.routes.judged import CalibrationOut, JudgedOut, ThresholdOut, VerdictOut
from api.routes.state import TheGoldfold, TheJobs
from labeling.artefacts import kind_of
from labeling.drift import REFERENCE
from labeling.judging.thresholds import Wanted, wanted_of
from labeling.model_records import RESCORE, Model, ModelState
from labeling.training import newest_version

router = APIRouter(prefix="/v1/models", tags=["models"], responses=documented(404, 409))


class TrainIn(BaseModel):
    """What to train on; left out: the newest golden version, a new id."""

    model_config = ConfigDict(extra="forbid")

    model_id: str | None = Field(None, pattern=JOB_ID)
    golden_version: str | None = None
    seed: int = Field(0, ge=0, lt=2**32)
    modality: Literal["text", "image"] = Field("text", description="image: on what the image scorer sees.")


class FinetuneIn(BaseModel):
    """What to fine-tune, and how; left out: the newest golden version, a new id, and as `goldfold train finetune` has
    it. ``base``: a scorer file that comes with Goldfold, a hub id that is on the server, or "default"."""

    model_config = ConfigDict(extra="forbid")

    base: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?$", max_length=200)
    model_id: str | None = Field(None, pattern=JOB_ID)
    golden_version: str | None = None
    soft_labels: bool = False
    method: Literal["full", "lora"] = "full"
    epochs: int = Field(4, ge=1, le=100)
    learning_rate: float | None = Field(None, gt=0, le=1)
    step_tokens: int = Field(4096, ge=1, le=2**24)
    batch_tokens: int | None = Field(None, ge=1, le=2**24)
    max_tokens: int | None = Field(None, ge=3, le=2**20)
    patience: int = Field(3, ge=1)
    class_weights: Literal["balanced", "none"] = "balanced"
    lora_rank: int = Field(8, ge=1, le=1024)
    seed: int = Field(0, ge=0, lt=2**32)


class EvaluateIn(BaseModel):
    """Which version's dev partition judges; left out: the one the model was trained on."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"golden_version": "1.3.0"}})

    golden_version: str | None = None
    slices: list[str] = Field([], max_length=10, description="Fields of the items to cut by too, such as surface.")
    sealed: bool = False


class CalibrateIn(BaseModel):
    """Which version's calibration partition teaches (left out: the one the model was trained on), and how."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"method": "auto", "dry_run": True}})

    golden_version: str | None = None
    method: Literal["auto", "none", "temperature", "platt", "isotonic"] = "auto"
    dry_run: bool = False


class ModelOut(BaseModel):
    """A model. ``version`` is the hash of its weights."""

    model_id: str
    version: str
    kind: str = Field(description="head, or finetuned.")
    golden_version: str
    state: ModelState
    metrics: dict[str, Any] = Field(description="What the last evaluation found, and the calibration in force.")
    created_at: datetime | None
    promoted_at: datetime | None

    @classmethod
    def of(cls, model: Model) -> ModelOut:
        return cls(
            model_id=model.model_id,
            version=model.version,
            kind=kind_of(model),
            golden_version=model.golden_version,
            state=model.state,
            metrics={key: value for key, value in model.metrics.items() if key not in (REFERENCE, RESCORE)},
            created_at=model.created_at,
            promoted_at=model.promoted_at,
        )


class ThresholdIn(BaseModel):
    """``miss_rate``: the most that may be missed, or ``precision``: the least that what is flagged must hold; neither:
    the policy's own threshold."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"policy": "violence", "miss_rate": 0.05}})

    policy: str
    miss_rate: float | None = Field(None, gt=0, lt=1)
    precision: float | None = Field(None, gt=0, lt=1)
    golden_version: str | None = None
    dry_run: bool = False

    def wanted(self) -> Wanted | None:
        """Raises InvalidInput where both are given."""
        return wanted_of(self.miss_rate, self.precision)


class GateIn(BaseModel):
    """``champion``: the model to beat, left out: the champion of now, or the prototypes; ``golden_version``: left out,
    the newest."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"golden_version": "1.3.0"}})

    champion: str | None = None
    golden_version: str | None = None


class PromoteIn(BaseModel):
    """``without_gate``: the reason to promote it without a passing verdict, kept in the audit."""

    model_config = ConfigDict(extra="forbid")

    without_gate: str | None = Field(None, min_length=1, max_length=1000)


class ArchiveIn(BaseModel):
    """Why; kept in the audit."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"reason": "it misses threats in pt"}})

    reason: str = Field("", max_length=1000)


class RollbackIn(ArchiveIn):
    """Whose champion, and why."""

    modality: Literal["text", "image"] = Field("text", description="Of the items that the model reads.")


class PromotedOut(ModelOut):
    """The champion, and the job that scores every item with it."""

    rescore_job_id: str


class EventOut(BaseModel):
    """A move of a model. ``replaced``: the champion that went for it; ``gate_id``: the verdict that let it pass."""

    model_id: str
    kind: str
    before: ModelState
    after: ModelState
    replaced: str
    gate_id: str
    reason: str
    actor: str
    at: datetime


FINETUNE_EXAMPLE = {"model_id": "hate-8", "base": "default", "method": "lora", "soft_labels": True}
PROMOTE_EXAMPLE = {"without_gate": None}
ROLLBACK_EXAMPLE = {"reason": "it misses threats in pt"}
TRAIN_EXAMPLE = {"model_id": "hate-7", "golden_version": "1.2.0", "seed": 0}


@router.post("", status_code=status.HTTP_202_ACCEPTED, dependencies=[Depends(require(Role.ENGINEER))])
def start_training(
    goldfold: TheGoldfold, jobs: TheJobs, given: Annotated[TrainIn, Body(examples=[TRAIN_EXAMPLE])]
) -> JobOut:
    """Train a candidate on the train partition and judge it on dev. The job has the model's id."""
    version = given.golden_version or newest_version(goldfold.ledger.golden)
    model_id = given.model_id or new_id("model")
    request = {"model_id": model_id, "golden_version": version, "seed": given.seed}
    return JobOut.of(jobs.submit("train", model_id, request))


@router.post("/finetune", status_code=status.HTTP_202_ACCEPTED, dependencies=[Depends(require(Role.ENGINEER))])
def start_finetuning(
    goldfold: TheGoldfold, jobs: TheJobs, given: Annotated[FinetuneIn, Body(examples=[FINETUNE_EXAMPLE])]
) -> JobOut:
    """Fine-tune a candidate on the train partition and judge it on dev. The job has the model's id; its progress tells
    the newest loss and what dev said. Killed or cancelled, the same request goes on from the last checkpoint."""
    version = given.golden_version or newest_version(goldfold.ledger.golden)
    model_id = given.model_id or new_id("model")
    how = given.model_dump(exclude={"base", "model_id", "golden_version", "soft_labels"})
    request = finetune_request(model_id, version, given.base, soft=given.soft_labels, **how)
    return JobOut.of(jobs.submit("finetune", model_id, request))


@router.get("", dependencies=[Depends(require(Role.VIEWER))])
def list_models(goldfold: TheGoldfold) -> list[ModelOut]:
    """Every model, oldest first; at most one is champion."""
    return [ModelOut.of(model) for model in goldfold.ledger.models.all()]


@router.get("/{model_id}", dependencies=[Depends(require(Role.VIEWER))])
def get_model(goldfold: TheGoldfold, model_id: str) -> ModelOut:
    """One model."""
    return ModelOut.of(goldfold.ledger.models.get(model_id))


@router.post("/{model_id}/evaluate", response_model_exclude_unset=True)
def evaluate(goldfold: TheGoldfold, model_id: str, given: EvaluateIn, caller: Engineer) -> JudgedOut:
    """Judge a model on a dev partition: every figure with n, interval, licence, golden and policy version; by language,
    severity, lane, market, modality and the fields of `slices`; and the lines to draw. `sealed` asks the sealed
    partition instead, which tells slices alone and spends one question of the model's family."""
    version = given.golden_version or ""
    return JudgedOut.model_validate(
        goldfold.report(model_id, caller.key_id, version, given.slices, sealed=given.sealed)
    )


@router.post("/{model_id}/calibrate", response_model_exclude_unset=True)
def calibrate(goldfold: TheGoldfold, model_id: str, given: CalibrateIn, caller: Engineer) -> CalibrationOut:
    """Fit each policy's map on a calibration partition and put it in force: the champion scores with it from then on.
    The answer has ECE, Brier score and log loss before and after, each with n, interval, licence and versions."""
    return CalibrationOut.model_validate(goldfold.calibrate(model_id, actor=caller.key_id, **given.model_dump()))


@router.get("/{model_id}/drift", dependencies=[Depends(require(Role.VIEWER))])
def drift(goldfold: TheGoldfold, request: Request, model_id: str, since: datetime | None = None) -> dict[str, Any]:
    """Scores of the items that came since promotion (``since``: of those created from then on, UTC if it names no
    zone) against the reference window, by policy and by language."""
    told = goldfold.drift(model_id, since.replace(tzinfo=since.tzinfo or UTC) if since else None)
    metrics: Metrics = request.app.state.metrics
    metrics.drifted(model_id, {policy: cells["all"]["psi"] for policy, cells in told["policies"].items()})
    return told


@router.post("/{model_id}/threshold", response_model_exclude_unset=True)
def set_threshold(goldfold: TheGoldfold, model_id: str, given: ThresholdIn, caller: Lead) -> ThresholdOut:
    """Draw the line for one policy where an exact bound keeps the target, from the calibration partition alone; a
    champion acts on it from then on. With neither target the policy's own threshold holds again."""
    wanted = given.wanted()
    version = given.golden_version or ""
    told = goldfold.threshold(model_id, given.policy, wanted, caller.key_id, version, dry_run=given.dry_run)
    return ThresholdOut.model_validate(told)


@router.post("/{model_id}/gate")
def gate_model(goldfold: TheGoldfold, model_id: str, given: GateIn, caller: Lead) -> VerdictOut:
    """Rule on it against the champion on sealed gold: verdict pass, fail or underpowered, as it stands in the ledger.
    The same again is the same verdict and spends nothing of the family's budget."""
    told = goldfold.gate(model_id, caller.key_id, given.champion or "", given.golden_version or "")
    return VerdictOut.model_validate(told)


@router.post("/{model_id}/promote")
def promote_model(
    goldfold: TheGoldfold,
    jobs: TheJobs,
    model_id: str,
    caller: Lead,
    given: Annotated[PromoteIn | None, Body(examples=[PROMOTE_EXAMPLE])] = None,
) -> PromotedOut:
    """Make it the scorer of the next round, and start a job that scores every item with it; the champion before it is
    archived. What runs goes on with the one before. Needs a passing verdict of the gate (setting `gate_needed`), or a
    reason to do without."""
    job_id = new_id("rescore")
    reason = given.without_gate if given else None
    return _rescored(goldfold, goldfold.promote(model_id, caller.key_id, reason, rescore=job_id), jobs, job_id)


@router.post("/rollback")
def roll_back(
    goldfold: TheGoldfold,
    jobs: TheJobs,
    caller: Lead,
    given: Annotated[RollbackIn | None, Body(examples=[ROLLBACK_EXAMPLE])] = None,
) -> PromotedOut:
    """Bring back the champion before this one, and start a job that scores what it has not scored."""
    job_id, modality = new_id("rescore"), given.modality if given else "text"
    brought_back = goldfold.rollback(caller.key_id, given.reason if given else "", modality, rescore=job_id)
    return _rescored(goldfold, brought_back, jobs, job_id)


@router.post("/{model_id}/archive")
def archive_model(goldfold: TheGoldfold, model_id: str, given: ArchiveIn, caller: Lead) -> ModelOut:
    """Put a candidate or a challenger away; it cannot come back."""
    return ModelOut.of(goldfold.ledger.models.move(model_id, ModelState.ARCHIVED, caller.key_id, given.reason))


@router.get("/{model_id}/history", dependencies=[Depends(require(Role.VIEWER))])
def model_history(goldfold: TheGoldfold, model_id: str) -> list[EventOut]:
    """Every move of a model, oldest first, with who made it and why."""
    goldfold.ledger.models.get(model_id)
    return [EventOut.model_validate(asdict(event)) for event in goldfold.ledger.models.history(model_id)]


def _rescored(goldfold: Goldfold, model: Model, jobs: JobRuntime, job_id: str) -> PromotedOut:
    job = begin_rescore(goldfold, jobs.submit, model.model_id, job_id)
    return PromotedOut(**ModelOut.of(model).model_dump(), rescore_job_id=job.job_id)
