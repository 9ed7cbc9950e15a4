"""Judging whoever is no model of the registry: /v1/judgements. A scorer file, a chat service, a file of predictions."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Depends, Query, status
from pydantic import BaseModel, ConfigDict, Field

from api.auth import Engineer, Lead
from api.ids import JOB_ID, new_id
from api.judges import ENDPOINT, PREDICTIONS, What, Who, check_known, judge, judge_request, price
from api.problems import documented
from api.routes.jobs import JobOut
from api.routes.judged import JudgedOut, VerdictOut
from api.routes.state import TheGoldfold, TheJobs
from api.uploads import Upload, request_body, upload
from labeling.records import ApiKey

router = APIRouter(prefix="/v1/judgements", tags=["models"], responses=documented(404, 409, 502, 503))

CSV = "external_id,policy,probability\npost-1,violence,0.93\npost-2,violence,0.04\n"
THE_FILE = request_body(CSV)
JUDGE_EXAMPLE = {"kind": "endpoint", "name": "gpt", "golden_version": "1.3.0", "limit": 100}
GATE_EXAMPLE = {"kind": "scorer", "name": "toxic-bert"}


class WhoIn(BaseModel):
    """Whom to judge, by the name of a scorer file that comes with Goldfold, or of an endpoint file in the setting
    `judges_dir`; paths are for the command line. ``golden_version``: left out, the newest."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["scorer", "endpoint"]
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$")
    golden_version: str | None = None


class JudgeIn(WhoIn):
    """``slices``: fields of the items to cut by too; ``sealed``: on the sealed partition, which spends a question;
    ``limit``: on so many items of dev only."""

    slices: list[str] = Field([], max_length=10)
    sealed: bool = False
    limit: int | None = Field(None, ge=13)
    job_id: str | None = Field(None, pattern=JOB_ID)

    def what(self) -> What:
        return What(self.golden_version or "", tuple(self.slices), self.sealed)


class GateOutsiderIn(WhoIn):
    """``champion``: the model to beat, left out: the champion of now, or the prototypes; for a scorer of images, the
    setting `image_scorer`."""

    champion: str | None = None
    job_id: str | None = Field(None, pattern=JOB_ID)


@router.post("", status_code=status.HTTP_202_ACCEPTED)
def start_judging(
    goldfold: TheGoldfold, jobs: TheJobs, caller: Engineer, given: Annotated[JudgeIn, Body(examples=[JUDGE_EXAMPLE])]
) -> JobOut:
    """Judge a scorer or a chat service by golden items. The job's result is what evaluating a model answers; a killed
    one goes on, and answers that were paid for are kept."""
    who = Who(given.kind, _known(goldfold, given), given.limit)
    return _start(goldfold, jobs, caller, who, given.what(), given.job_id)


@router.post("/price")
def price_judging(
    goldfold: TheGoldfold, caller: Engineer, given: Annotated[JudgeIn, Body(examples=[JUDGE_EXAMPLE])]
) -> dict[str, Any]:
    """What a chat service would be asked, and what that costs by a rule of thumb; nothing is sent."""
    del caller
    return price(goldfold, Who(given.kind, _known(goldfold, given), given.limit), given.what())


@router.post("/gate", status_code=status.HTTP_202_ACCEPTED)
def start_gate(
    goldfold: TheGoldfold,
    jobs: TheJobs,
    caller: Lead,
    given: Annotated[GateOutsiderIn, Body(examples=[GATE_EXAMPLE])],
) -> JobOut:
    """Rule on a scorer or a chat service against the champion on sealed gold. The job's result is the verdict, as it
    stands in the ledger; it moves no model."""
    what = What(given.golden_version or "", gate=True, champion=given.champion or "")
    return _start(goldfold, jobs, caller, Who(given.kind, _known(goldfold, given)), what, given.job_id)


@router.post("/predictions", openapi_extra=THE_FILE, response_model_exclude_unset=True)
def judge_predictions(
    goldfold: TheGoldfold,
    caller: Engineer,
    file: Annotated[Upload, Depends(upload)],
    golden_version: str = "",
    slices: Annotated[list[str] | None, Query(alias="slice", max_length=10)] = None,
    sealed: bool = False,
) -> JudgedOut:
    """Judge somebody by a file of predictions: CSV, JSONL or Parquet with `item_id` or `external_id`, `policy` and
    `probability`, as the body or as the part `file` of a form. Bad rows are named by number in `problems`."""
    with file.as_file() as path:
        what = What(golden_version, tuple(slices or ()), sealed)
        return JudgedOut.model_validate(judge(goldfold, Who(PREDICTIONS, str(path)), what, caller.key_id))


@router.post("/predictions/gate", openapi_extra=THE_FILE)
def gate_predictions(
    goldfold: TheGoldfold,
    caller: Lead,
    file: Annotated[Upload, Depends(upload)],
    golden_version: str = "",
    champion: str = "",
) -> VerdictOut:
    """Rule on somebody by a file of predictions against the champion on sealed gold, as the gate does."""
    with file.as_file() as path:
        what = What(golden_version, gate=True, champion=champion)
        return VerdictOut.model_validate(judge(goldfold, Who(PREDICTIONS, str(path)), what, caller.key_id))


def _start(goldfold: TheGoldfold, jobs: TheJobs, caller: ApiKey, who: Who, what: What, job_id: str | None) -> JobOut:
    kind = "ask" if who.kind == ENDPOINT else "judge"
    request = judge_request(goldfold, who, what, caller.key_id)
    return JobOut.of(jobs.submit(kind, job_id or new_id(kind), request))


def _known(goldfold: TheGoldfold, given: WhoIn) -> str:
    """The name, once such a file is there. Raises NotFound."""
    check_known(goldfold.settings, given.kind, given.name)
    return given.name
