"""The cascade benchmark measures what it says, at a size that a test can afford."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import cascade, scoring
from scoring import cascade_fit


@pytest.mark.slow
def test_it_makes_the_rows_it_promises(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GOLDFOLD_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(cascade, "MADE", 600)
    monkeypatch.setattr(cascade, "TRAIN", 9000)
    monkeypatch.setattr(cascade, "ROUNDS", 2)
    monkeypatch.setattr(cascade, "SPLITS", 2)
    monkeypatch.setattr(cascade, "FLAGGED", 0.1)
    monkeypatch.setattr(scoring, "REPEATS", 1)
    monkeypatch.setattr(cascade_fit, "EPOCHS", 1)
    rows = cascade.rows()
    assert tuple(row.name for row in rows) == cascade.NAMES
    assert all("made texts" in row.hardware for row in rows)
    assert "ratios" in rows[0].hardware
    assert rows[0].peer_value is not None
    assert rows[0].ratio == pytest.approx(rows[0].value / rows[0].peer_value)
    assert [row.unit for row in rows[2:]] == ["% lost"] * 2
    assert all(0 <= row.value <= 100 for row in rows[1:])
    assert "positives lost among" in rows[1].hardware
