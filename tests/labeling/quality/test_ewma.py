from __future__ import annotations

import math

import numpy as np
import pytest

from labeling.quality.ewma import BASELINE, BATCH, chart, reach


def answers(*parts: tuple[float, int], seed: int = 0) -> list[float]:
    rng = np.random.default_rng(seed)
    return [float(x) for share, n in parts for x in (rng.random(n) < share)]


@pytest.mark.parametrize("t", [1, 2, 5, 40, 500])
def test_limits_hold_the_exact_variance(t: int) -> None:
    weight = 0.1
    coefficients = weight * (1 - weight) ** np.arange(t)  # of the newest point, the one before, ...
    assert reach(t, 2.0, weight=weight) == pytest.approx(3 * 2.0 * math.sqrt((coefficients**2).sum()))


def test_limits_start_narrow_and_reach_their_width() -> None:
    assert reach(1, 1.0) == pytest.approx(3 * 0.1)
    assert reach(10_000, 1.0) == pytest.approx(3 * math.sqrt(0.1 / 1.9))
    assert reach(50, 1.0, 0.01) > reach(50, 1.0)


def test_a_fall_is_seen_and_said_since_when() -> None:
    told = chart(answers((0.95, 150), (0.6, 200)), 0.93)
    assert told.state == "below"
    assert told.since is not None
    assert 100 < told.since <= 200
    assert told.since % BATCH == 1
    assert told.figure.value is not None
    assert told.figure.value < told.figure.low
    assert told.figure.n == 300
    assert 0 < told.figure.events <= 300
    assert told.as_dict()["state"] == "below"


def test_a_rise_is_seen_too() -> None:
    assert chart(answers((0.6, 100), (1.0, 200)), 0.7).state == "above"


def test_who_answers_as_before_is_seldom_told_to_drift() -> None:
    alarms = [chart(answers((0.95, 350), seed=seed), 0.95).figure.events > 0 for seed in range(300)]
    assert np.mean(alarms) < 0.15
    falls = [chart(answers((0.95, 50), (0.85, 300), seed=seed), 0.95).figure.events > 0 for seed in range(300)]
    assert np.mean(falls) > 0.8


def test_few_answers_are_insufficient() -> None:
    for n in (0, 5, BASELINE, BASELINE + BATCH, BASELINE + 2 * BATCH - 1):
        told = chart([1.0] * n, 0.9)
        assert (told.state, told.figure.value, told.since) == ("insufficient", None, None)
    assert chart([1.0] * (BASELINE + 2 * BATCH), 0.9).state == "steady"
