from __future__ import annotations

import json
from pathlib import Path

import pytest

from labeling.errors import NothingToDo, StoreError
from labeling.golden.partition import Shares
from labeling.records import Partition
from labeling.suspects import FILE, keep, kept, suspects
from tests.labeling.shop import NO, Shop, items, yes

WRONG = ("it-00010", "it-00011")


@pytest.fixture
def gold(shop: Shop) -> Shop:
    """Gold of fraud, of which two labels are wrong; a part of it is sealed."""
    shop.shares = Shares(train=0.8, calibration=0.0, dev=0.1, sealed=0.1)
    shop.ingest(items(range(0, 100, 2), "cheat money fast w{n} v{n}", policies=("fraud",)))
    shop.ingest(items(range(1, 100, 2), "a walk outside w{n} v{n}", policies=("fraud",)))
    shop.score()
    for task in shop.send("r1", 100, lanes={"random": 1.0}, policies=("fraud",)):
        verdict = yes() if ("cheat" in task.text) is not (task.item_id in WRONG) else NO
        shop.answer(task, verdict, verdict)
    shop.settle()
    return shop


def train_ids(shop: Shop) -> set[str]:
    return {row.item_id for row in shop.ledger.golden.items(partition=Partition.TRAIN)}


def test_wrong_labels_come_first_and_only_train_is_looked_at(gold: Shop) -> None:
    found = suspects(gold.ledger.golden, gold.lake, "hash-1", ("fraud", "harm"), limit=1000)
    mine = train_ids(gold)
    assert found.labels == {"fraud": len(mine)}
    assert {one.item_id for one in found.suspects} == mine
    wrong = set(WRONG) & mine
    assert wrong
    assert {one.item_id for one in found.suspects[: len(wrong)]} == wrong
    first = found.suspects[0]
    assert (first.rank, first.policy, first.off_diagonal, len(first.neighbours)) == (1, "fraud", True, 3)
    assert first.score > 1
    assert all(f"it-{int(near.external_id[4:]):05}" in mine for one in found.suspects for near in one.neighbours)
    assert "harm" in found.skipped
    assert len(suspects(gold.ledger.golden, gold.lake, "hash-1", ("fraud",), limit=3).suspects) == 3


def test_a_kept_queue_forgets_what_left_train_or_changed(gold: Shop, tmp_path: Path) -> None:
    keep(suspects(gold.ledger.golden, gold.lake, "hash-1", ("fraud",)), tmp_path, "2026-03-01T12:00:00+00:00")
    told = kept(gold.ledger.golden, tmp_path)
    assert (told["stale"], told["made_at"]) == (0, "2026-03-01T12:00:00+00:00")
    first = told["suspects"][0]
    row = next(r for r in gold.ledger.golden.items() if r.item_id == first["item_id"])
    gold.ledger.golden.regroup([row.group_id], row.group_id, Partition.SEALED)
    after = kept(gold.ledger.golden, tmp_path)
    assert after["stale"] == 1
    assert first["external_id"] not in json.dumps(after)


def test_a_queue_that_is_not_there_or_broken(gold: Shop, tmp_path: Path) -> None:
    with pytest.raises(NothingToDo, match="goldfold golden errors"):
        kept(gold.ledger.golden, tmp_path)
    (tmp_path / FILE).write_text("{", encoding="utf-8")
    with pytest.raises(StoreError, match="cannot be read"):
        kept(gold.ledger.golden, tmp_path)
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(StoreError, match="cannot be written"):
        keep(suspects(gold.ledger.golden, gold.lake, "hash-1", ("fraud",)), tmp_path / "file", "now")


def test_no_gold_or_no_embedding(shop: Shop, gold: Shop) -> None:
    with pytest.raises(NothingToDo, match="has an embedding"):
        suspects(gold.ledger.golden, gold.lake, "another", ("fraud",))
    with pytest.raises(NothingToDo, match="no usable label"):
        suspects(shop.ledger.golden, shop.lake, "hash-1", ("harm",))
