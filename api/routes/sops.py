"""Decision trees: linted, compiled, and gold replayed through them: /v1/sops."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Response
from pydantic import BaseModel, ConfigDict, Field

from api.auth import Engineer, Role, require
from api.problems import documented
from api.routes.state import TheGoldfold
from api.sops import COMPILED, compiled, keep_replay, kept_replay, lint_sop, replay_sop, sop_of, sops
from labeling.sop.replay import Walk
from labeling.sop.tree import Sop

router = APIRouter(prefix="/v1/sops", tags=["sops"], responses=documented(404))
MAX_WALKS = 100_000
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
    keep: bool = Field(False, description="Keep it in the audit trail, for the tree's page.")


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


@router.get("/{sop_id}/replay", dependencies=[Depends(require(Role.VIEWER))])
def get_replay(goldfold: TheGoldfold, sop_id: str) -> dict[str, Any]:
    """The newest replay of the tree that was kept."""
    return kept_replay(goldfold, sop_of(goldfold, sop_id))


@router.post("/{sop_id}/replay", responses=documented(409, 422))
def post_replay(
    goldfold: TheGoldfold, caller: Engineer, sop_id: str, given: Annotated[ReplayIn, Body(examples=[REPLAY_EXAMPLE])]
) -> dict[str, Any]:
    """Gold replayed through the tree by these answers: each step's gold kept in reach, agreement, verdict."""
    walks = [Walk(walk.item_id, walk.person, walk.answers) for walk in given.walks]
    sop = sop_of(goldfold, sop_id)
    told = replay_sop(goldfold, sop, walks, given.golden_version)
    if given.keep:
        keep_replay(goldfold, sop, told, caller.key_id)
    return told.as_dict()
