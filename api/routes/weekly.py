"""The weekly pack: /v1/weekly."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import APIRouter, Depends, Query, Response, status
from pydantic import BaseModel, ConfigDict, Field

from api.auth import Lead, Role, require
from api.problems import documented
from api.routes.state import TheGoldfold
from api.weekly import PAGES, draft_pack, pack, packs, page, sign_pack

router = APIRouter(prefix="/v1/weekly", tags=["weekly"], responses=documented(404, 409))
AsLead = Depends(require(Role.LEAD))
Revision = Query(default=0, ge=0, description="Default: the newest.")


class DraftIn(BaseModel):
    """Which week to draft."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"week": "2026-W48"}})

    week: str | None = Field(None, max_length=8, description="As 2026-W48; default: the week of yesterday.")
    coverage: bool = Field(True, description="Look at the traffic too.")


class SignIn(BaseModel):
    """Who stands for what they have read."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"by": "Ana", "content_hash": "9f3a01c7"}})

    by: str = Field(min_length=1, max_length=200)
    content_hash: str = Field(min_length=8, max_length=64, description="Of the draft, or its first characters.")


class PackOut(BaseModel):
    """A draft, and who signed it."""

    week: str
    revision: int
    content_hash: str
    drafted_by: str
    drafted_at: datetime
    signed_by: str | None
    signed_at: datetime | None


class PackWholeOut(PackOut):
    """With its document: sections of entries, each with its figures."""

    document: dict[str, Any]


@router.get("", dependencies=[AsLead])
def list_packs(goldfold: TheGoldfold) -> list[PackOut]:
    """Every draft, the newest first, and who signed it."""
    return [PackOut.model_validate(one) for one in packs(goldfold)]


@router.post("", status_code=status.HTTP_201_CREATED)
def draft(goldfold: TheGoldfold, caller: Lead, given: DraftIn) -> PackWholeOut:
    """Draft a week's pack; with nothing new it is the draft that is there."""
    made = draft_pack(goldfold, given.week, caller.key_id, coverage=given.coverage)
    return PackWholeOut.model_validate(pack(goldfold, made.week))


@router.get("/{week}", dependencies=[AsLead])
def get_pack(goldfold: TheGoldfold, week: str, revision: int = Revision) -> PackWholeOut:
    """A week's newest draft, or a revision's, with its document."""
    return PackWholeOut.model_validate(pack(goldfold, week, revision))


@router.get("/{week}/pages/{kind}", dependencies=[AsLead], response_class=Response)
def get_page(goldfold: TheGoldfold, week: str, kind: str, revision: int = Revision) -> Response:
    """The same as `md`, `html` or `pdf`; all bear the content's hash."""
    found, made = page(goldfold, week, kind, revision)
    told = PAGES[kind]
    name = f"quality-{found.week}-r{found.revision}{told.suffix}"
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"'
    }  # not rendered on our address: it is people's text
    return Response(made, media_type=told.media_type, headers=headers)


@router.post("/{week}/sign")
def sign(goldfold: TheGoldfold, _caller: Lead, week: str, given: SignIn) -> PackWholeOut:
    """Sign the newest draft, by its hash; its revision is frozen from then on."""
    sign_pack(goldfold, week, given.by, given.content_hash)
    return PackWholeOut.model_validate(pack(goldfold, week))
