"""A shop whose labels are published, to train and judge models on."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from labeling.golden.partition import Shares
from labeling.golden.publish import publish
from labeling.training import (
    Basis,
    Trained,
    train,
)
from tests.labeling.shop import NO, Shop, items, open_shop, yes

COUNT = 50


def build_labelled(folder: Path) -> None:
    """A folder with a published golden version of fraud: half of ``COUNT`` items violate, in words of their own."""
    shop = open_shop(folder)
    shop.shares = Shares(train=0.6, calibration=0.0, dev=0.4, sealed=0.0)
    shop.ingest(items(range(0, COUNT, 2), "cheat money fast w{n} v{n}", policies=("fraud",)))
    shop.ingest(items(range(1, COUNT, 2), "a walk outside w{n} v{n}", policies=("fraud",)))
    shop.score()
    for task in shop.send("r1", COUNT, policies=("fraud",)):
        verdict = yes() if "cheat" in task.text else NO
        shop.answer(task, verdict, verdict)
    assert shop.settle().golden == COUNT
    publish(shop.ledger.golden, folder / "golden", datetime.now(UTC))
    shop.ledger.close()


def fit(shop: Shop, model_id: str = "m1", **changes: Any) -> Trained:
    settings: dict[str, Any] = {
        "model_id": model_id,
        "golden_version": "1.0.0",
        "basis": Basis.of(shop.prototypes),
        "folder": shop.folder / "models",
        "seed": 3,
        "duplicate_cosine": 0.95,
    }
    return train(shop.ledger, shop.lake, **settings | changes)


def republish(shop: Shop) -> str:
    return publish(shop.ledger.golden, shop.folder / "golden", datetime.now(UTC)).version
