"""Rounds: /v1/rounds, with a dry run and live progress."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal

import anyio
from fastapi import APIRouter, Body, Depends, Query, status
from pydantic import BaseModel, ConfigDict, Field
from sse_starlette.sse import EventSourceResponse

from api.auth import Engineer, Role, require
from api.ids import JOB_ID, new_id
from api.jobs.errors import JobUnknown
from api.jobs.records import ENDED
from api.problems import documented
from api.rounds import begin_round, stop_round, try_round
from api.routes.jobs import JobOut
from api.routes.state import TheGoldfold, TheJobs
from labeling.records import Round

router = APIRouter(prefix="/v1/rounds", tags=["rounds"], responses=documented(404, 409, 503))
EVENT_POLL_S = 0.3
EXAMPLE = {
    "round_id": "week-47",
    "budget": 200,
    "policies": ["hate_speech"],
    "lanes": {"random": 0.2, "uncertain": 0.8},
}


class QuotaIn(BaseModel):
    """A bound on the purposive picks of one policy, language, market or modality."""

    model_config = ConfigDict(extra="forbid")

    key: str = Field(pattern="^(policy|language|market|modality)$")
    value: str
    at_least: int = Field(0, ge=0)
    at_most: int | None = Field(None, ge=0)


class RoundIn(BaseModel):
    """A round to run; what is left out comes from the settings."""

    model_config = ConfigDict(extra="forbid")

    round_id: str | None = Field(None, pattern=JOB_ID, description="The same id again is the same round.")
    budget: int | None = Field(None, ge=1)
    seed: int | None = Field(default=None, description="Left out: it comes from the round's id.")
    policies: list[str] = []
    lanes: dict[str, float] | Literal["auto"] | None = Field(
        None, description='Shares, or "auto": the settings\' shares, tuned by what the lanes brought before.'
    )
    quotas: list[QuotaIn] = []
    strategy: str = Field("auto", description="How the lane uncertain chooses: a name of docs/selection.md.")
    overlap: int | None = Field(None, ge=1, le=10)
    per: Literal["pick", "minute", "exposure"] | None = Field(
        None, description="What the lane uncertain gets the most value out of; left out: a pick."
    )
    max_minutes: float | None = Field(None, gt=0, description="The most minutes the round may cost all its people.")
    costs: dict[str, float] | None = Field(None, description="Constants of the estimate, such as decision_minutes.")
    per_author: int | None = Field(None, ge=1, description="The most picks of the lane uncertain by one author.")

    assisted: float | None = Field(
        None, ge=0, le=1, description="Share of the picks answered beside a suggestion; they are no gold by themselves."
    )
    assisted_blind_share: float | None = Field(
        None, gt=0, le=1, description="Share of the assisted picks that is also asked blind."
    )

    def request(self) -> dict[str, Any]:
        return {**self.model_dump(), "round_id": self.round_id or new_id("round")}


class RoundOut(BaseModel):
    """A round as it stands."""

    round_id: str
    state: str
    seed: int
    plan: dict[str, Any]
    frame: dict[str, Any]
    scorer_version: str
    notes: list[str]
    created_at: datetime
    tasks: dict[str, int] = Field(description="tasks by state")

    @classmethod
    def of(cls, round_: Round, tasks: dict[str, int]) -> RoundOut:
        return cls(
            round_id=round_.round_id,
            state=str(round_.state),
            seed=round_.seed,
            plan=round_.plan,
            frame=round_.frame,
            scorer_version=round_.scorer_version,
            notes=list(round_.notes),
            created_at=round_.created_at,
            tasks=tasks,
        )


class PickOut(BaseModel):
    """Why an item was picked. ``pi`` null: on purpose, so no claim about the population."""

    item_id: str
    policy: str
    lane: str
    pi: float | None
    probability: float
    reasons: list[str]


class PreviewOut(BaseModel):
    """What a dry run would pick; nothing was written. ``frame.estimate`` says what it would cost people."""

    items_scored: int
    frame: dict[str, Any]
    notes: list[str]
    picks: list[PickOut]


RoundBody = Annotated[RoundIn, Body(examples=[EXAMPLE])]


@router.post("", status_code=status.HTTP_202_ACCEPTED, dependencies=[Depends(require(Role.ENGINEER))])
def start_round(goldfold: TheGoldfold, jobs: TheJobs, given: RoundBody) -> JobOut:
    """Start a round: score what is missing, pick, push to Label Studio. The job has the round's id."""
    return JobOut.of(begin_round(goldfold, jobs, given.request()))


@router.post("/preview", dependencies=[Depends(require(Role.ENGINEER))])
def preview_round(goldfold: TheGoldfold, given: RoundBody) -> PreviewOut:
    """A dry run over the items that are scored already."""
    shown = try_round(goldfold, given.request())
    picks = [
        PickOut(
            item_id=p.item_id, policy=p.policy, lane=p.lane, pi=p.pi, probability=p.probability, reasons=list(p.reasons)
        )
        for p in shown.selection.picks
    ]
    return PreviewOut(
        items_scored=shown.items_scored,
        frame=shown.selection.frame,
        notes=list(shown.selection.notes),
        picks=picks,
    )


@router.get("", dependencies=[Depends(require(Role.VIEWER))])
def list_rounds(goldfold: TheGoldfold) -> list[RoundOut]:
    """Every round, oldest first."""
    ledger = goldfold.ledger
    return [RoundOut.of(round_, ledger.tasks.counts(round_.round_id)) for round_ in ledger.rounds.all()]


@router.get("/{round_id}", dependencies=[Depends(require(Role.VIEWER))])
def get_round(goldfold: TheGoldfold, round_id: str) -> RoundOut:
    """One round."""
    return RoundOut.of(goldfold.ledger.rounds.get(round_id), goldfold.ledger.tasks.counts(round_id))


@router.post("/{round_id}/cancel")
def cancel(goldfold: TheGoldfold, jobs: TheJobs, caller: Engineer, round_id: str) -> RoundOut:
    """End a round early: its job stops, its open tasks are withdrawn and may be picked again, its gold stays."""
    stopped = stop_round(goldfold, jobs, round_id, actor=caller.key_id)
    return RoundOut.of(stopped, goldfold.ledger.tasks.counts(round_id))


@router.get("/{round_id}/picks", dependencies=[Depends(require(Role.ENGINEER))])
def get_picks(
    goldfold: TheGoldfold,
    round_id: str,
    limit: Annotated[int | None, Query(ge=1, le=1000)] = None,
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
) -> list[PickOut]:
    """What was picked, by which lane, with which probability and why: all of it by lane, or with ``limit`` so many from
    ``offset`` on, by policy and item."""
    rounds = goldfold.ledger.rounds
    rounds.get(round_id)
    found = rounds.picks(round_id) if limit is None else rounds.pick_page(round_id, limit=limit, offset=offset)
    return [
        PickOut(
            item_id=p.item_id,
            policy=p.policy_id,
            lane=p.lane,
            pi=p.pi,
            probability=p.probability,
            reasons=list(p.reasons),
        )
        for p in found
    ]


@router.get("/{round_id}/events", dependencies=[Depends(require(Role.VIEWER))])
async def follow_round(jobs: TheJobs, round_id: str) -> EventSourceResponse:
    """The round's job as server-sent events, one ``progress`` event a change, until it ends."""
    first = await anyio.to_thread.run_sync(jobs.get, round_id)
    if first.kind != "round":
        raise JobUnknown(f"job {round_id!r} is no round")

    async def events() -> AsyncIterator[dict[str, str]]:
        last = None
        while True:
            job = await anyio.to_thread.run_sync(jobs.get, round_id)
            said = (job.state, job.progress)
            if said != last:
                yield {"event": "progress", "data": JobOut(**asdict(job)).model_dump_json()}
            last = said
            if job.state in ENDED:
                return
            await anyio.sleep(EVENT_POLL_S)

    return EventSourceResponse(events())
