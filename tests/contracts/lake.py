"""What every lake promises.

Subclass ``LakeContract`` with a fixture ``opener``: a function that opens the same, at first empty, lake.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from random import Random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labeling.errors import DuplicateItem, InvalidInput, PlanOutdated, UnknownItem
from labeling.records import Item
from labeling.store.interfaces import Gap, Lake
from tests.contracts.records import item

LakeOpener = Callable[[], Lake]
VECTORS = "embeddings-test"


def vectors(numbers: list[int], width: int = 4) -> pa.Array:
    """Row i is filled with numbers[i], as a fixed-size list of float16."""
    rows = np.repeat(np.array(numbers, dtype=np.float16), width)
    return pa.FixedSizeListArray.from_arrays(pa.array(rows), width)


def ids(numbers: list[int]) -> list[str]:
    return [f"item-{number:06}" for number in numbers]


def everyone(gap: Gap) -> list[str]:
    """The ids of all that is left of a gap."""
    left = len(gap)
    taken: list[str] = gap.take([], 10**6, 2**40).column("item_id").to_pylist()
    assert (left, len(gap)) == (len(taken), 0)
    return taken


class LakeContract:
    @pytest.fixture
    def opener(self) -> LakeOpener:
        raise NotImplementedError("the subclass says how to open its lake")

    @pytest.fixture
    def lake(self, opener: LakeOpener) -> Lake:
        return opener()

    def test_an_empty_lake_says_so(self, lake: Lake) -> None:
        assert (lake.snapshot(), lake.count(), lake.groups(), lake.ids(), lake.ids(VECTORS)) == (0, 0, [], [], [])
        assert lake.append([]) == 0
        assert list(lake.scan(["text"])) == []
        assert lake.missing(VECTORS) == []
        lake.delete(["nobody"])
        lake.compact()
        with pytest.raises(UnknownItem, match="'items'"):
            lake.take(["nobody"], ["text"])

    def test_items_come_back_as_they_went_in(self, lake: Lake) -> None:
        bare = item(2, text="", created_at=None, policies=())
        odd = item(3, text="tab\t, nul-free, emoji 👩🏽‍🚀, عربى", external_id='it\'s "odd"', policies=("hate", "spam"))
        lake.append([item(1), bare, odd])
        names = [field.name for field in fields(Item)]
        rows = lake.take(ids([3, 1, 2]), names).to_pylist()
        assert [Item(**{**row, "policies": tuple(row["policies"])}) for row in rows] == [odd, item(1), bare]

    def test_each_append_is_one_commit(self, lake: Lake) -> None:
        first = lake.append([item(number) for number in range(5)])
        second = lake.append([item(number) for number in range(5, 9)])
        assert 0 < first < second == lake.snapshot()
        assert (lake.count(), lake.groups()) == (9, ["items"])

    def test_items_already_there_are_skipped(self, lake: Lake) -> None:
        version = lake.append([item(1), item(1), item(2)])
        assert lake.append([item(2), item(1)]) == version
        lake.append([item(2), item(3)])
        assert lake.ids() == ids([1, 2, 3])
        assert lake.count() == 3

    def test_items_with_other_content_are_refused_whole(self, lake: Lake) -> None:
        lake.append([item(1)])
        with pytest.raises(DuplicateItem, match="'ext-1'"):
            lake.append([item(2), item(1, text="edited")])
        with pytest.raises(DuplicateItem, match="row 1"):
            lake.append([item(3), item(3, text="edited")])
        assert lake.ids() == ids([1])

    def test_values_the_lake_cannot_hold_are_refused(self, lake: Lake) -> None:
        with pytest.raises(InvalidInput, match="cannot hold"):
            lake.append([item(1), item(2, market="lone \ud800")])
        with pytest.raises(InvalidInput, match="cannot hold"):
            lake.append([item(1, views=2**70)])
        assert lake.count() == 0

    def test_column_groups_grow_beside_the_items(self, lake: Lake) -> None:
        lake.append([item(number) for number in range(6)])
        lake.add_columns(VECTORS, ids([4, 1]), {"vector": vectors([4, 1])})
        assert lake.missing(VECTORS) == ids([0, 2, 3, 5])
        lake.add_columns(VECTORS, ids([0, 1, 2]), {"vector": vectors([0, 99, 2])})
        lake.add_columns("scores-a", ids([1]), {"hate": pa.array([0.5], pa.float32())})
        assert lake.groups() == [VECTORS, "items", "scores-a"]
        assert (lake.count(VECTORS), lake.ids(VECTORS)) == (4, ids([0, 1, 2, 4]))
        taken = lake.take(ids([2, 1, 4]), ["vector"], VECTORS)
        assert taken.column_names == ["item_id", "vector"]
        assert taken.schema.field("vector").type == pa.list_(pa.float16(), 4)
        assert [row[0] for row in taken.column("vector").to_pylist()] == [2.0, 1.0, 4.0]

    def test_adding_all_again_commits_nothing(self, lake: Lake) -> None:
        version = lake.add_columns(VECTORS, ids([1, 2]), {"vector": vectors([1, 2])})
        assert lake.add_columns(VECTORS, ids([2, 1]), {"vector": vectors([2, 1])}) == version
        assert lake.add_columns(VECTORS, [], {"vector": vectors([])}) == version

    def test_columns_that_do_not_fit_are_refused(self, lake: Lake) -> None:
        lake.add_columns(VECTORS, ids([1]), {"vector": vectors([1])})
        wrong: list[tuple[str, list[str], dict[str, pa.Array], str]] = [
            (VECTORS, ids([2]), {"vector": vectors([2], width=8)}, "vector is fixed_size_list"),
            (VECTORS, ids([2]), {"vector": pa.array([1.0])}, "vector is double"),
            (VECTORS, ids([2]), {"other": pa.array([1.0])}, "lack vector"),
            (VECTORS, ids([2]), {"vector": vectors([2]), "more": pa.array([1])}, "has no more"),
            (VECTORS, ids([2, 3]), {"vector": vectors([2])}, "1 values for 2"),
            (VECTORS, ids([2, 2]), {"vector": vectors([2, 2])}, "come twice: 'item-000002'"),
            ("scores", ids([2]), {"item_id": pa.array(["x"])}, "item_id"),
        ]
        for group, keys, columns, words in wrong:
            with pytest.raises(InvalidInput, match=words):
                lake.add_columns(group, keys, columns)
        assert lake.ids(VECTORS) == ids([1])

    @pytest.mark.parametrize("name", ["", "../x", "a/b", "a b", ".hidden", "x" * 200, "naïve"])
    def test_group_names_are_safe(self, lake: Lake, name: str) -> None:
        with pytest.raises(InvalidInput, match="column group"):
            lake.count(name)
        with pytest.raises(InvalidInput, match="column group"):
            lake.add_columns(name, ids([1]), {"vector": vectors([1])})

    def test_take_names_what_is_missing(self, lake: Lake) -> None:
        lake.append([item(1)])
        with pytest.raises(UnknownItem, match=r"'a', 'b', 'c', 'd', 'e' and 2 more"):
            lake.take(["a", "b", "item-000001", "c", "d", "a", "e", "f", "g"], ["text"])
        with pytest.raises(InvalidInput, match=r"no column colour; it has item_id, external_id, text"):
            lake.take(ids([1]), ["colour"])
        with pytest.raises(InvalidInput, match="no column colour"):
            lake.scan(["colour"])

    def test_take_repeats_and_takes_nothing(self, lake: Lake) -> None:
        lake.append([item(1), item(2)])
        assert lake.take(ids([2, 1, 2]), ["views"]).to_pydict() == {"item_id": ids([2, 1, 2]), "views": [2, 1, 2]}
        none = lake.take([], ["item_id", "views"])
        assert (none.column_names, none.num_rows) == (["item_id", "views"], 0)

    def test_a_scan_is_one_version_in_batches(self, lake: Lake) -> None:
        lake.append([item(number) for number in range(50)])
        batches = lake.scan(["views"], batch_rows=20)
        first = next(batches)
        lake.append([item(number) for number in range(50, 60)])
        seen = [first, *batches]
        assert first.schema.names == ["item_id", "views"]
        assert max(batch.num_rows for batch in seen) <= 20
        assert sorted(view for batch in seen for view in batch.column("views").to_pylist()) == list(range(50))

    def test_deleted_rows_are_gone_from_every_group(self, lake: Lake) -> None:
        lake.append([item(number) for number in range(6)])
        lake.append([item(9, item_id="it's")])
        lake.add_columns(VECTORS, ids([0, 1, 2]), {"vector": vectors([0, 1, 2])})
        lake.delete([*ids([1, 4]), "it's", "nobody"])
        lake.delete(ids([1]))
        assert lake.ids() == ids([0, 2, 3, 5])
        assert lake.ids(VECTORS) == ids([0, 2])
        assert lake.take(ids([5, 2]), ["views"]).column("views").to_pylist() == [5, 2]
        with pytest.raises(UnknownItem):
            lake.take(ids([1]), ["vector"], VECTORS)
        lake.append([item(1)])
        assert lake.ids() == ids([0, 1, 2, 3, 5])

    def test_compact_changes_no_answer(self, lake: Lake) -> None:
        for number in range(8):
            lake.append([item(number)])
        lake.delete(ids([3]))
        scan = lake.scan(["views"], batch_rows=2)
        before = next(scan).num_rows
        lake.compact()
        assert before + sum(batch.num_rows for batch in scan) == 7
        assert lake.ids() == ids([0, 1, 2, 4, 5, 6, 7])
        assert lake.take(ids([7, 0]), ["views"]).column("views").to_pylist() == [7, 0]
        assert lake.append([item(3)]) > 8

    def test_everyone_sees_what_is_committed(self, opener: LakeOpener) -> None:
        one, two = opener(), opener()
        one.append([item(1)])
        assert two.ids() == ids([1])
        two.append([item(2)])
        two.add_columns(VECTORS, ids([2]), {"vector": vectors([2])})
        assert (one.ids(), one.missing(VECTORS), one.snapshot()) == (ids([1, 2]), ids([1]), two.snapshot())
        assert opener().ids() == ids([1, 2])

    def test_a_gap_is_who_lacks_something(self, lake: Lake) -> None:
        lake.append([item(number) for number in range(8)])
        lake.add_columns(VECTORS, ids([6, 1, 2, 3]), {"vector": vectors([6, 1, 2, 3])})
        lake.add_columns("scores", ids([1, 7]), {"hate": pa.array([0.5, 0.5], pa.float32())})
        assert everyone(lake.gap("items")) == ids(list(range(8)))
        assert everyone(lake.gap("items", without=["scores", VECTORS])) == ids([0, 4, 5])
        assert everyone(lake.gap("items", within=[VECTORS], without=["scores", "nothing"])) == ids([2, 3, 6])
        assert sorted(everyone(lake.gap(VECTORS, within=["items"], without=["scores"]))) == ids([2, 3, 6])
        lake.append([item(20, modality="image", media="a.jpg"), item(21)])
        texts = {"modality": "text"}
        assert everyone(lake.gap("items", without=["scores", VECTORS], where=texts)) == ids([0, 4, 5, 21])
        assert everyone(lake.gap("items", where={"modality": "image"})) == ids([20])
        assert everyone(lake.gap("items", within=["scores"], where={"modality": "video"})) == []
        assert everyone(lake.gap("items", within=["nothing"])) == everyone(lake.gap("nothing")) == []
        with pytest.raises(InvalidInput, match="column group"):
            lake.gap("a/b")

    def test_a_gap_is_taken_in_chunks_that_are_not_too_large(self, lake: Lake) -> None:
        lake.append([item(number, text="x" * 1000) for number in range(3000)])
        gap = lake.gap("items")
        first = gap.take(["text"], 100, 2**20)
        assert (first.column_names, first.num_rows, len(gap)) == (["item_id", "text"], 100, 2900)
        small = gap.take(["text"], 2900, 1)  # never nothing while something is left
        assert 0 < small.num_rows < 2900
        rest = gap.take([], 10_000, 2**30)
        taken = [key for table in (first, small, rest) for key in table.column("item_id").to_pylist()]
        assert taken == ids(list(range(3000)))
        assert (len(gap), gap.take(["text"], 10, 2**20).num_rows, gap.take(["text"], 0, 2**20).num_rows) == (0, 0, 0)

    def test_a_gap_is_filled_once_whoever_else_fills_it(self, opener: LakeOpener) -> None:
        lake, other = opener(), opener()
        lake.append([item(number) for number in range(6)])
        lake.add_columns(VECTORS, ids([5]), {"vector": vectors([5])})
        gap = lake.gap("items", without=[VECTORS])
        gap.add(VECTORS, ids([0, 1]), {"vector": vectors([0, 1])})
        other.add_columns(VECTORS, ids([2]), {"vector": vectors([99])})
        gap.add(VECTORS, ids([2, 3]), {"vector": vectors([2, 3])})
        gap.add(VECTORS, ids([4]), {"vector": vectors([4])})
        gap.add("scores", ids([0]), {"hate": pa.array([0.5], pa.float32())})
        gap.add("scores", ids([1]), {"hate": pa.array([0.9], pa.float32())})
        assert lake.ids(VECTORS) == ids(list(range(6)))
        there = lake.take(ids([0, 1, 2, 3, 4, 5]), ["vector"], VECTORS).column("vector").to_pylist()
        assert [row[0] for row in there] == [0, 1, 99, 3, 4, 5]
        assert lake.count("scores") == 2
        with pytest.raises(InvalidInput, match="vector is double"):
            gap.add(VECTORS, ids([0]), {"vector": pa.array([1.0])})

    def test_a_gap_ends_when_rows_may_have_gone_and_not_when_some_come(self, lake: Lake) -> None:
        for start in (0, 3):
            lake.append([item(number) for number in range(start, start + 3)])
        before = lake.gap("items", without=[VECTORS])
        lake.append([item(9)])
        before.add(VECTORS, ids([0]), {"vector": vectors([0])})
        assert not before.is_outdated()
        assert everyone(before) == ids(list(range(6)))  # as it was
        lake.delete(ids([1]))
        assert before.is_outdated()
        with pytest.raises(PlanOutdated, match="deleted"):
            before.add(VECTORS, ids([1, 2]), {"vector": vectors([1, 2])})
        after = lake.gap("items", without=[VECTORS])
        assert everyone(after) == ids([2, 3, 4, 5, 9])
        assert not after.is_outdated()
        lake.compact()
        with pytest.raises(PlanOutdated, match="compacted"):
            after.add(VECTORS, ids([2]), {"vector": vectors([2])})
        assert lake.ids(VECTORS) == ids([0])

    @settings(
        max_examples=10,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
    )
    @given(batches=st.lists(st.lists(st.integers(0, 30), max_size=8), max_size=4), asked=st.randoms())
    def test_any_batches_in_any_order_hold_each_item_once(
        self, lake: Lake, batches: list[list[int]], asked: Random
    ) -> None:
        for batch in batches:
            lake.append([item(number) for number in batch])
        held = lake.ids()
        assert set(ids([number for batch in batches for number in batch])) <= set(held)
        assert len(held) == len(set(held)) == lake.count()
        asked.shuffle(held)
        if held:
            assert lake.take(held, ["text"]).column("item_id").to_pylist() == held
