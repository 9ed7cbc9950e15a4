"""The scoring benchmark measures what it says, at a size that a test can afford."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import scoring


def test_it_makes_the_rows_it_promises(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GOLDFOLD_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(scoring, "TEXTS", 8)
    monkeypatch.setattr(scoring, "REPEATS", 1)
    monkeypatch.setattr(scoring, "PRODUCTS", 2)
    rows = scoring.rows()
    assert tuple(row.name for row in rows) == scoring.NAMES
    for row in rows:
        assert row.value > 0
        assert row.peer_value is not None
        assert row.ratio == pytest.approx(row.value / row.peer_value)
        assert "1 thread" in row.hardware
    assert ["2 made texts" in rows[0].hardware, "8 made texts" in rows[1].hardware] == [True, True]


def test_texts_are_the_same_each_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GOLDFOLD_DATA_DIR", str(tmp_path))
    texts, kind = scoring.sample_texts()
    assert (texts, kind) == scoring.sample_texts()
    assert len(texts) == scoring.TEXTS
