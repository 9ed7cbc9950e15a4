"""The root-cause desk: /v1/findings and /v1/actions."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, datetime

from fastapi import APIRouter, Depends, status
from pydantic import BaseModel, ConfigDict, Field

from api import root_causes
from api.auth import Lead, Role, require
from api.drafts import check_endpoint, draft_cause
from api.problems import documented
from api.routes.drafts import DraftIn, DraftOut
from api.routes.figures import FigureOut
from api.routes.state import TheGoldfold
from labeling.cause_records import ActionState
from labeling.cause_records import Role as CodingRole
from labeling.decision_records import ErrorType
from labeling.insights.causes import Told, Wanted

router = APIRouter(prefix="/v1/findings", tags=["causes"], responses=documented(404, 409))
actions = APIRouter(prefix="/v1/actions", tags=["causes"], responses=documented(404, 409))
AsLead = Depends(require(Role.LEAD))


class FindingIn(BaseModel):
    """Something that goes wrong, and where."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "title": "Quoted slurs are removed",
                "statement": "Reviewers remove posts that quote a slur to condemn it.",
                "slice": {"policy": "hate_speech", "language": "de"},
                "error_type": "over_enforcement",
                "severity": 3,
            }
        },
    )

    title: str = Field(max_length=200)
    statement: str = Field(max_length=5000)
    slice: dict[str, str] = Field(
        {}, description="project, policy, language, source, who, team, market, shift, tool, rule."
    )
    item_ids: list[str] = Field([], max_length=1000)
    error_type: ErrorType | None = None
    severity: int = Field(2, ge=0, le=4)
    cost_minutes: float | None = None
    origin: str = Field("", max_length=200, description="Where it came from, such as pattern:<id>; one finding each.")
    policy_version: str = ""

    def told(self) -> Told:
        return Told(**(self.model_dump() | {"item_ids": tuple(self.item_ids), "error_type": self.error_type}))


class CodingIn(BaseModel):
    """Why it happens: a code of two levels."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"code": "P.exception_unclear"}})

    code: str
    note: str = Field("", max_length=2000)


class ActionIn(BaseModel):
    """What is to be done, by whom, by when, and how it will show."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "what": "Add two quoted examples to the guideline",
                "owner": "policy team",
                "kpi": "accuracy",
                "target": 0.95,
                "due": "2026-12-15",
            }
        },
    )

    what: str = Field(max_length=2000)
    owner: str = Field(max_length=200)
    kpi: str = Field(description="accuracy or recall (at least target), or an error type (at most).")
    target: float = Field(gt=0, lt=1)
    due: date
    slice: dict[str, str] = Field({}, description="Default: the finding's.")


class EndIn(BaseModel):
    """Why an action ended, or how it was done."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"reason": "examples are in since Monday"}})

    reason: str = Field("", max_length=2000)


class CodingOut(BaseModel):
    """One person's code."""

    finding_id: str
    role: CodingRole
    code: str
    note: str
    coder: str
    at: datetime


class EventOut(BaseModel):
    """An action came into a state; ``figure``: what was measured then, if anything was."""

    action_id: str
    state: ActionState
    actor: str
    reason: str
    figure: FigureOut | None
    at: datetime


class ActionOut(BaseModel):
    """A corrective action; ``before``: its KPI when it was agreed."""

    action_id: str
    finding_id: str
    what: str
    owner: str
    kpi: str
    target: float
    slice: dict[str, str]
    due: date
    before: FigureOut
    opened_by: str
    opened_at: datetime


class ActionStandOut(ActionOut):
    """An action as it stands."""

    state: ActionState
    is_late: bool
    events: list[EventOut]


class FindingOut(BaseModel):
    """A finding as it stands. ``codings`` are shown once all of them are in."""

    finding_id: str
    title: str
    statement: str
    slice: dict[str, str]
    item_ids: list[str]
    error_type: ErrorType | None
    severity: int
    cost_minutes: float | None
    origin: str
    golden_version: str
    policy_version: str
    opened_by: str
    opened_at: datetime
    cause: str | None
    cause_text: str
    waits_for: CodingRole | None
    codings: list[CodingOut]
    actions: list[ActionStandOut]
    state: str = Field(description="uncoded, open, in work or mended.")
    recurs: list[str]


class LevelOut(BaseModel):
    """Agreement of first and second coders, on the area or the whole code; units are findings."""

    observed: FigureOut
    alpha: FigureOut
    ac1: FigureOut
    warnings: list[str]


class CodersOut(BaseModel):
    """How far first and second coders agree, over so many findings."""

    pairs: int
    area: LevelOut
    code: LevelOut


class ProofOut(BaseModel):
    """What the KPI says since an action was done: verified, missed or not yet, and then the n that would do."""

    action: str
    kpi: str
    target: float
    slice: dict[str, str]
    before: FigureOut
    after: FigureOut
    proof: str
    n_needed: int | None


@router.get("", dependencies=[AsLead])
def list_findings(goldfold: TheGoldfold) -> list[FindingOut]:
    """Every finding with its cause, actions and recurrences, the gravest first."""
    return [FindingOut.model_validate(one) for one in root_causes.findings(goldfold)]


@router.get("/agreement", dependencies=[AsLead])
def get_agreement(goldfold: TheGoldfold) -> CodersOut:
    """How far first and second coders agree, on the area and on the whole code."""
    return CodersOut.model_validate(root_causes.agreement(goldfold))


@router.get("/{finding_id}", dependencies=[AsLead])
def get_finding(goldfold: TheGoldfold, finding_id: str) -> FindingOut:
    """One finding. Codes are shown once all of them are in."""
    return FindingOut.model_validate(root_causes.finding(goldfold, finding_id))


@router.post("", status_code=status.HTTP_201_CREATED)
def open_finding(goldfold: TheGoldfold, caller: Lead, given: FindingIn) -> FindingOut:
    """Open a finding."""
    made = root_causes.open_(goldfold, given.told(), caller.key_id)
    return FindingOut.model_validate(root_causes.finding(goldfold, made.finding_id))


@router.post("/{finding_id}/codes")
def code_finding(goldfold: TheGoldfold, finding_id: str, caller: Lead, given: CodingIn) -> FindingOut:
    """Code it: first, second (by another key) or, where the two differ, final (by a third)."""
    root_causes.code(goldfold, finding_id, given.code, given.note, caller.key_id)
    return FindingOut.model_validate(root_causes.finding(goldfold, finding_id))


@router.post("/{finding_id}/drafts", dependencies=[AsLead], responses=documented(409, 422, 502, 503))
def draft(goldfold: TheGoldfold, finding_id: str, given: DraftIn) -> DraftOut:
    """Have a chat service draft why it happens: kept nowhere, and it codes nothing. Refused (409) for a finding that
    two people code, until all its codes are in."""
    check_endpoint(goldfold, given.endpoint)
    return DraftOut.model_validate(draft_cause(goldfold, finding_id, given.endpoint))


@router.post("/{finding_id}/actions", status_code=status.HTTP_201_CREATED)
def agree_action(goldfold: TheGoldfold, finding_id: str, caller: Lead, given: ActionIn) -> ActionOut:
    """Agree on a corrective action; the KPI as it is now is kept with it."""
    made = root_causes.act(goldfold, finding_id, Wanted(**given.model_dump()), caller.key_id)
    return ActionOut.model_validate(asdict(made))


@actions.post("/{action_id}/done", status_code=status.HTTP_204_NO_CONTENT)
def done(goldfold: TheGoldfold, action_id: str, caller: Lead, given: EndIn) -> None:
    """It was done: decisions made from now on show whether it helped."""
    root_causes.end(goldfold, action_id, caller.key_id, given.reason, dropped=False)


@actions.post("/{action_id}/drop", status_code=status.HTTP_204_NO_CONTENT)
def drop(goldfold: TheGoldfold, action_id: str, caller: Lead, given: EndIn) -> None:
    """It is not going to be done."""
    root_causes.end(goldfold, action_id, caller.key_id, given.reason, dropped=True)


@actions.post("/{action_id}/verify")
def verify(goldfold: TheGoldfold, action_id: str, caller: Lead) -> ProofOut:
    """Measure since it was done: verified, missed, or not yet, with the n that would do."""
    return ProofOut.model_validate(root_causes.prove(goldfold, action_id, caller.key_id))
