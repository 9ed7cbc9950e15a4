"""One item as a person asks for it: what it says, and every score it has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labeling.errors import NotFound
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
        "scores": scores_of(goldfold.lake, known.item_id),
        "disagreement": disagreement_of(goldfold.lake, known.item_id),
        "notes": notes_of(goldfold.lake, known.item_id),
    }
