"""One item as a person asks for it: what it says, and every score it has."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from labeling.errors import NotFound
from labeling.media_links import MediaLink, sign
from labeling.records import RegisteredItem
from labeling.scorebook import disagreement_of, notes_of, scores_of

if TYPE_CHECKING:
    from api.composition import Goldfold


def shown(goldfold: Goldfold, external_id: str) -> dict[str, Any]:
    """The item's fields, ``scores`` (scorer version -> policy -> probability), ``disagreement`` (the same of
    committees, in nats) and ``notes`` (embedding version -> what its scores do not say). Raises NotFound."""
    known = goldfold.ledger.items.known([external_id]).get(external_id)
    if known is None:
        raise NotFound(f"no item has the external_id {external_id!r}")
    row = goldfold.lake.take([known.item_id], ["text", "language", "modality", "media"]).to_pylist()[0]
    return {
        "item_id": known.item_id,
        "external_id": external_id,
        "content_hash": known.content_hash,
        "modality": row["modality"],
        "media": row["media"] or "",
        "text": row["text"],
        "language": row["language"],
        **_links(goldfold, known),
        **scored(goldfold, known.item_id),
    }


def scored(goldfold: Goldfold, item_id: str) -> dict[str, Any]:
    """``scores``, ``disagreement`` and ``notes`` of an item; each group of scores in the lake is looked through."""
    lake = goldfold.lake
    return {
        "scores": scores_of(lake, item_id),
        "disagreement": disagreement_of(lake, item_id),
        "notes": notes_of(lake, item_id),
    }


def _links(goldfold: Goldfold, item: RegisteredItem) -> dict[str, str | None]:
    settings = goldfold.settings
    secret = settings.media_link_secret.get_secret_value()
    if item.modality != "image" or not secret:
        return {"image": None, "image_blurred": None}
    until = datetime.now(UTC) + timedelta(minutes=settings.media_link_minutes)

    def link(blurred: bool) -> str:
        return f"{settings.public_url}/media/{sign(MediaLink(item.item_id, blurred, until), secret)}"

    return {"image": link(False), "image_blurred": link(True)}
