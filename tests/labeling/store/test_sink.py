"""The lake as workers write it: what is committed, what is left out, and who else writes meanwhile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.errors import InvalidInput, StoreError
from labeling.items import build_item
from labeling.records import Item
from labeling.store.datasets import Datasets
from labeling.store.groups import column_table, item_table
from labeling.store.interfaces import ITEMS
from labeling.store.lake import LanceLake
from labeling.store.sink import KeySet, LanceSink, Written, keys_of

GROUP = "scores-abc"


def items(*numbers: int, text: str = "words") -> list[Item]:
    return [build_item({"external_id": f"post-{n}", "text": f"{text} {n}"}, 1, 100, ()) for n in numbers]


def scores(these: list[Item]) -> pa.Table:
    return column_table(GROUP, [item.item_id for item in these], {"spam": pa.array([0.5] * len(these), pa.float32())})


@pytest.fixture
def sink(tmp_path: Path) -> LanceSink:
    return LanceSink(tmp_path / "lake")


def texts(sink: LanceSink) -> list[str]:
    return sorted(sink.take(sink.ids(), ["text"])["text"].to_pylist())


def test_what_is_written_is_not_there_before_it_is_committed(sink: LanceSink) -> None:
    written = sink.write(ITEMS, item_table(items(1, 2)))
    assert (sink.count(), sink.groups()) == (0, [])
    committed = sink.commit_items(written)
    assert (committed.added, committed.version, sink.count()) == (2, 1, 2)
    assert [item.external_id for item in committed.items] == ["post-1", "post-2"]
    assert LanceLake(sink.root).take([items(2)[0].item_id], ["text"])["text"].to_pylist() == ["words 2"]


def test_two_workers_that_saw_no_group_both_get_in(sink: LanceSink) -> None:
    first, second = (sink.write(ITEMS, item_table(items(n))) for n in (1, 2))
    assert (sink.commit_items(first).added, sink.commit_items(second).added) == (1, 1)
    assert texts(sink) == ["words 1", "words 2"]


def test_a_group_that_is_made_between_a_look_and_a_write_is_joined(
    sink: LanceSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, look = LanceSink(sink.root), Datasets.open

    def stale(datasets: Datasets, group: str) -> Any:
        """What a worker sees whose look comes just before the committer makes the group."""
        monkeypatch.setattr(Datasets, "open", look)
        assert look(datasets, group) is None
        sink.commit_items(sink.write(ITEMS, item_table(items(1))))

    monkeypatch.setattr(Datasets, "open", stale)
    assert sink.commit_items(worker.write(ITEMS, item_table(items(2)))).added == 1
    assert texts(sink) == ["words 1", "words 2"]


def test_a_commit_done_again_adds_nothing(sink: LanceSink) -> None:
    written = sink.write(ITEMS, item_table(items(1, 2)))
    sink.commit_items(written)
    for again in (sink, LanceSink(sink.root)):
        committed = again.commit_items(written)
        assert (committed.added, len(committed.items), committed.changed) == (0, 2, ())
    assert sink.count() == 2


def test_only_the_rows_that_lack_are_added(sink: LanceSink) -> None:
    sink.commit(sink.write(GROUP, scores(items(1, 2))))
    assert sink.commit(sink.write(GROUP, scores(items(2, 3, 4)))) == 2
    assert sink.ids(GROUP) == sorted(item.item_id for item in items(1, 2, 3, 4))


def test_other_content_under_a_known_id_is_left_out_and_told(sink: LanceSink) -> None:
    sink.commit_items(sink.write(ITEMS, item_table(items(1, 2))))
    other = items(2, 3, text="others")
    committed = sink.commit_items(sink.write(ITEMS, item_table(other)))
    assert committed.changed == (other[0].item_id,)
    assert [item.external_id for item in committed.items] == ["post-3"]
    assert texts(sink) == ["others 3", "words 1", "words 2"]
    assert sink.commit(sink.write(GROUP, scores(other)), committed.changed) == 1
    assert sink.ids(GROUP) == [other[1].item_id]


def test_what_others_write_meanwhile_is_seen(sink: LanceSink) -> None:
    sink.commit_items(sink.write(ITEMS, item_table(items(1))))
    written = sink.write(ITEMS, item_table(items(2, 3)))
    LanceLake(sink.root).append(items(3))
    assert sink.commit_items(written).added == 1
    LanceLake(sink.root).compact()
    assert sink.commit_items(written).added == 0
    assert texts(sink) == ["words 1", "words 2", "words 3"]


def test_an_erased_item_comes_back_only_with_a_new_commit(sink: LanceSink) -> None:
    sink.commit_items(sink.write(ITEMS, item_table(items(1, 2))))
    sink.delete([items(1)[0].item_id])
    sink.commit_items(sink.write(ITEMS, item_table(items(3))))
    assert texts(sink) == ["words 2", "words 3"]


def test_rows_of_another_shape_are_refused(sink: LanceSink) -> None:
    sink.commit(sink.write(GROUP, scores(items(1))))
    with pytest.raises(InvalidInput, match="spam"):
        sink.write(GROUP, column_table(GROUP, ["it_1"], {"other": pa.array([0.5], pa.float32())}))


def test_fragments_that_are_gone_are_a_store_error(sink: LanceSink) -> None:
    written = sink.write(ITEMS, item_table(items(1)))
    for file in Path(sink.root).rglob("*.lance"):
        if file.is_file():
            file.unlink()
    with pytest.raises(StoreError):
        sink.commit_items(Written(ITEMS, written.rows, written.fragments))


def test_finished_shards_are_kept_by_run_and_are_no_group(sink: LanceSink) -> None:
    assert sink.finished("run-1") == set()
    sink.finish("run-1", "aa", {"read": 1})
    sink.finish("run-1", "aa", {"read": 1})
    sink.finish("run-2", "bb", {"read": 2})
    assert (sink.finished("run-1"), sink.finished("run-2"), sink.groups()) == ({"aa"}, {"bb"}, [])


@given(st.lists(st.lists(st.integers(0, 2**64 - 1), max_size=5), max_size=40), st.integers(0, 2**64 - 1))
def test_a_key_set_knows_what_was_added(added: list[list[int]], probe: int) -> None:
    keys, known = KeySet(), set[int]()
    for part in added:
        keys.add(np.array(part, np.uint64))
        known |= set(part)
        assert all(keys.any_of(np.array([key], np.uint64)) for key in part)
    assert keys.any_of(np.array([probe], np.uint64)) == (probe in known)
    assert not keys.any_of(np.array([], np.uint64))


def test_a_key_is_the_start_of_the_id() -> None:
    ids = [item.item_id for item in items(1, 2)]
    assert keys_of(pa.array(ids)).tolist() == [int(item_id[3:19], 16) for item_id in ids]
