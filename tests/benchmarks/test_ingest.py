"""The ingest benchmark measures what it says, at a size that a test can afford."""

from __future__ import annotations

import pytest

from benchmarks import ingest


def test_it_makes_the_rows_it_promises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "ROWS", 200)
    monkeypatch.setattr(ingest, "REPEATS", 1)
    rows = ingest.rows()
    assert tuple(row.name for row in rows) == ingest.NAMES
    for row in rows:
        assert row.value > 0
        assert row.peer_value is not None
        assert row.ratio == pytest.approx(row.value / row.peer_value)
