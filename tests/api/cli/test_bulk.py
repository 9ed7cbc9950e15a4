"""``goldfold score --engine daft``, with workers in this process."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from api import bulk
from api.bulk import Plan, Recipe
from api.cli import bulk as command
from api.errors import NotReady
from labeling.bulk import BulkReport, Engine, Order, Receipt, ShardWorker
from labeling.sources import Shard
from labeling.store.sink import LanceSink
from tests.api.cli.conftest import Terminal

ROWS = "\n".join(json.dumps({"id": n, "text": f"words of {n}"}) for n in range(5))


class HereCluster:
    """``api.cluster`` without Daft; keeps what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[dict[str, object]] = []

    @contextmanager
    def engine(self, order: Order, recipe: Recipe, **more: object) -> Iterator[Engine]:
        self.asked.append(more)
        worker = ShardWorker(order, recipe.build)

        def run(shards: Sequence[Shard]) -> Iterator[Receipt]:
            yield from (worker(shard) for shard in shards)

        yield run


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> HereCluster:
    made = HereCluster()
    monkeypatch.setattr(bulk, "load_cluster", lambda: made)
    return made


def test_a_source_is_scored_into_the_lake_and_a_second_run_has_nothing_to_do(
    goldfold: Terminal, cluster: HereCluster
) -> None:
    file = goldfold.file("posts.jsonl", ROWS)
    arguments = ("score", "--engine", "daft", "--source", file, "--map", "external_id=id")
    said = goldfold(*arguments)
    assert said.code == 0, said.err
    assert "5 items scored by " in said.out
    assert "5 items are new to the lake\n1 shards: 1 done now, 0 before\n" in said.out
    assert "1 of 1 shards to do" in said.err
    again = goldfold(*arguments, "--json").json
    assert (again["shards"], again["done_before"], again["scored"]) == (1, 1, 0)
    with goldfold.opened() as site:
        assert (site.ledger.items.count(), site.lake.count()) == (5, 5)
    assert goldfold("score", "--json").json["left"] == 0
    assert goldfold("ingest", goldfold.file("more.jsonl", '{"external_id": "9", "text": "x"}')).code == 0


def test_a_sink_of_its_own_and_rows_that_are_no_items(goldfold: Terminal, cluster: HereCluster) -> None:
    file = goldfold.file("posts.jsonl", ROWS + '\n{"id": 7}')
    sink = str(goldfold.folder.parent / "sink")
    said = goldfold("score", "--engine", "daft", "--source", file, "--sink", sink, "--map", "external_id=id")
    assert (said.code, LanceSink(sink).count()) == (0, 5)
    assert "1 rows are no items and were left out; the first of them:\n" in said.out
    assert "posts.jsonl: row 6: text: is missing" in said.out
    with goldfold.opened() as site:
        assert site.ledger.items.count() == 0


def test_a_dry_run_lists_the_shards_and_writes_nothing(goldfold: Terminal) -> None:
    file = goldfold.file("posts.jsonl", ROWS)
    said = goldfold("score", "--engine", "daft", "--source", file, "--dry-run")
    assert said.code == 0, said.err
    assert "1 shards with 0 rows and those of 1 files whose rows are not counted yet, 0 of them done" in said.out
    told = goldfold("score", "--engine", "daft", "--source", file, "--dry-run", "--json").json
    assert told["shards"] == [{"url": file, "first_row": 0, "rows": None, "done": False}]
    with goldfold.opened() as site:
        assert site.lake.groups() == []


def test_what_was_asked_for_reaches_the_engine(goldfold: Terminal, cluster: HereCluster) -> None:
    goldfold("ingest", goldfold.file("posts.jsonl", '{"external_id": "1", "text": "words"}'))
    assert goldfold("score", "--engine", "daft", "--workers", "3", "--ray-address", "local").code == 0
    assert cluster.asked == [{"workers": 3, "gpus": 0, "ray_address": "local"}]


def test_a_gpu_for_each_worker_where_the_device_says_so(
    goldfold: Terminal, cluster: HereCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOLDFOLD_DEVICE", "cuda")
    goldfold("ingest", goldfold.file("posts.jsonl", '{"external_id": "1", "text": "words"}'))
    goldfold("score", "--engine", "daft")
    assert [one["gpus"] for one in cluster.asked] == [1]


def test_shards_that_are_left_are_an_error_that_names_them(goldfold: Terminal, cluster: HereCluster) -> None:
    goldfold.file("posts.jsonl", ROWS)
    file = goldfold.file("posts.jsonl.gz", b"not gzip")
    said = goldfold("score", "--engine", "daft", "--source", file, "--json")
    assert (said.code, said.json["error"]) == (1, "shards-left")
    assert "posts.jsonl.gz" in said.json["problems"][0]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--source", "x"),
        ("--sink", "x"),
        ("--ray-address", "local"),
        ("--workers", "2"),
        ("--map", "text=body"),
        ("--dry-run",),
        ("--engine", "daft", "--max-items", "3"),
        ("--engine", "daft", "--id", "nightly-1"),
        ("--engine", "spark"),
    ],
)
def test_options_of_the_other_engine_are_wrong_usage(goldfold: Terminal, arguments: tuple[str, ...]) -> None:
    assert goldfold("score", *arguments).code == 2


def test_a_missing_extra_is_told_before_anything_is_loaded(goldfold: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise NotReady("daft is not installed; install goldfold[cluster] to score with --engine daft")

    monkeypatch.setattr(bulk, "load_cluster", missing)
    said = goldfold("score", "--engine", "daft", "--source", "nowhere")
    assert (said.code, "goldfold[cluster]" in said.err) == (1, True)


def test_progress_says_shards_rows_pace_and_the_time_left(capsys: pytest.CaptureFixture[str]) -> None:
    shards = [Shard(f"f{n}", "") for n in range(10)]
    plan = Plan(Order("lake", "v", {}, 10, ()), Recipe({}), shards, {shards[0].key, shards[1].key})
    now = iter([0.0, 5.0, 20.0])
    tell = command.progress_line(plan, quiet=False, clock=lambda: next(now))
    tell(BulkReport("v", 10, done_before=2, done=1, read=50))  # too soon after the first line
    tell(BulkReport("v", 10, done_before=2, done=4, read=2000))
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["score: 8 of 10 shards to do", "score: 6/10 shards, 2,000 rows, 100/s, 20 s left"]
