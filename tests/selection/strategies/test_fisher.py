from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selection.hashing import F64
from selection.strategies.fisher import RIDGE, Head, forward
from selection.strategies.registry import find
from tests.contracts.chooser import ChooserContract
from tests.selection.made import made_candidates


class TestBait(ChooserContract):
    name = "bait"


def head(seed: int = 0, m: int = 12, d: int = 4) -> tuple[F64, F64, F64, F64]:
    """Points, p (1 - p), pool and known information."""
    rng = np.random.default_rng(seed)
    points, many, few = (rng.standard_normal((count, d)) for count in (m, 40, 3))
    return points, rng.random(m) * 0.25, many.T @ many / 40, 0.2 * few.T @ few


def trace(points: F64, spread: F64, pool: F64, known: F64, rows: list[int]) -> float:
    mine = points[rows]
    information = known + RIDGE * np.eye(points.shape[1]) + (mine.T * spread[rows]) @ mine
    return float(np.trace(np.linalg.inv(information) @ pool))


@given(seed=st.integers(0, 10_000))
def test_a_gain_is_what_the_trace_falls_by(seed: int) -> None:
    points, spread, pool, known = head(seed)
    made = Head.made(points, spread, pool, known)
    rows: list[int] = []
    for row in (3, 8, 5):
        before = trace(points, spread, pool, known, rows)
        falls = [before - trace(points, spread, pool, known, [*rows, other]) for other in range(12)]
        assert np.allclose(made.gains(), falls, atol=1e-9)
        rows.append(row)
        made = made.added(points, row)
        assert made.trace() == pytest.approx(trace(points, spread, pool, known, rows))


def test_forward_is_plain_greedy() -> None:
    points, spread, pool, known = head()
    plain: list[int] = []
    for _ in range(5):
        left = [row for row in range(12) if row not in plain]
        plain.append(min(left, key=lambda row: trace(points, spread, pool, known, [*plain, row])))
    found, policies = forward(
        points, [Head.made(points, spread, pool, known)], np.ones(1), np.ones((12, 1), dtype=bool), 5
    )
    assert found.tolist() == plain
    assert policies.tolist() == [0] * 5


def test_what_is_known_already_is_worth_less() -> None:
    points, spread, pool, _ = head()
    informed = Head.made(points, spread, pool, 100.0 * np.outer(points[0], points[0]))
    fresh = Head.made(points, spread, pool, np.zeros_like(pool))
    assert informed.gains()[0] < 0.1 * fresh.gains()[0]


def test_a_closed_pair_is_never_chosen() -> None:
    candidates = made_candidates(60, policies=2, labelled=20)
    candidates.open[:, 1] = False
    assert (find("bait")(candidates, 60, 0).policies == 0).all()
