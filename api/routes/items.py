"""Content in, by JSON: /v1/items."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, status
from pydantic import BaseModel, ConfigDict, Field

from api.auth import Role, require
from api.items import shown
from api.problems import documented
from api.routes.state import TheGoldfold
from labeling.ingest import ingest

router = APIRouter(prefix="/v1/items", tags=["items"], responses=documented(404, 409, 503))

EXAMPLE = {
    "items": [
        {"external_id": "post-1", "text": "You people are vermin.", "language": "en", "market": "GB", "views": 1204}
    ]
}


class ItemsIn(BaseModel):
    """A batch of items. A batch with a bad row is refused whole; the answer names every bad row and field."""

    model_config = ConfigDict(extra="forbid")

    items: list[dict[str, Any]] = Field(min_length=1, max_length=10_000, description="One object an item.")


class ItemsOut(BaseModel):
    """What a batch did."""

    read: int
    added: int
    already_there: int
    repeated: int
    stopped: int = Field(description="Left out: the item, or its content, was stopped for legal reasons.")


class ItemOut(BaseModel):
    """An item as it is known."""

    item_id: str
    external_id: str
    content_hash: str
    modality: str
    media: str
    text: str
    language: str
    scores: dict[str, dict[str, float]] = Field(description="scorer version -> policy -> probability")
    disagreement: dict[str, dict[str, float]] = Field(
        description="scorer version -> policy -> how far a committee's members differ: BALD in nats, up to 0.693"
    )
    image: str | None = Field(
        description="Signed link to the image, for `media_link_minutes`; null where there is none."
    )
    image_blurred: str | None = Field(description="The same, blurred beyond recognition.")
    notes: dict[str, str] = Field(
        description="embedding version -> what its scores do not say, such as that only parts of a long text were read"
    )


@router.post("", status_code=status.HTTP_201_CREATED, dependencies=[Depends(require(Role.ENGINEER))])
def add_items(goldfold: TheGoldfold, batch: Annotated[ItemsIn, Body(examples=[EXAMPLE])]) -> ItemsOut:
    """Add items. The same item again is no error; the same ``external_id`` with other content is (409)."""
    report = ingest(
        batch.items,
        goldfold.lake,
        goldfold.ledger.items,
        lock_path=goldfold.settings.data_dir / "ingest.lock",
        max_text_chars=goldfold.settings.max_text_chars,
        policies=goldfold.policies.keys(),
    )
    return ItemsOut(
        read=report.read,
        added=report.added,
        already_there=report.already_there,
        repeated=report.repeated,
        stopped=report.stopped,
    )


@router.get("/{external_id}", dependencies=[Depends(require(Role.ENGINEER))])
def get_item(goldfold: TheGoldfold, external_id: str) -> ItemOut:
    """An item with its scores."""
    return ItemOut(**shown(goldfold, external_id))
