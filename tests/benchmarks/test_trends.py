"""The rows come from a real day over a real lake."""

from __future__ import annotations

from benchmarks import trends


def test_a_day_is_measured_beside_one_reading() -> None:
    seconds, memory = trends.rows(items=20_000)
    assert (seconds.name, memory.name) == trends.NAMES
    assert seconds.value > 0
    assert seconds.peer_value is not None
    assert memory.value > 0
    assert "20000 items in 35 days" in seconds.hardware
