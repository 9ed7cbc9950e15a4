from __future__ import annotations

import math

import numpy as np
import pytest

from labeling.quality.forecast import Point, forecast

RISING = [Point(n, 0.5 + 0.05 * math.log(n / 100), 0.002) for n in (100, 200, 400, 800)]
FLAT = [Point(n, 0.8, 0.001) for n in (1000, 2000, 4000, 8000)]


def test_a_curve_that_rises_says_go_on() -> None:
    told = forecast(RISING, 800)
    assert told.value == pytest.approx(5 * math.log(2))
    assert told.low is not None
    assert told.low > 0.5
    assert (told.verdict, told.n, told.more) == ("go on", 4, 800)
    assert told.reason == "another 800 labels are worth +3.5 +- 0.2 points"


def test_a_flat_curve_says_stop() -> None:
    told = forecast(FLAT, 500)
    assert told.verdict == "stop"
    assert told.value == pytest.approx(0.0)
    assert told.high is not None
    assert told.high < 0.5


def test_a_curve_that_nobody_can_read_says_so() -> None:
    noisy = [Point(n, score, 0.05) for n, score in ((100, 0.6), (200, 0.5), (400, 0.7))]
    assert forecast(noisy, 400).verdict == "cannot tell"


def test_points_off_the_line_make_the_interval_wider() -> None:
    on, off = FLAT, [Point(p.labels, p.score + (0.02 if i % 2 else -0.02), p.error) for i, p in enumerate(FLAT)]
    wide, narrow = forecast(off, 500), forecast(on, 500)
    assert wide.high is not None
    assert wide.low is not None
    assert narrow.high is not None
    assert narrow.low is not None
    assert wide.high - wide.low > 5 * (narrow.high - narrow.low)


@pytest.mark.parametrize("points", [[], RISING[:2], [RISING[0]] * 5, [Point(0, 0.5, 0.1)] * 4])
def test_fewer_than_three_points_are_refused_with_the_reason(points: list[Point]) -> None:
    told = forecast(points, 500)
    assert (told.verdict, told.value, told.low, told.high) == ("refused", None, None, None)
    assert "a curve needs 3" in told.reason


def test_of_the_same_number_of_labels_the_newest_model_counts() -> None:
    assert forecast([Point(100, 0.1, 0.01), *RISING], 500) == forecast(RISING, 500)


def test_the_forecast_of_a_saturating_curve_errs_on_the_high_side() -> None:
    def true(n: int) -> float:
        return 0.9 - 4.0 / math.pow(n, 0.7)

    points = [Point(n, true(n), 0.001) for n in (200, 400, 800, 1600)]
    gain = forecast(points, 1600).value
    assert gain is not None
    assert gain > 100 * (true(3200) - true(1600))


def test_the_interval_holds_the_true_gain_of_a_noisy_line() -> None:
    rng = np.random.default_rng(0)
    sizes, held = (200, 400, 800, 1600, 3200), 0
    for _ in range(500):
        points = [Point(n, 0.4 + 0.03 * math.log(n) + rng.normal(0, 0.01), 0.01) for n in sizes]
        told = forecast(points, 1000)
        assert told.low is not None
        assert told.high is not None
        held += told.low <= 3 * math.log1p(1000 / 3200) <= told.high
    assert held / 500 >= 0.93


def test_no_labels_have_no_worth() -> None:
    with pytest.raises(ValueError, match="more: 0"):
        forecast(RISING, 0)


def test_a_points_interval_stays_within_its_range() -> None:
    low, high = Point(100, 0.95, 0.05).interval
    assert low == pytest.approx(0.95 - 1.959964 * 0.05)
    assert high == 1
