from __future__ import annotations

import pytest

from benchmarks import golden


def test_rows_are_those_that_are_promised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(golden, "in_own_process", lambda measure: measure())
    monkeypatch.setenv("GOLDFOLD_BENCH_GOLDEN_ROWS", "200")
    monkeypatch.setenv("GOLDFOLD_BENCH_GOLDEN_FOLDER", "")
    rows = {row.name: row for row in golden.rows()}
    assert tuple(rows) == golden.NAMES
    assert all(row.value > 0 for row in rows.values())
    assert "s for 180 rows" in rows["golden_export"].unit
    assert "200 rows with as many, 4 differ" in rows["golden_diff"].hardware
    assert "for 200 rows of a version" in rows["golden_verify"].unit
