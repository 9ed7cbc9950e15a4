"""The int8 benchmark measures what it says, at a size that a test can afford."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import int8, scoring
from scoring.encoder import SentenceEncoder
from scoring.int8_encoder import Int8Encoder
from tests.scoring.tiny import write_model


@pytest.mark.slow
def test_it_makes_the_rows_it_promises(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GOLDFOLD_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(int8, "TEXTS", 12)
    monkeypatch.setattr(scoring, "REPEATS", 1)
    folder = write_model(tmp_path / "model", "bert")
    rows = int8._rows(SentenceEncoder(folder, device="cpu"), Int8Encoder(tmp_path, folder))
    assert tuple(row.name for row in rows) == int8.NAMES
    assert rows[0].peer_value is not None
    assert rows[0].ratio == pytest.approx(rows[0].value / rows[0].peer_value)
    assert 0.9 < rows[1].value < 1
    assert 0 < rows[3].value <= rows[2].value < 0.5
