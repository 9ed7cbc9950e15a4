"""A shop with sealed gold: fraud, half of it violating, in words of their own; copied for each test."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from labeling.golden.partition import Shares
from labeling.golden.publish import publish
from tests.labeling.shop import NO, Shop, items, open_shop, yes

COUNT = 160


@pytest.fixture(scope="session")
def exam_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exam")
    shop = open_shop(folder)
    shop.shares = Shares(train=0.3, calibration=0.2, dev=0.1, sealed=0.3, anchor=0.1)
    shop.ingest(items(range(0, COUNT, 2), "cheat money fast w{n} v{n}", policies=("fraud",)))
    shop.ingest(items(range(1, COUNT, 2), "a walk outside w{n} v{n}", policies=("fraud",), language="pt"))
    shop.score()
    for task in shop.send("r1", COUNT, policies=("fraud",)):
        verdict = yes() if "cheat" in task.text else NO
        shop.answer(task, verdict, verdict)
    shop.settle()
    publish(shop.ledger.golden, folder / "golden", datetime.now(UTC))
    shop.ledger.close()
    return folder


@pytest.fixture
def exam(exam_folder: Path, tmp_path: Path) -> Iterator[Shop]:
    folder = tmp_path / "exam"
    shutil.copytree(exam_folder, folder)
    shop = open_shop(folder)
    yield shop
    shop.ledger.close()
