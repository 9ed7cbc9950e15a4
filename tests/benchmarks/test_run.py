"""Benchmarks are found, run one by one, and their rows kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import run
from benchmarks.row import Row, hardware
from benchmarks.run import Bench, chosen, discover, main, measure, merge, table

FAST = Row("fast", 1234.5, "rows/s", "floor", 2469.0, 0.5, ">= 1,000 rows/s")
SLOW = Row("slow", 0.5, "s")
BENCH = Bench("speed", ("fast", "slow"), lambda: [FAST, SLOW])


def test_every_module_that_promises_rows_is_found() -> None:
    found = {bench.module: bench for bench in discover()}
    assert "ingest_rows_per_s" in found["ingest"].names
    assert "row" not in found
    assert all(callable(bench.rows) for bench in found.values())


def test_one_can_be_chosen_by_module_or_row() -> None:
    other = Bench("other", ("x",), list)
    assert chosen([BENCH, other], None) == [BENCH, other]
    assert chosen([BENCH, other], "speed") == [BENCH]
    [only] = chosen([BENCH, other], "slow")
    assert [row.name for row in measure(only)] == ["slow"]
    with pytest.raises(ValueError, match="no benchmark is called 'fats'; there are speed: fast, slow; other: x"):
        chosen([BENCH, other], "fats")


def test_measured_rows_carry_the_hardware_and_none_is_missing() -> None:
    assert {row.hardware for row in measure(BENCH)} == {hardware()}
    with pytest.raises(ValueError, match=r"benchmarks.gone made no row b"):
        measure(Bench("gone", ("a", "b"), lambda: [Row("a", 1.0, "s")]))


def test_rows_are_merged_by_name(tmp_path: Path) -> None:
    path = tmp_path / "build" / "bench.json"
    merge([SLOW, FAST], path)
    merge([Row("slow", 0.25, "s"), Row("a", 1.0, "s")], path)
    kept = json.loads(path.read_text(encoding="utf-8"))
    assert [(row["name"], row["value"]) for row in kept] == [("a", 1.0), ("fast", 1234.5), ("slow", 0.25)]
    assert [entry.name for entry in path.parent.iterdir()] == ["bench.json"]


def test_the_table_shows_every_row() -> None:
    assert table([FAST, SLOW]).row_count == 2
    assert list(table([FAST]).columns[1].cells) == ["1,234"]
    assert list(table([SLOW]).columns[1].cells) == ["0.5"]


def test_an_unknown_name_ends_with_an_error_that_names_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nonsense"]) == 2
    assert "ingest_rows_per_s" in capsys.readouterr().err


def test_a_run_writes_the_file_and_prints_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run, "discover", lambda: [BENCH])
    assert main(["fast"]) == 0
    assert [row["name"] for row in json.loads(Path("build/bench.json").read_text(encoding="utf-8"))] == ["fast"]
    assert "[1/1] speed: fast" in capsys.readouterr().out
