"""What the benchmark of the round trip says of its trips; the trip itself is walked in tests/integration."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import roundtrip
from benchmarks.roundtrip import draw, table, told
from benchmarks.roundtrip_trip import ARMS, Point, Trip


def made(arm: str, seed: int) -> Trip:
    """Two rounds; the default finds more and ranks better."""
    better = 0.1 if arm != "random" else 0.0
    points = tuple(
        Point(
            labels=100 * number,
            answers=210 * number,
            violating=int(10 * number * (1 + 10 * better)),
            auprc=0.2 * number + better + seed / 100,
            champion_auprc=0.2 + better,
            dev=None if number == 1 else 0.5,
            verdict="first" if number == 1 else "underpowered",
            golden_version=f"1.{number - 1}.0",
        )
        for number in (1, 2)
    )
    return Trip(arm, seed, 900, 800, 50, 0.1, 0.6 + seed / 100, points)


TRIPS = {arm: [made(arm, seed) for seed in range(2)] for arm in ARMS}


def test_the_table_has_a_line_a_round_and_arm_with_intervals() -> None:
    lines = list(table(TRIPS))
    assert lines[2].startswith("| 100 | auto | 210 | 20 | 0.305 [0.300, 0.310] | 0.300 [0.300, 0.300] | insufficient |")
    assert lines[2].endswith("| 2 first |")
    assert lines[5].endswith("| 0.500 [0.500, 0.500] (2 of 2) | 2 underpowered |")
    assert len(lines) == 2 + 2 * len(ARMS) + 2
    assert lines[-2].startswith("| 0 | all | | | 0.100 [0.100, 0.100] |")
    assert lines[-1].startswith("| whole pool | all | | | 0.605 [0.600, 0.610] |")


def test_the_rows_stand_beside_random_and_count_gates_that_were_held() -> None:
    auprc, violating, passed = told(TRIPS)
    assert auprc.value == pytest.approx(0.505)
    assert auprc.peer_value == pytest.approx(0.405)
    assert auprc.peer == "uniform random"
    assert (violating.value, violating.peer_value) == (40, 20)
    assert (passed.value, passed.name) == (0.0, roundtrip.NAMES[2])


def test_the_curve_is_drawn(tmp_path: Path) -> None:
    draw(TRIPS, tmp_path / "plots" / "curve.png")
    assert (tmp_path / "plots" / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_without_the_set_the_rows_say_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GOLDFOLD_DATA_DIR", str(tmp_path))
    rows = roundtrip.rows()
    assert tuple(row.name for row in rows) == roundtrip.NAMES
    assert all("not measured" in row.hardware for row in rows)
