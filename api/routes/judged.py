"""Answers of judging: figures on golden items, calibrations, thresholds, verdicts. What else is known stands beside."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from api.routes.figures import FigureOut


class _Open(BaseModel):
    model_config = ConfigDict(extra="allow")


class PolicyJudgedOut(_Open):
    """A policy on dev; precision and recall hold at ``threshold``."""

    threshold: float
    n: int
    positives: int
    auprc: FigureOut
    precision: FigureOut
    recall: FigureOut


class SliceOut(_Open):
    """A cell of the rows: those of a policy whose ``dimension`` has this ``value``; figures by name, none where the
    cell may not be told."""

    policy: str
    dimension: str
    value: str
    n: int
    verdict: str
    figures: dict[str, FigureOut]


class JudgedOut(_Open):
    """What golden items say of somebody: by policy (not of sealed ones, and of models alone), and by slice."""

    golden_version: str
    policies: dict[str, PolicyJudgedOut] = Field({})
    slices: list[SliceOut]


class CalibratedSideOut(_Open):
    """How far probabilities can be believed."""

    ece: FigureOut
    brier: FigureOut
    log_loss: FigureOut


class PolicyCalibrationOut(_Open):
    """A policy's map, and what it was worth; the sides are left out where there are too few labels."""

    method: str
    verdict: str
    n: int
    before: CalibratedSideOut | None = None
    after: CalibratedSideOut | None = None
    change: CalibratedSideOut | None = None


class CalibrationOut(_Open):
    """A calibration."""

    model_id: str
    version: str
    golden_version: str
    policies: dict[str, PolicyCalibrationOut]
    applied: bool


class ThresholdOut(_Open):
    """Where a model draws the line; ``bound`` is one-sided, at ``confidence``. null: the policy's own line."""

    threshold: float | None
    bound: float | None = None
    confidence: float | None = None
    n: int | None = None
    licence: str | None = None
    golden_version: str | None = None
    policy_version: str | None = None
    items: str | None = None


class GateSliceOut(_Open):
    """A slice of a verdict; ``difference``: of the shares that are right, challenger less champion; null where the
    slice may not be told."""

    name: str
    n: int
    verdict: str
    difference: FigureOut | None


class VerdictOut(_Open):
    """A verdict as it stands in the ledger."""

    gate_id: str
    verdict: str
    reasons: list[str]
    slices: list[GateSliceOut]
