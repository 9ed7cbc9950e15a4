from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from labeling.errors import NothingToDo, StoreError
from labeling.golden.partition import Shares
from labeling.insights.embedding_map import (
    F32,
    FILE,
    GROUPS,
    SEALED,
    EmbeddingMap,
    Tick,
    draw_map,
    in_process,
    kept_map,
    paint,
)
from labeling.stops import drop_caches
from tests.labeling.shop import NO, Shop, items, open_shop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = open_shop(tmp_path)
    made.ingest(items(range(60)))
    made.score()
    yield made
    made.ledger.close()


def flat(vectors: F32, seed: int, folder: Path, tick: Tick) -> F32:
    tick(1, 1)
    return np.ascontiguousarray(vectors[:, :2])


def drawn(shop: Shop, cache: Path, **more: int) -> EmbeddingMap:
    return draw_map(shop.ledger, shop.lake, shop.scorer(), cache, flat, **more)  # type: ignore[arg-type]


def test_a_map_is_kept_and_read_back(shop: Shop, tmp_path: Path) -> None:
    assert kept_map(tmp_path / "cache") is None
    made = drawn(shop, tmp_path / "cache", seed=7)
    kept = kept_map(tmp_path / "cache")
    assert kept is not None
    assert (kept.ids, kept.of, kept.seed, kept.made_s, kept.encoder) == (made.ids, 60, 7, made.made_s, made.encoder)
    assert np.array_equal(kept.places, made.places)
    assert np.allclose(np.linalg.norm(kept.places, axis=1) <= 1.001, True)
    (tmp_path / "cache" / FILE).write_bytes(b"torn")
    with pytest.raises(StoreError, match="draw the map again"):
        kept_map(tmp_path / "cache")
    drop_caches(tmp_path / "cache")  # what an erasure does
    assert kept_map(tmp_path / "cache") is None


def test_a_sample_holds_gold_and_picks_first(shop: Shop, tmp_path: Path) -> None:
    picked = {task.item_id for task in shop.send("r1", 20)}
    made = drawn(shop, tmp_path, most=30)
    assert len(made.ids) == 30
    assert made.of == 60
    assert picked < set(made.ids)
    assert set(drawn(shop, tmp_path, most=10).ids) < picked
    assert drawn(shop, tmp_path, most=30).ids == made.ids


def test_points_are_what_their_items_are_by_now(shop: Shop, tmp_path: Path) -> None:
    made = drawn(shop, tmp_path)
    assert paint(shop.ledger, made).counts == dict.fromkeys(GROUPS, 0) | {"pool": 60}
    shop.shares = Shares(train=0.5, calibration=0.0, dev=0.0, sealed=0.5)
    for task in shop.send("r1", 20, policies=("fraud",)):
        shop.answer(task, NO, NO)
    shop.settle()
    shop.send("r2", 5, policies=("fraud",))
    gold = {row.item_id: row.partition for row in shop.ledger.golden.items()}
    told = paint(shop.ledger, made)
    for item_id, name, group in zip(made.ids, told.names, told.group, strict=True):
        is_sealed = gold.get(item_id) == "sealed"
        assert (GROUPS[group] == SEALED) == is_sealed
        assert (name == "") == is_sealed  # nobody is told which item it is
    assert told.counts["picked"] == 5
    assert told.counts["gold: train"] == sum(part == "train" for part in gold.values()) > 0
    first = paint(shop.ledger, made, "r1").counts
    assert first["picked"] == told.counts["gold: train"]  # the round's own picks stand out, sealed ones do not
    assert first[SEALED] == told.counts[SEALED] > 0


def test_too_few_texts_make_no_map(tmp_path: Path) -> None:
    shop = open_shop(tmp_path)
    with pytest.raises(NothingToDo, match="goldfold score"):
        drawn(shop, tmp_path)
    shop.ledger.close()


class Halted(Exception):
    pass


def test_a_layout_that_is_stopped_or_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen

    def start(command: list[str], **more: object) -> subprocess.Popen[bytes]:
        started.append(popen([command[0], "-c", "import sys; sys.exit(sys.stdin.read())"], **more))  # type: ignore[call-overload]
        return started[-1]

    def halt(_seconds: float) -> None:
        raise Halted

    def fail(_seconds: float) -> None:
        pipe = started[-1].stdin
        assert pipe is not None
        if not pipe.closed:
            pipe.write(b"out of memory")
            pipe.close()
        started[-1].wait(30)

    monkeypatch.setattr("labeling.insights.embedding_map.subprocess.Popen", start)
    vectors = np.eye(40, dtype=np.float32)
    with pytest.raises(Halted):
        in_process(halt)(vectors, 0, tmp_path, lambda _done, _of: None)
    assert started[0].poll() is not None
    with pytest.raises(StoreError, match=r"status 1: out of memory"):
        in_process(fail)(vectors, 0, tmp_path, lambda _done, _of: None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_real_layout_keeps_neighbours_together_and_is_the_same_by_its_seed(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    middles = rng.normal(size=(3, 32)) * 4
    kind = np.repeat(np.arange(3), 40)
    vectors = np.asarray(middles[kind] + rng.normal(size=(120, 32)), np.float32)
    steps: list[int] = []
    places = in_process()(vectors, 3, tmp_path, lambda done, _of: steps.append(done))
    far = np.linalg.norm(places[:, None] - places[None], axis=2) + np.diag(np.full(120, np.inf))
    assert (kind[far.argmin(axis=1)] == kind).mean() > 0.95
    assert steps == sorted(steps)
    assert np.array_equal(places, in_process()(vectors, 3, tmp_path, lambda _done, _of: None))
    assert list(tmp_path.iterdir()) == []
