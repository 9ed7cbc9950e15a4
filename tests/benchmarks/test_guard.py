"""The benchmark of guard models measures what it says, at a size that a test can afford."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import guard, scoring


def test_it_makes_the_rows_it_promises(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GOLDFOLD_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(guard, "TEXTS", 2)
    monkeypatch.setattr(guard, "SIZES", guard.SIZES | {"hidden_size": 32, "num_hidden_layers": 1})
    monkeypatch.setattr(scoring, "REPEATS", 1)
    rows = guard.rows()
    assert tuple(row.name for row in rows) == guard.NAMES
    for row in rows:
        assert row.peer in guard.PEERS
        assert row.peer_value is not None
        assert row.ratio == pytest.approx(row.value / row.peer_value)
        assert "1 thread; 2 made texts under 8 policies" in row.hardware


def test_a_race_of_different_answers_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GOLDFOLD_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(guard, "TEXTS", 1)
    monkeypatch.setattr(guard, "AGREE", -1.0)
    monkeypatch.setattr(guard, "SIZES", guard.SIZES | {"hidden_size": 32, "num_hidden_layers": 1})
    with pytest.raises(RuntimeError, match="apart"):
        guard.rows()
