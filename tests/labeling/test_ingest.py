"""Content comes in whole or not at all, once, and a killed ingest can start again."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling import ingest as module
from labeling.errors import DuplicateItem, InvalidInput, StoreError
from labeling.ingest import IngestReport, ingest, one_writer, sweep_orphans
from labeling.items import item_id_of
from labeling.readers import column_map
from labeling.records import Item
from labeling.store.interfaces import ItemRegistry
from labeling.store.lake import LanceLake
from labeling.store.ledger import open_ledger
from tests.realdata import real_set

RowValues = dict[str, object]


@dataclass
class Stores:
    lake: LanceLake
    registry: ItemRegistry
    lock_path: Path

    def ingest(self, source: Path | Sequence[RowValues], **options: object) -> IngestReport:
        rules = {"lock_path": self.lock_path, "max_text_chars": 1000, "policies": ("spam",)}
        return ingest(source, self.lake, self.registry, **{**rules, **options})  # type: ignore[arg-type]

    def texts(self) -> dict[str, str]:
        """external_id -> text of everything both stores agree on; fails when they do not."""
        ids = self.lake.ids()
        assert len(ids) == len(set(ids)) == self.registry.count()
        assert self.registry.unknown_ids(ids) == []
        table = self.lake.take(ids, ["external_id", "text"]) if ids else None
        rows = table.to_pylist() if table is not None else []
        return {row["external_id"]: row["text"] for row in rows}


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    ledger = open_ledger(f"sqlite:///{tmp_path}/ledger.db")
    yield Stores(LanceLake(tmp_path / "lake"), ledger.items, tmp_path / "ingest.lock")
    ledger.close()


def rows_of(n: int, start: int = 0) -> list[RowValues]:
    return [{"external_id": f"e{i}", "text": f"text {i}"} for i in range(start, start + n)]


def jsonl(path: Path, rows: Sequence[RowValues]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def texts_of(rows: Sequence[RowValues]) -> dict[str, str]:
    return {str(row["external_id"]): str(row["text"]) for row in rows}


def test_a_file_goes_in_and_the_same_file_again_adds_nothing(stores: Stores, tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", rows_of(25))
    assert stores.ingest(path, chunk_rows=10) == IngestReport(25, 25, 0, 0, 0, False)
    version = stores.lake.snapshot()
    assert stores.ingest(path, chunk_rows=10) == IngestReport(25, 0, 25, 0, 0, False)
    assert stores.lake.snapshot() == version
    assert stores.texts() == texts_of(rows_of(25))


def test_what_is_new_in_a_grown_file_is_added(stores: Stores) -> None:
    stores.ingest(rows_of(10))
    assert stores.ingest(rows_of(15), chunk_rows=4) == IngestReport(15, 5, 10, 0, 0, False)
    assert stores.texts() == texts_of(rows_of(15))


def test_every_row_names_the_lake_version_that_holds_it(stores: Stores) -> None:
    stores.ingest(rows_of(10), chunk_rows=5)
    known = stores.registry.known([f"e{i}" for i in range(10)])
    assert len({item.lake_version for item in known.values()}) == 2
    assert stores.registry.last_lake_version() == stores.lake.snapshot()


def test_copies_under_other_ids_are_items_of_their_own_and_a_row_twice_is_one(stores: Stores) -> None:
    rows: list[RowValues] = [{"external_id": name, "text": "buy now"} for name in ("a", "b", "a")]
    assert stores.ingest(rows) == IngestReport(3, 2, 0, 1, 0, False)
    assert stores.texts() == {"a": "buy now", "b": "buy now"}


def test_every_field_reaches_the_lake(stores: Stores) -> None:
    row = {"external_id": "a", "text": "t", "language": "pt-BR", "market": "BR", "surface": "chat", "views": 9}
    stores.ingest([{**row, "created_at": "2026-01-31T12:00:00Z", "policies": "spam"}])
    columns = ["language", "market", "surface", "views", "created_at", "policies"]
    [kept] = stores.lake.take([item_id_of("a")], columns).to_pylist()
    assert [kept[name] for name in columns[:4]] == ["pt-BR", "BR", "chat", 9]
    assert kept["created_at"].isoformat() == "2026-01-31T12:00:00+00:00"
    assert list(kept["policies"]) == ["spam"]


def test_one_bad_row_refuses_the_whole_file_and_every_problem_is_named(stores: Stores, tmp_path: Path) -> None:
    bad: list[RowValues] = [{"external_id": "x", "text": ""}, {"text": "t", "views": -1}]
    path = jsonl(tmp_path / "a.jsonl", [*rows_of(30), *bad])
    with path.open("ab") as file:
        file.write(b"{oops\n")
    with pytest.raises(InvalidInput) as caught:
        stores.ingest(path, chunk_rows=10)
    assert str(caught.value).startswith(f"{path}: 4 problems, refused; the first: row 31: text: is empty")
    assert [line.split(": ")[:2] for line in caught.value.problems] == [
        ["row 31", "text"],
        ["row 32", "external_id"],
        ["row 32", "views"],
        ["row 33", "is not a JSON row"],
    ]
    assert stores.texts() == {}
    assert stores.lake.snapshot() == 0


def test_the_first_problems_are_kept_and_all_are_counted(stores: Stores) -> None:
    with pytest.raises(InvalidInput, match="items: 120 problems") as caught:
        stores.ingest([{"external_id": f"e{i}", "text": ""} for i in range(120)])
    assert len(caught.value.problems) == module.MAX_PROBLEMS


def test_an_unknown_column_is_told_once_and_can_be_dropped(stores: Stores, tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", [{**row, "label": 1} for row in rows_of(5)])
    with pytest.raises(InvalidInput, match="1 problem, refused; the first: row 1: 'label': unknown column"):
        stores.ingest(path)
    assert stores.ingest(path, columns=column_map(drops=["label"])).added == 5


def test_one_id_with_two_contents_in_a_file_names_both_rows(stores: Stores) -> None:
    rows: list[RowValues] = [*rows_of(3), {"external_id": "e1", "text": "other"}]
    with pytest.raises(DuplicateItem, match="row 4: external_id: 'e1' is in row 2 too, with other content"):
        stores.ingest(rows, chunk_rows=2)
    assert stores.texts() == {}


def test_a_known_id_with_other_content_is_refused(stores: Stores) -> None:
    stores.ingest(rows_of(3))
    with pytest.raises(DuplicateItem, match="row 2: external_id: 'e1' is there already, with other content"):
        stores.ingest([{"external_id": "new", "text": "t"}, {"external_id": "e1", "text": "other"}])
    assert stores.texts() == texts_of(rows_of(3))


def test_nothing_is_no_ingest(stores: Stores, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="items: holds no rows"):
        stores.ingest([])
    with pytest.raises(InvalidInput, match="holds no rows"):
        stores.ingest(jsonl(tmp_path / "a.jsonl", []))


def test_a_dry_run_says_what_would_be_and_writes_nothing(stores: Stores) -> None:
    stores.ingest(rows_of(2))
    version = stores.lake.snapshot()
    assert stores.ingest(rows_of(5), dry_run=True) == IngestReport(5, 3, 2, 0, 0, True)
    assert stores.lake.snapshot() == version
    assert stores.registry.count() == 2


def test_progress_is_told_step_by_step(stores: Stores) -> None:
    seen: list[tuple[str, int, int | None]] = []
    stores.ingest(rows_of(25), chunk_rows=10, progress=lambda *told: seen.append(told))
    checking = [("checking", done, None) for done in (10, 20, 25)]
    assert seen == [*checking, ("writing", 10, 25), ("writing", 20, 25), ("writing", 25, 25)]


class Crash(BaseException):
    """A kill, as a test can play it: no handler of the code under test may catch it."""


class CrashingRegistry:
    """A registry whose process dies before (or after) the n-th chunk is registered."""

    def __init__(self, real: ItemRegistry, chunk: int, *, after: bool) -> None:
        self._real, self._left, self._after = real, chunk, after

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)

    def register(self, items: Sequence[Item], lake_version: int) -> None:
        self._left -= 1
        if self._left == 0 and not self._after:
            raise Crash
        self._real.register(items, lake_version)
        if self._left == 0:
            raise Crash


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("chunk", [1, 2, 3])
def test_a_crash_between_lake_and_ledger_loses_nothing_and_doubles_nothing(
    stores: Stores, chunk: int, after: bool
) -> None:
    rows = rows_of(25)
    crashing = Stores(stores.lake, CrashingRegistry(stores.registry, chunk, after=after), stores.lock_path)  # type: ignore[arg-type]
    with pytest.raises(Crash):
        crashing.ingest(rows, chunk_rows=10)
    registered = stores.registry.count()
    report = stores.ingest(rows, chunk_rows=10)
    assert report.orphans_swept == (0 if after else len(rows_of(25)[10 * (chunk - 1) : 10 * chunk]))
    assert (report.added, report.already_there) == (25 - registered, registered)
    assert stores.texts() == texts_of(rows)


def test_after_a_crash_the_same_id_may_come_with_other_content(stores: Stores) -> None:
    crashing = Stores(stores.lake, CrashingRegistry(stores.registry, 1, after=False), stores.lock_path)  # type: ignore[arg-type]
    with pytest.raises(Crash):
        crashing.ingest([{"external_id": "a", "text": "typo"}])
    assert stores.ingest([{"external_id": "a", "text": "mended"}]).orphans_swept == 1
    assert stores.texts() == {"a": "mended"}


def test_orphans_can_be_swept_without_an_ingest(stores: Stores) -> None:
    assert sweep_orphans(stores.lake, stores.registry) == 0
    stores.ingest(rows_of(2))
    crashing = Stores(stores.lake, CrashingRegistry(stores.registry, 1, after=False), stores.lock_path)  # type: ignore[arg-type]
    with pytest.raises(Crash):
        crashing.ingest(rows_of(3, start=2))
    assert sweep_orphans(stores.lake, stores.registry) == 3
    assert stores.texts() == texts_of(rows_of(2))


class FullLake(LanceLake):
    """A lake whose disk is full from the second chunk on."""

    def append(self, items: Sequence[Item]) -> int:
        if self.count():
            raise StoreError("the disk is full; free some space")
        return super().append(items)


def test_a_full_disk_leaves_whole_chunks_and_a_later_run_goes_on(stores: Stores) -> None:
    full = Stores(FullLake(stores.lake.root), stores.registry, stores.lock_path)
    with pytest.raises(StoreError, match="the disk is full"):
        full.ingest(rows_of(25), chunk_rows=10)
    assert stores.texts() == texts_of(rows_of(10))
    assert stores.ingest(rows_of(25), chunk_rows=10).added == 15
    assert stores.texts() == texts_of(rows_of(25))


def test_a_file_that_changes_between_the_passes_is_told(stores: Stores, tmp_path: Path) -> None:
    path = jsonl(tmp_path / "a.jsonl", rows_of(20))

    def rewrite(step: str, done: int, total: int | None) -> None:
        if done == 20 and step == "checking":
            jsonl(path, [*rows_of(10), *(changed | {"text": "other"} for changed in rows_of(10, start=10))])

    with pytest.raises(InvalidInput, match="changed while it was read; 10 of its rows were added"):
        stores.ingest(path, chunk_rows=10, progress=rewrite)
    assert stores.texts() == texts_of(rows_of(10))


def test_two_writers_at_once_add_each_row_once(stores: Stores) -> None:
    reports: list[IngestReport] = []
    gate = threading.Barrier(3)

    def work() -> None:
        gate.wait()
        reports.append(stores.ingest(rows_of(60), chunk_rows=7))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(report.added for report in reports) == 60
    assert all(report.read == 60 and report.orphans_swept == 0 for report in reports)
    assert stores.texts() == texts_of(rows_of(60))


def test_a_writer_waits_its_turn_and_gives_up_in_time(tmp_path: Path) -> None:
    path = tmp_path / "ingest.lock"
    with one_writer(path), pytest.raises(StoreError, match="another ingest is writing"), one_writer(path, 0.1):
        pass
    with one_writer(path, 0.1):
        pass


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    path = tmp_path / "ingest.lock"
    code = (
        "import sys, time, pathlib\nfrom labeling.ingest import one_writer\n"
        "with one_writer(pathlib.Path(sys.argv[1])):\n    print('held', flush=True)\n    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(StoreError), one_writer(path, 0.1):
            pass
        holder.kill()
    with one_writer(path, 1.0):
        pass


def test_a_lock_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be written"), one_writer(tmp_path / "file" / "lock"):
        pass


def test_memory_grows_with_ids_and_not_with_content(stores: Stores, tmp_path: Path) -> None:
    path = tmp_path / "big.jsonl.gz"
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps({"external_id": f"e{i}", "text": f"{i} " + "x" * 9_990}) + "\n" for i in range(3000))
    tracemalloc.start()
    try:
        stores.ingest(path, max_text_chars=10_000, chunk_rows=100)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10 * 2**20  # the file holds 30 MB of text, a chunk 1 MB


@settings(deadline=None, max_examples=15)
@given(
    st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("xyz")), min_size=1, max_size=12),
    st.integers(1, 5),
)
def test_any_list_goes_in_whole_or_not_at_all(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, str]], chunk_rows: int
) -> None:
    folder = tmp_path_factory.mktemp("stores")
    ledger = open_ledger(f"sqlite:///{folder}/ledger.db")
    stores = Stores(LanceLake(folder / "lake"), ledger.items, folder / "lock")
    rows: list[RowValues] = [{"external_id": name, "text": text} for name, text in pairs]
    agree = len(set(pairs)) == len(dict(pairs))
    if agree:
        report = stores.ingest(rows, chunk_rows=chunk_rows)
        assert (report.read, report.added, report.repeated) == (len(rows), len(set(pairs)), len(rows) - len(set(pairs)))
        assert stores.texts() == dict(pairs)
    else:
        with pytest.raises(DuplicateItem):
            stores.ingest(rows, chunk_rows=chunk_rows)
        assert stores.texts() == {}
    ledger.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "drops", "count"),
    [
        ("tweets", ("label", "votes"), 24_783),
        ("hatecheck", ("label", "functionality", "target", "template", "annotations"), 3_728),
        ("moderation", ("labels",), 1_680),
    ],
)
def test_the_real_sets_go_in(stores: Stores, name: str, drops: tuple[str, ...], count: int) -> None:
    columns = column_map([] if name == "moderation" else ["language=lang"], drops)
    path = real_set(f"{name}.jsonl.gz")
    assert stores.ingest(path, columns=columns, max_text_chars=20_000).added == count
    assert stores.ingest(path, columns=columns, max_text_chars=20_000).added == 0
    assert stores.lake.count() == stores.registry.count() == count
