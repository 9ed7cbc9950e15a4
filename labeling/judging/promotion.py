"""Which model scores: promote one, and go back to the one before."""

from __future__ import annotations

from typing import Protocol

from labeling.records import Model
from labeling.store.interfaces import Models
from labeling.training import load_head


class PromotionStores(Protocol):
    """The part of the ledger that promoting needs."""

    @property
    def models(self) -> Models: ...


def promote(stores: PromotionStores, model_id: str, actor: str) -> Model:
    """Make a model the champion. Raises NotFound, Conflict (archived), and IntegrityError when its files are not what
    was registered."""
    model, champion = stores.models.get(model_id), stores.models.champion()
    load_head(model)
    return stores.models.promote(model_id, actor, over=None if champion is None else champion.model_id)
