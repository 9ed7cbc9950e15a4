from __future__ import annotations

import math

import numpy as np
import pytest

from labeling.quality.speed import paces, speed


def crowd(n: int = 2000, seed: int = 0) -> tuple[list[float], list[int]]:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(10, 2000, n)
    return (0.05 * lengths * np.exp(rng.normal(0, 0.4, n))).tolist(), lengths.tolist()


def test_long_items_may_take_long() -> None:
    seconds, lengths = crowd()
    told = paces(seconds, lengths)
    long = np.array(lengths) > 1024
    assert abs(float(np.median(told[long, 0]))) < 0.05
    assert float((told[:, 1] < -3).mean()) < 0.01


def test_somebody_who_does_not_read_stands_out() -> None:
    seconds, lengths = crowd()
    seconds[:60] = [s / 20 for s in seconds[:60]]
    told = paces(seconds, lengths)
    hasty, other = speed(told[:60]), speed(told[60:160])
    assert hasty.rushed.value is not None
    assert hasty.rushed.low > 0.9
    assert (hasty.rushed.n, other.rushed.n) == (60, 100)
    assert hasty.ratio.value == pytest.approx(0.05, rel=0.3)
    assert hasty.ratio.low < 0.05 * 1.3
    assert 0.8 < other.ratio.low < other.ratio.high < 1.3
    assert other.rushed.high < 0.1


def test_the_interval_of_the_median_holds_it() -> None:
    rng = np.random.default_rng(2)
    held = []
    for _ in range(400):
        own = rng.normal(0, 0.5, (25, 2))
        told = speed(own).ratio
        held.append(told.low <= 1.0 <= told.high)
    assert np.mean(held) >= 0.94


def test_few_answers_are_insufficient() -> None:
    told = speed(np.zeros((12, 2)))
    assert (told.rushed.value, told.ratio.value, told.ratio.high) == (None, None, math.inf)
    assert speed(np.zeros((0, 2))).ratio.n == 0
    assert speed(np.zeros((13, 2))).ratio.value == 1.0


def test_no_answers_and_equal_lead_times() -> None:
    assert paces([], []).shape == (0, 2)
    assert not paces([3.0] * 30, [100] * 30).any()


def test_a_lead_time_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="not above 0"):
        paces([1.0, 0.0], [10, 10])
