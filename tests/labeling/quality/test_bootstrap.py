from __future__ import annotations

import math

import numpy as np
import pytest

from labeling.quality.bootstrap import Rows, interval

DATA = np.random.default_rng(1).normal(5, 2, 400)


def _mean(rows: Rows) -> float:
    return float(DATA[rows].mean())


def test_the_interval_of_a_mean_is_that_of_theory() -> None:
    low, high = interval(_mean, 400, draws=2000)
    error = DATA.std(ddof=1) / math.sqrt(400)
    assert low == pytest.approx(DATA.mean() - 1.96 * error, abs=0.03)
    assert high == pytest.approx(DATA.mean() + 1.96 * error, abs=0.03)


def test_the_same_seed_gives_the_same_interval() -> None:
    assert interval(_mean, 400, seed=4) == interval(_mean, 400, seed=4) != interval(_mean, 400, seed=5)


def test_copies_kept_together_do_not_narrow_the_interval() -> None:
    def mean_of_copies(rows: Rows) -> float:
        return float(DATA[rows % 40].mean())

    copies = [str(row % 40) for row in range(400)]
    grouped = interval(mean_of_copies, 400, copies)
    apart = interval(mean_of_copies, 400)
    assert grouped[1] - grouped[0] > 2 * (apart[1] - apart[0])


def test_undefined_draws_are_left_out() -> None:
    assert all(math.isnan(bound) for bound in interval(lambda rows: float(rows.sum()) * math.nan, 3))


def test_nothing_to_draw_from_and_wrong_groups_are_refused() -> None:
    with pytest.raises(ValueError, match="nothing to draw"):
        interval(_mean, 0)
    with pytest.raises(ValueError, match="1 groups for 2 rows"):
        interval(_mean, 2, ["a"])
