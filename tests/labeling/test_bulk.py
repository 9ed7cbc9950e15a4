"""Scoring over many workers, on an engine in this process that dies when it is told to."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.bulk import ATTEMPTS, BulkReport, Foreman, Order, Receipt, Register, ShardWorker, adopt, order_of
from labeling.errors import ShardsLeft, StoreError
from labeling.ingest import ingest
from labeling.items import item_id_of
from labeling.readers import column_map
from labeling.score_run import score_chunk
from labeling.scorebook import embedding_group, embeddings, failure_group, note_group, notes_of, read_sheet, score_group
from labeling.sources import Shard, list_shards
from labeling.store.interfaces import ITEMS
from labeling.store.ledger import SqlLedger, open_ledger
from labeling.store.sink import LanceSink, Written
from scoring.base import Failure, Note, Progress, Scores
from scoring.errors import DeviceError, ModelNotFound

Row = dict[str, object]


class LengthScorer:
    """Scores a text by its length; what speaks of ``fail`` fails, a text with ``bare`` gets no embedding, and one with
    ``windows`` two notes."""

    name = "length"
    policies = ("spam",)
    embedding_version = "enc-1"

    def __init__(self, version: str = "len-1") -> None:
        self.version = version
        self.seen: list[str] = []

    def score(self, ids: Sequence[str], texts: Sequence[str], progress: Progress | None = None) -> Scores:
        self.seen += texts
        good = [n for n, text in enumerate(texts) if "fail" not in text]
        lengths = np.array([[len(texts[n]) / 1000] for n in good], np.float32).reshape(-1, 1)
        unit = np.array([[0.0 if "bare" in texts[n] else 1.0, 0.0] for n in good], np.float16).reshape(-1, 2)
        failures = tuple(Failure(ids[n], "it fails") for n in range(len(ids)) if n not in good)
        notes = tuple(
            Note(ids[n], told) for n in good for told in ("in windows", "cut at last") if "windows" in texts[n]
        )
        return Scores(tuple(ids[n] for n in good), self.policies, lengths, unit, failures, notes)

    def score_embeddings(self, ids: Sequence[str], embeddings: object) -> Scores:
        raise AssertionError(f"{', '.join(ids)} were scored from their embeddings")


class Engine:
    """Workers in this process. ``lives``: how many shards each run of it finishes before it dies; then it lives on."""

    def __init__(self, order: Order, scorer: LengthScorer, lives: Sequence[int] = ()) -> None:
        self.worker = ShardWorker(order, lambda: scorer)
        self.lives = list(lives)
        self.runs = 0

    def __call__(self, shards: Sequence[Shard]) -> Iterator[Receipt]:
        self.runs += 1
        life = self.lives.pop(0) if self.lives else len(shards)
        for shard in shards[:life]:
            yield Receipt.from_json(self.worker(shard).as_json())
        if life < len(shards):
            raise ShardsLeft("a worker ended before it was done")


class Mortal(LanceSink):
    """A sink whose process dies before its n-th step of committing."""

    def __init__(self, root: Path | str, steps: int) -> None:
        super().__init__(root)
        self.steps = steps

    def commit_items(self, written: Written) -> object:  # type: ignore[override]
        self._step()
        return super().commit_items(written)

    def commit(self, written: Written, without: Sequence[str] = ()) -> int:
        self._step()
        return super().commit(written, without)

    def finish(self, run: str, key: str, record: dict[str, object]) -> None:
        self._step()
        super().finish(run, key, record)

    def _step(self) -> None:
        self.steps -= 1
        if self.steps < 0:
            raise StoreError("killed")


def post(n: int, text: str = "") -> Row:
    return {"external_id": f"post-{n}", "text": text or f"words of {n}"}


def write(folder: Path, *files: Sequence[Row]) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    for number, rows in enumerate(files):
        (folder / f"part-{number}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return str(folder)


def make_order(sink: Path | str, scorer: LengthScorer, **more: bool) -> Order:
    return order_of(scorer, str(sink), {}, 1000, ["spam"], own=more.get("own", False))


def run(source: str, sink: Path, scorer: LengthScorer | None = None, lives: Sequence[int] = ()) -> BulkReport:
    scorer = scorer or LengthScorer()
    order = make_order(sink, scorer)
    return Foreman(LanceSink(sink), order).run(list_shards(source), Engine(order, scorer, lives))


def check(sink: Path | str, texts: dict[str, str]) -> None:
    """The sink holds these texts, each once, with its score or failure and its embedding."""
    lake, scorer = LanceSink(sink), LengthScorer()
    there = lake.take(lake.ids(), ["external_id", "text"])
    assert dict(zip(there["external_id"].to_pylist(), there["text"].to_pylist(), strict=True)) == texts
    assert lake.count() == len(texts)
    good = sorted(item_id_of(name) for name, text in texts.items() if "fail" not in text)
    bad = sorted(item_id_of(name) for name, text in texts.items() if "fail" in text)
    for group, ids in ((score_group(scorer), good), (failure_group(scorer), bad), (embedding_group(scorer), good)):
        assert lake.ids(group) == ids
    rows = lake.take(good, ["spam"], score_group(scorer)).to_pylist() if good else []
    by_id = {item_id_of(name): text for name, text in texts.items()}
    assert [row["spam"] for row in rows] == pytest.approx([len(by_id[row["item_id"]]) / 1000 for row in rows])


def test_a_source_becomes_a_lake_that_the_rest_reads(tmp_path: Path) -> None:
    source = write(tmp_path / "src", [post(1), post(2, "this will fail")], [post(3), post(3), post(4, "bare words")])
    report = run(source, tmp_path / "lake")
    assert (report.shards, report.done, report.read, report.added) == (2, 2, 5, 4)
    assert (report.scored, report.failed, report.skipped, report.refused) == (3, 1, 1, 0)
    lake, scorer = LanceSink(tmp_path / "lake"), LengthScorer()
    with_vectors = [item_id_of("post-1"), item_id_of("post-3")]
    assert lake.ids(embedding_group(scorer)) == sorted(with_vectors)
    assert embeddings(lake, "enc-1", with_vectors).tolist() == [[1.0, 0.0]] * 2
    assert read_sheet(lake, scorer, with_vectors).probabilities.shape == (2, 1)
    assert score_chunk(lake, scorer, 10).left == 0
    assert scorer.seen == []


def test_what_was_read_in_windows_keeps_its_note_and_is_never_scored_from_its_embedding(tmp_path: Path) -> None:
    source = write(tmp_path / "src", [post(1), post(2, "long, in windows")])
    run(source, tmp_path / "lake")
    lake, noted = LanceSink(tmp_path / "lake"), item_id_of("post-2")
    assert lake.ids(note_group(LengthScorer())) == [noted]
    assert notes_of(lake, noted) == {"enc-1": "in windows; cut at last"}
    lake.delete([item_id_of("post-1")])
    later = LengthScorer("len-2")
    assert score_chunk(lake, later, 10).left == 0
    assert later.seen == ["long, in windows"]


def test_a_note_is_there_before_the_embedding_that_it_speaks_of(tmp_path: Path) -> None:
    source, scorer = write(tmp_path / "src", [post(1, "long, in windows")]), LengthScorer()
    order = make_order(tmp_path / "lake", scorer)
    for steps in range(6):
        with suppress(StoreError):
            Foreman(Mortal(tmp_path / "lake", steps), order).run(list_shards(source), Engine(order, scorer))
        lake = LanceSink(tmp_path / "lake")
        embedded = lake.ids(embedding_group(scorer)) if embedding_group(scorer) in lake.groups() else []
        assert not embedded or lake.ids(note_group(scorer)) == embedded
    assert lake.ids(embedding_group(scorer)) == [item_id_of("post-1")]


def test_a_second_run_does_nothing_and_a_changed_file_only_what_is_new(tmp_path: Path) -> None:
    source = write(tmp_path / "src", [post(1)], [post(2)])
    run(source, tmp_path / "lake")
    report = run(source, tmp_path / "lake")
    assert (report.done_before, report.done, report.read) == (2, 0, 0)
    write(tmp_path / "src", [post(1), post(3)])
    report = run(source, tmp_path / "lake")
    assert (report.done_before, report.done, report.read, report.added) == (1, 1, 2, 1)
    check(tmp_path / "lake", {f"post-{n}": f"words of {n}" for n in (1, 2, 3)})


def test_another_scorer_or_another_map_does_the_shards_again(tmp_path: Path) -> None:
    source = write(tmp_path / "src", [post(1)])
    run(source, tmp_path / "lake")
    assert run(source, tmp_path / "lake", LengthScorer("len-2")).scored == 1
    one = make_order(tmp_path, LengthScorer())
    other = order_of(LengthScorer(), str(tmp_path), column_map(["text=body"]), 1000, ["spam"], own=False)
    assert one.run != other.run
    assert Order.from_json(other.as_json()) == other


def test_rows_that_are_no_items_are_told_and_the_rest_is_scored(tmp_path: Path) -> None:
    rows: list[Row] = [post(1), {"text": "no id"}, {"external_id": "b", "text": " "}, {**post(1), "text": "others"}]
    source = write(tmp_path / "src", rows)
    (tmp_path / "src" / "part-1.jsonl").write_text('{"external_id": "c"\n' + json.dumps({**post(2), "colour": "red"}))
    report = run(source, tmp_path / "lake")
    assert (report.read, report.refused, report.added) == (6, 4, 2)
    assert [problem.rpartition("/")[2][:19] for problem in report.problems] == [
        "part-0.jsonl: row 2", "part-0.jsonl: row 3", "part-0.jsonl: row 4", "part-1.jsonl: row 1"
    ]  # fmt: skip
    assert "comes twice" in report.problems[2]


def test_a_shard_of_nothing_but_bad_rows_is_done(tmp_path: Path) -> None:
    report = run(write(tmp_path / "src", [{"text": "no id"}]), tmp_path / "lake")
    assert (report.done, report.refused, report.added) == (1, 1, 0)


def test_the_first_content_of_an_id_stays_over_shards(tmp_path: Path) -> None:
    source = write(tmp_path / "src", [post(1)], [post(1, "other words"), post(2)], [post(1), post(3)])
    report = run(source, tmp_path / "lake")
    assert (report.added, report.scored, report.changed) == (3, 3, 1)
    check(tmp_path / "lake", {f"post-{n}": f"words of {n}" for n in (1, 2, 3)})


def test_workers_that_die_are_replaced_until_nothing_helps(tmp_path: Path) -> None:
    source = write(tmp_path / "src", *([post(n)] for n in range(6)))
    scorer = LengthScorer()
    order = make_order(tmp_path / "lake", scorer)
    engine = Engine(order, scorer, lives=[0, 2, 0, 0, 1, 0])
    report = Foreman(LanceSink(tmp_path / "lake"), order).run(list_shards(source), engine)
    assert (report.done, engine.runs) == (6, 7)
    check(tmp_path / "lake", {f"post-{n}": f"words of {n}" for n in range(6)})
    hopeless = Engine(make_order(tmp_path / "other", scorer), scorer, lives=[1] + [0] * 9)
    with pytest.raises(ShardsLeft, match=r"5 of 6 shards are left.*a worker ended") as caught:
        Foreman(LanceSink(tmp_path / "other"), order).run(list_shards(source), hopeless)
    assert hopeless.runs == 1 + ATTEMPTS
    assert len(caught.value.problems) == 5


def test_a_shard_that_cannot_be_read_is_named_and_the_others_are_done(tmp_path: Path) -> None:
    source = write(tmp_path / "src", [post(1)], [post(2)])
    (tmp_path / "src" / "part-2.jsonl.gz").write_bytes(b"not gzip")
    for _ in range(2):
        with pytest.raises(ShardsLeft, match=r"1 of 3 shards.*part-2.jsonl.gz"):
            run(source, tmp_path / "lake")
    (tmp_path / "src" / "part-2.jsonl.gz").unlink()
    report = run(source, tmp_path / "lake")
    assert (report.shards, report.done_before) == (2, 2)


def test_a_worker_with_another_model_writes_nothing(tmp_path: Path) -> None:
    source = write(tmp_path / "src", [post(1)])
    order = make_order(tmp_path / "lake", LengthScorer())
    with pytest.raises(ShardsLeft, match="a worker's scorer is len-2, the run is for len-1"):
        Foreman(LanceSink(tmp_path / "lake"), order).run(list_shards(source), Engine(order, LengthScorer("len-2")))
    assert LanceSink(tmp_path / "lake").groups() == []


@pytest.mark.parametrize(("error", "told"), [(ModelNotFound("no weights here"), True), (DeviceError("broke"), False)])
def test_a_model_that_is_missing_is_told_and_a_broken_device_ends_the_worker(
    tmp_path: Path, error: Exception, told: bool
) -> None:
    def build() -> LengthScorer:
        raise error

    worker = ShardWorker(make_order(tmp_path / "lake", LengthScorer()), build)
    (shard,) = list_shards(write(tmp_path / "src", [post(1)]))
    if told:
        assert worker(shard).error == "no weights here"
    else:
        with pytest.raises(DeviceError):
            worker(shard)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqlLedger]:
    opened = open_ledger(f"sqlite:///{tmp_path}/ledger.db")
    yield opened
    opened.close()


def take_in(tmp_path: Path, ledger: SqlLedger, rows: Sequence[Row]) -> None:
    lake = LanceSink(tmp_path / "lake")
    lock = tmp_path / "ingest.lock"
    ingest(rows, lake, ledger.items, lock_path=lock, max_text_chars=1000, policies=["spam"])


def test_items_are_registered_so_that_an_ingest_does_not_sweep_them(tmp_path: Path, ledger: SqlLedger) -> None:
    take_in(tmp_path, ledger, [post(0)])
    source = write(tmp_path / "src", [post(0), post(1)], [post(2)])
    scorer = LengthScorer()
    order = make_order(tmp_path / "lake", scorer)
    register = Register(ledger.items, tmp_path / "ingest.lock")
    report = Foreman(LanceSink(tmp_path / "lake"), order, register).run(list_shards(source), Engine(order, scorer))
    assert (report.added, report.scored, ledger.items.count()) == (2, 3, 3)
    take_in(tmp_path, ledger, [post(3)])
    assert (ledger.items.count(), LanceSink(tmp_path / "lake").count()) == (4, 4)


def test_a_lake_that_was_scored_elsewhere_is_adopted(tmp_path: Path, ledger: SqlLedger) -> None:
    run(write(tmp_path / "src", [post(1)], [post(2)]), tmp_path / "lake")
    register = Register(ledger.items, tmp_path / "ingest.lock")
    assert adopt(LanceSink(tmp_path / "lake"), register) == 2
    assert adopt(LanceSink(tmp_path / "lake"), register) == 0
    take_in(tmp_path, ledger, [post(3)])
    assert LanceSink(tmp_path / "lake").count() == 3


def test_a_lake_as_its_own_source_gets_what_it_lacks(tmp_path: Path, ledger: SqlLedger) -> None:
    take_in(tmp_path, ledger, [post(n) for n in range(6)] + [post(6, "will fail")])
    lake, scorer = LanceSink(tmp_path / "lake"), LengthScorer()
    score_chunk(lake, scorer, 2)
    order = make_order(lake.root, scorer, own=True)
    scorer.seen.clear()
    shards = list_shards(f"{lake.root}/{ITEMS}.lance", 3)
    report = Foreman(lake, order).run(shards, Engine(order, scorer))
    assert (report.shards, report.added, report.scored, report.failed, report.skipped) == (3, 0, 4, 1, 2)
    assert len(scorer.seen) == 5
    check(lake.root, {**{f"post-{n}": f"words of {n}" for n in range(6)}, "post-6": "will fail"})


ROWS = st.tuples(st.integers(0, 9), st.sampled_from(["words", "will fail"]))


@settings(max_examples=40, deadline=None)
@given(
    files=st.lists(st.lists(ROWS, min_size=1, max_size=5), min_size=1, max_size=4),
    deaths=st.lists(st.tuples(st.integers(0, 12), st.lists(st.integers(0, 2), max_size=2)), max_size=4),
)
def test_whoever_dies_and_whenever_nothing_is_lost_or_doubled(
    tmp_path_factory: pytest.TempPathFactory, files: list[list[tuple[int, str]]], deaths: list[tuple[int, list[int]]]
) -> None:
    folder = tmp_path_factory.mktemp("run")
    texts = {n: text for rows in files for n, text in rows}  # one content for each id
    shards = list_shards(write(folder / "src", *([post(n, texts[n]) for n, _ in rows] for rows in files)))
    scorer = LengthScorer()
    order = make_order(folder / "lake", scorer)
    for steps, lives in deaths:  # each is a foreman that dies while it commits, and workers that die too
        try:
            Foreman(Mortal(folder / "lake", steps), order).run(shards, Engine(order, scorer, lives))
        except StoreError:
            continue
    Foreman(LanceSink(folder / "lake"), order).run(shards, Engine(order, scorer))
    check(folder / "lake", {f"post-{n}": text for n, text in texts.items()})
