from __future__ import annotations

import math

import numpy as np
import pytest

from labeling.quality.bootstrap import Rows, counted, interval, middle, resamples

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


KINDS = np.random.default_rng(2).choice(4, 300, p=[0.6, 0.25, 0.1, 0.05])
GROUPS = [f"g{row // 3 if row < 150 else row}" for row in range(300)]


@pytest.mark.parametrize("groups", [None, GROUPS])
def test_counts_are_drawn_as_rows_are(groups: list[str] | None) -> None:
    by_rows = np.array([np.bincount(KINDS[rows], minlength=4) for rows in resamples(300, groups, draws=4000)])
    told = counted(KINDS, groups, seed=1, draws=4000)
    assert told.shape == (4000, 4)
    assert np.abs(told.mean(axis=0) - by_rows.mean(axis=0)).max() < 0.6  # four standard errors of the largest
    assert told.std(axis=0) == pytest.approx(by_rows.std(axis=0), rel=0.06)
    assert np.corrcoef(told.T) == pytest.approx(np.corrcoef(by_rows.T), abs=0.08)
    share = told[:, 0] / told.sum(axis=1)
    assert middle(share.tolist()) == pytest.approx(interval(lambda r: (KINDS[r] == 0).mean(), 300, groups), abs=0.012)


def test_without_groups_each_draw_has_as_many_rows_as_there_are() -> None:
    assert set(counted(KINDS).sum(axis=1)) == {300}
    assert counted(KINDS, ["one"] * 300).tolist() == [np.bincount(KINDS).tolist()] * 400


def test_counts_do_not_hang_on_the_order_of_rows() -> None:
    order = np.random.default_rng(3).permutation(300)
    shuffled = counted(KINDS[order], [GROUPS[row] for row in order])
    assert (shuffled == counted(KINDS, GROUPS)).all()
    assert (shuffled != counted(KINDS, GROUPS, seed=1)).any()


def test_counts_of_nothing_and_of_wrong_groups_are_refused() -> None:
    with pytest.raises(ValueError, match="nothing to draw"):
        counted(KINDS[:0])
    with pytest.raises(ValueError, match="1 groups for 2 rows"):
        counted(KINDS[:2], ["a"])
