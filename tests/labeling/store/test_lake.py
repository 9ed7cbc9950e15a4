"""The Lance lake: its contract, crashes, several processes, and storage that fails."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow as pa
import pytest

from labeling.errors import StoreError
from labeling.store import groups
from labeling.store import lake as lake_module
from labeling.store.lake import LanceLake
from tests.contracts.lake import VECTORS, LakeContract, LakeOpener, ids, vectors
from tests.contracts.records import item
from tests.labeling.store import processes

APPEND_FOREVER = """
import sys
from labeling.store.lake import LanceLake
from tests.contracts.records import item
lake = LanceLake(sys.argv[1])
for batch in range(10_000):
    lake.append([item(batch * 500 + number) for number in range(500)])
    print(batch, flush=True)
"""

APPEND_THE_SAME = """
import sys
from labeling.store.lake import LanceLake
from tests.contracts.lake import VECTORS, ids, vectors
from tests.contracts.records import item
lake = LanceLake(sys.argv[1])
for batch in range(5):
    numbers = list(range(batch * 100, batch * 100 + 100))
    lake.append([item(number) for number in numbers])
    lake.add_columns(VECTORS, ids(numbers), {"vector": vectors(numbers)})
"""

FILL_THE_DISK = """
import resource, signal, sys
from labeling.errors import StoreError
from labeling.store.lake import LanceLake
from tests.contracts.records import item
lake = LanceLake(sys.argv[1])
lake.append([item(1)])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
try:
    lake.append([item(number) for number in range(2, 5_000)])
except StoreError as error:
    print(error)
print(lake.count())
"""


class TestLanceLake(LakeContract):
    @pytest.fixture
    def opener(self, tmp_path: Path) -> LakeOpener:
        return lambda: LanceLake(tmp_path / "lake")


class TestLanceLakeByUri(LakeContract):
    """A URI takes the way of an object store: no folder of ours, no file lock."""

    @pytest.fixture
    def opener(self, tmp_path: Path) -> LakeOpener:
        (tmp_path / "lake").mkdir()
        return lambda: LanceLake(f"file://{tmp_path}/lake")


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.0, 0.004, 0.03])
def test_killed_in_an_append_it_holds_whole_batches(tmp_path: Path, seconds: float) -> None:
    root = tmp_path / "lake"
    processes.kill_after(processes.start(APPEND_FOREVER, root), lines=2, seconds=seconds)
    lake = LanceLake(root)
    batches, rest = divmod(lake.count(), 500)
    assert (batches >= 2, rest) == (True, 0)
    assert lake.ids() == ids(list(range(batches * 500)))
    lake.append([item(number) for number in range(batches * 500 + 7)])
    assert lake.count() == batches * 500 + 7
    lake.compact()
    assert lake.take(ids([batches * 500]), ["views"]).column("views").to_pylist() == [batches * 500]


@pytest.mark.slow
def test_processes_writing_the_same_write_it_once(tmp_path: Path) -> None:
    root = tmp_path / "lake"
    for process in [processes.start(APPEND_THE_SAME, root) for _ in range(2)]:
        processes.finish(process)
    lake = LanceLake(root)
    assert (lake.count(), lake.count(VECTORS)) == (500, 500)
    assert lake.ids() == lake.ids(VECTORS) == ids(list(range(500)))


def test_a_full_disk_is_said_and_loses_nothing(tmp_path: Path) -> None:
    said, count = processes.finish(processes.start(FILL_THE_DISK, tmp_path / "lake")).splitlines()
    assert "free some space" in said
    assert str(tmp_path / "lake") in said
    assert count == "1"
    lake = LanceLake(tmp_path / "lake")
    lake.append([item(number) for number in range(1, 5_000)])
    assert lake.count() == 4_999


def test_a_folder_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    for root in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/goldfold")):
        with pytest.raises(StoreError, match=str(root)):
            LanceLake(root)


def test_a_folder_that_went_away_is_not_an_empty_lake(tmp_path: Path) -> None:
    lake = LanceLake(tmp_path / "lake")
    lake.append([item(1)])
    shutil.rmtree(tmp_path / "lake")
    for ask in (lake.count, lake.groups, lake.snapshot, lambda: lake.append([item(2)])):
        with pytest.raises(StoreError, match="the folder is gone"):
            ask()


def test_a_damaged_dataset_is_said(tmp_path: Path) -> None:
    lake = LanceLake(tmp_path / "lake")
    lake.append([item(1)])
    for manifest in (tmp_path / "lake" / "items.lance" / "_versions").glob("*.manifest"):
        manifest.write_bytes(b"no manifest")
    with pytest.raises(StoreError, match="restore a backup") as caught:
        lake.count()
    assert ".rs:" not in str(caught.value)


def test_a_first_append_killed_before_its_commit_left_nothing(tmp_path: Path) -> None:
    (tmp_path / "lake" / "items.lance" / "data").mkdir(parents=True)
    lake = LanceLake(tmp_path / "lake")
    assert (lake.groups(), lake.count(), lake.snapshot()) == ([], 0, 0)
    lake.append([item(1)])
    assert lake.ids() == ids([1])


def test_compact_takes_erased_rows_off_the_disk(tmp_path: Path) -> None:
    lake = LanceLake(tmp_path / "lake", keep_versions_s=0)
    secret = "a text that must go"
    lake.append([item(1, text=secret), item(2)])
    lake.add_columns(VECTORS, ids([1, 2]), {"vector": vectors([1, 2])})
    lake.delete(ids([1]))
    lake.compact()
    files = [path.read_bytes() for path in (tmp_path / "lake").rglob("*") if path.is_file()]
    assert not any(secret.encode() in content for content in files)
    assert lake.ids() == ids([2])


def test_a_lake_of_an_older_goldfold_gets_the_new_columns_and_keeps_its_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old_schema = pa.schema([field for field in groups.ITEM_SCHEMA if field.name != "media"])
    with monkeypatch.context() as patch:
        patch.setattr(groups, "ITEM_SCHEMA", old_schema)
        patch.setattr(lake_module, "ITEM_SCHEMA", old_schema)
        old = LanceLake(tmp_path / "lake")
        old.append([item(1), item(2)])
        old.add_columns(VECTORS, ids([1]), {"vector": vectors([1])})
        assert "media" not in old.columns("items")
    lake = LanceLake(tmp_path / "lake")
    assert lake.append([item(1), item(3, modality="image", media="a.jpg")]) == lake.snapshot()
    assert lake.take(ids([3, 1]), ["media", "views"]).to_pydict() == {
        "item_id": ids([3, 1]),
        "media": ["a.jpg", None],
        "views": [3, 1],
    }
    assert lake.count(VECTORS) == 1
    version = lake.snapshot()
    assert LanceLake(tmp_path / "lake").snapshot() == version
