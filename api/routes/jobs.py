"""Durable jobs: /v1/jobs; the score and sync jobs start here too."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, status
from pydantic import BaseModel, ConfigDict, Field

from api.auth import Role, require
from api.ids import JOB_ID, new_id
from api.jobs.records import Job
from api.problems import documented
from api.requests import score_request
from api.routes.state import TheJobs

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], responses=documented(404, 409, 503))


class JobOut(BaseModel):
    """A job: the same id again is the same job."""

    job_id: str
    kind: str
    state: str = Field(description="queued, running, done, failed or cancelled")
    progress: dict[str, Any]
    result: dict[str, Any] | None
    error: str | None
    created_at_s: float
    updated_at_s: float

    @classmethod
    def of(cls, job: Job) -> JobOut:
        return cls(**asdict(job))


class JobIn(BaseModel):
    """The id of a job; left out, one is made."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"job_id": "nightly-2026-11-22"}]})

    job_id: str | None = Field(None, pattern=JOB_ID)


class ScoreIn(JobIn):
    """``max_items``: stop after so many; left out, every item is scored."""

    max_items: int | None = Field(None, ge=1)


class SyncIn(JobIn):
    """``full`` sweeps every task instead of only what changed."""

    full: bool = False


class RebuildIn(JobIn):
    """``adopt``: use the projects of this installation that are in Label Studio, instead of refusing."""

    adopt: bool = False


@router.get("", dependencies=[Depends(require(Role.VIEWER))])
def list_jobs(jobs: TheJobs, limit: Annotated[int, Query(ge=1, le=500)] = 50) -> list[JobOut]:
    """The newest jobs first."""
    return [JobOut.of(job) for job in jobs.all(limit)]


@router.get("/{job_id}", dependencies=[Depends(require(Role.VIEWER))])
def get_job(jobs: TheJobs, job_id: str) -> JobOut:
    """One job."""
    return JobOut.of(jobs.get(job_id))


@router.post("/{job_id}/cancel", dependencies=[Depends(require(Role.ENGINEER))])
def cancel_job(jobs: TheJobs, job_id: str) -> JobOut:
    """Cancel at the next step; starting the same id again goes on from there."""
    return JobOut.of(jobs.cancel(job_id))


@router.post("/score", status_code=status.HTTP_202_ACCEPTED, dependencies=[Depends(require(Role.ENGINEER))])
def start_score(jobs: TheJobs, given: ScoreIn) -> JobOut:
    """Score every item that has no score under the current model, or ``max_items`` of them."""
    return JobOut.of(jobs.submit("score", given.job_id or new_id("score"), score_request(given.max_items)))


@router.post("/sync", status_code=status.HTTP_202_ACCEPTED, dependencies=[Depends(require(Role.ENGINEER))])
def start_sync(jobs: TheJobs, given: SyncIn) -> JobOut:
    """Pull answers from Label Studio and settle what is decided."""
    return JobOut.of(jobs.submit("sync", given.job_id or new_id("sync"), {"full": given.full}))


@router.post("/repair", status_code=status.HTTP_202_ACCEPTED, dependencies=[Depends(require(Role.ENGINEER))])
def start_repair(jobs: TheJobs, given: JobIn) -> JobOut:
    """Undo what was edited by hand in Label Studio: forms, settings, and the content of tasks."""
    return JobOut.of(jobs.submit("repair", given.job_id or new_id("repair"), {}))


@router.post("/rebuild", status_code=status.HTTP_202_ACCEPTED, dependencies=[Depends(require(Role.ADMIN))])
def start_rebuild(jobs: TheJobs, given: RebuildIn) -> JobOut:
    """Make every open project and task anew on an empty Label Studio; answers are kept."""
    return JobOut.of(jobs.submit("rebuild", given.job_id or new_id("rebuild"), {"adopt": given.adopt}))
