"""The rows come from a real answer over a real lake and ledger."""

from __future__ import annotations

import pytest

from benchmarks import coverage


def test_an_answer_is_measured_and_its_dearest_step_beside_two_peers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coverage, "in_own_process", lambda measure: measure())
    monkeypatch.setenv("GOLDFOLD_BENCH_COVERAGE_TEXTS", "4000")
    rows = coverage.rows()
    assert tuple(row.name for row in rows) == coverage.NAMES
    assert all(row.value > 0 for row in rows)
    assert "4,000 texts, 200 golden" in rows[0].hardware
    assert [row.ratio is not None and row.ratio > 0 for row in rows[2:]] == [True, True]
