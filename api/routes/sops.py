"""Decision trees: linted, compiled, and gold replayed through them: /v1/sops."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from api.auth import Role, require
from api.drafts import check_endpoint, draft_question
from api.problems import documented
from api.routes.drafts import DraftOut, EndpointName
from api.routes.figures import FigureOut
from api.routes.state import TheGoldfold
from api.sops import COMPILED, PER_VERDICT, compiled, lint_sop, replay_sop, sop_of, sops, tasks_of
from labeling.sop.replay import Walk
from labeling.sop.tree import Sop

router = APIRouter(prefix="/v1/sops", tags=["sops"], responses=documented(404))
MAX_WALKS = 100_000
DRAFT_EXAMPLE = {"endpoint": "gpt"}
REPLAY_EXAMPLE = {"walks": [{"item_id": "it_0a1b", "person": "7", "answers": {"group": "yes", "against": "no"}}]}


class SopOut(BaseModel):
    """A tree by its versions and size."""

    sop: str
    version: str
    policy: str
    policy_version: str
    steps: int
    leaves: int
    tree_hash: str

    @classmethod
    def of(cls, sop: Sop) -> SopOut:
        return cls(
            sop=sop.id,
            version=sop.version,
            policy=sop.policy,
            policy_version=sop.policy_version,
            steps=len(sop.steps),
            leaves=len(sop.leaves),
            tree_hash=sop.tree_hash,
        )


class SopWhole(SopOut):
    """The whole tree, and what lint remarks: errors first."""

    tree: dict[str, Any]
    remarks: list[dict[str, Any]]


class WalkIn(BaseModel):
    """One person's, or agent's, answers about one item: step id to what was said."""

    model_config = ConfigDict(extra="forbid")

    item_id: str = Field(min_length=1, max_length=200)
    person: str = Field(min_length=1, max_length=200)
    answers: dict[str, str]


class ReplayIn(BaseModel):
    """Walks about golden items."""

    model_config = ConfigDict(extra="forbid")

    walks: list[WalkIn] = Field(min_length=1, max_length=MAX_WALKS)
    golden_version: str = Field("", description="Default: the newest.")


class SuggestIn(BaseModel):
    """Who drafts, and answers to replay first, which it is told the figures of."""

    model_config = ConfigDict(extra="forbid")

    endpoint: EndpointName
    walks: list[WalkIn] = Field([], max_length=MAX_WALKS)
    golden_version: str = Field("", description="Default: the newest.")


class TaskOut(BaseModel):
    """A golden item as Label Studio imports it: ``data`` holds its content and its id, and no answer."""

    data: dict[str, Any]


class AgreementOut(BaseModel):
    """How far people agree who answered a step about the same item."""

    observed: FigureOut
    alpha: FigureOut
    ac1: FigureOut
    warnings: list[str]


class StepOut(BaseModel):
    """A step. ``kept``: the share of walks that have gold in reach after it; ``lost``: items that were lost here."""

    step: str
    kept: FigureOut
    agreement: AgreementOut
    verdict: str
    lost: list[str]


class ReplayOut(BaseModel):
    """Gold replayed through a tree. ``items`` of a figure: the gold that could be walked."""

    sop: str
    tree_hash: str
    policy: str
    policy_version: str
    golden_version: str | None
    right: FigureOut
    steps: list[StepOut]
    worst: str
    walks: int
    unfinished: int
    without_gold: int
    homeless: list[str]
    licence: str


@router.get("", dependencies=[Depends(require(Role.VIEWER))])
def list_sops(goldfold: TheGoldfold) -> list[SopOut]:
    """The trees of `sops_dir`."""
    return [SopOut.of(sop) for sop in sops(goldfold).values()]


@router.get("/{sop_id}", dependencies=[Depends(require(Role.VIEWER))])
def get_sop(goldfold: TheGoldfold, sop_id: str) -> SopWhole:
    """One tree, linted."""
    sop = sop_of(goldfold, sop_id)
    remarks = [remark.as_dict() for remark in lint_sop(goldfold, sop)]
    return SopWhole(**SopOut.of(sop).model_dump(), tree=sop.model_dump(mode="json"), remarks=remarks)


@router.get("/{sop_id}/compiled/{kind}", dependencies=[Depends(require(Role.VIEWER))], response_class=Response)
def get_compiled(goldfold: TheGoldfold, sop_id: str, kind: str) -> Response:
    """The Label Studio form (`form`), the agent's `prompt`, `guide.html` or `guide.pdf`; all bear the tree's hash."""
    sop = sop_of(goldfold, sop_id)
    made = compiled(goldfold, sop, kind)
    told = COMPILED[kind]
    name = f"{sop.id}-{sop.version}{told.suffix}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "ETag": f'"{sop.tree_hash}"'}
    return Response(made, media_type=told.media_type, headers=headers)


@router.post("/{sop_id}/replay", dependencies=[Depends(require(Role.ENGINEER))], responses=documented(409, 422))
def post_replay(
    goldfold: TheGoldfold, sop_id: str, given: Annotated[ReplayIn, Body(examples=[REPLAY_EXAMPLE])]
) -> ReplayOut:
    """Gold replayed through the tree by these answers: each step's gold kept in reach, agreement, verdict."""
    told = replay_sop(goldfold, sop_of(goldfold, sop_id), _walks(given.walks), given.golden_version)
    return ReplayOut.model_validate(told.as_dict())


@router.get("/{sop_id}/tasks", dependencies=[Depends(require(Role.LEAD))], responses=documented(409))
def get_tasks(
    goldfold: TheGoldfold,
    sop_id: str,
    per_verdict: Annotated[
        int, Query(ge=1, le=1000, description="Golden items of each outcome and rule.")
    ] = PER_VERDICT,
) -> list[TaskOut]:
    """Golden items as tasks for a Label Studio project of the tree's form. They hold content, and no answer."""
    return [TaskOut(data=one["data"]) for one in tasks_of(goldfold, sop_of(goldfold, sop_id), per_verdict)]


@router.post(
    "/{sop_id}/steps/{step_id}/drafts",
    dependencies=[Depends(require(Role.LEAD))],
    responses=documented(409, 422, 502, 503),
)
def draft(
    goldfold: TheGoldfold, sop_id: str, step_id: str, given: Annotated[SuggestIn, Body(examples=[DRAFT_EXAMPLE])]
) -> DraftOut:
    """Have a chat service draft another wording of a step's question. It is kept nowhere, and the file stays."""
    check_endpoint(goldfold, given.endpoint)
    sop = sop_of(goldfold, sop_id)
    replayed = replay_sop(goldfold, sop, _walks(given.walks), given.golden_version) if given.walks else None
    return DraftOut.model_validate(draft_question(goldfold, sop_id, step_id, given.endpoint, replayed))


def _walks(given: list[WalkIn]) -> list[Walk]:
    return [Walk(walk.item_id, walk.person, walk.answers) for walk in given]
