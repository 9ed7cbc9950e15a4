from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.errors import PlanOutdated, StoreError
from labeling.store import gap
from labeling.store.lake import LanceLake
from tests.contracts.lake import everyone, ids
from tests.contracts.records import item

NUMBERS = st.lists(st.integers(0, 60), max_size=40, unique=True)


def filled(folder: Path, groups: dict[str, list[int]], commits: int = 3) -> LanceLake:
    """A lake of 61 items, each group written in several commits."""
    lake = LanceLake(folder, keep_versions_s=0)
    for start in range(0, 61, 20):
        lake.append([item(number) for number in range(start, min(61, start + 20))])
    for name, numbers in groups.items():
        for part in (numbers[i::commits] for i in range(commits)):
            lake.add_columns(name, ids(part), {"n": pa.array(part, pa.int64())})
    return lake


@settings(deadline=None, max_examples=15)
@given(NUMBERS, NUMBERS, NUMBERS, st.lists(st.integers(0, 60), max_size=9), st.sampled_from([1, 7, 2**20]))
def test_it_is_set_algebra_however_small_the_blocks(
    present: list[int], scored: list[int], failed: list[int], deleted: list[int], block_rows: int
) -> None:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(gap, "BLOCK_ROWS", block_rows)
        lake = filled(Path(folder), {"present": present, "scored": scored, "failed": failed})
        lake.delete(ids(deleted))
        left = set(range(61)) - set(deleted) - set(scored) - set(failed)
        assert everyone(lake.gap("items", without=["scored", "failed"])) == ids(sorted(left))
        both = ids(sorted(left & set(present)))
        assert everyone(lake.gap("items", within=["present"], without=["scored", "failed"])) == both
        assert sorted(everyone(lake.gap("present", within=["items"], without=["scored", "failed"]))) == both


def test_rows_are_walked_past_the_first_block_of_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gap, "_WALK_BYTES", 2)  # 16 rows
    lake = filled(tmp_path, {"scored": list(range(0, 61, 3))})
    walk, seen = lake.gap("items", without=["scored"]), list[str]()
    while chunk := walk.take([], 7, 2**20).column("item_id").to_pylist():
        seen += chunk
    assert seen == ids([n for n in range(61) if n % 3])


def test_a_chunk_reads_no_ids_of_rows_that_were_planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is searched for an id are the fragments that came from elsewhere since the plan."""
    lake = filled(tmp_path, {"scored": list(range(30))})
    searched: list[int] = []
    real = gap._lacking

    def counted(dataset: object, fragments: list[object], table: pa.Table) -> pa.Table:
        searched.append(len(fragments))
        return real(dataset, fragments, table)

    monkeypatch.setattr(gap, "_lacking", counted)
    walk = lake.gap("items", without=["scored"])
    for part in ([30, 31], [32]):
        walk.add("scored", ids(part), {"n": pa.array(part, pa.int64())})
    lake.add_columns("scored", ids([33]), {"n": pa.array([33], pa.int64())})
    walk.add("scored", ids([33, 34]), {"n": pa.array([33, 34], pa.int64())})
    assert searched == [0, 0, 1]
    assert lake.ids("scored") == ids(list(range(35)))


@pytest.mark.parametrize(("spoil", "kind"), [(LanceLake.compact, PlanOutdated), (LanceLake.count, StoreError)])
def test_files_that_are_gone_end_the_plan_or_the_run(
    tmp_path: Path, spoil: Callable[[LanceLake], object], kind: type[Exception]
) -> None:
    lake = filled(tmp_path, {})
    walk = lake.gap("items")
    walk.take(["text"], 1, 2**20)
    spoil(lake)
    for file in (tmp_path / "items.lance" / "data").glob("*.lance"):
        file.unlink()
    with pytest.raises(kind):
        walk.take(["text"], 40, 2**20)
