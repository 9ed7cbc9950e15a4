from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kstest

from labeling.quality.trends import LEAST_DAYS, SEASON_DAYS, WATCHED, Volumes, discoveries_of_day, volumes
from tests.labeling.quality.traffic import WEEKDAYS

DAYS = 35


def counted(grid: np.ndarray, day: int = 100) -> Volumes:  # type: ignore[type-arg]
    """``grid`` (markets, clusters, days)."""
    markets, clusters, days = grid.shape
    totals = grid.sum(axis=1)
    counts = np.concatenate([totals, grid.reshape(-1, days)])
    market = np.concatenate([np.arange(markets), np.repeat(np.arange(markets), clusters)])
    cluster = np.concatenate([np.full(markets, -1), np.tile(np.arange(clusters), markets)])
    return volumes(counts, market, cluster, totals, day)


@pytest.mark.parametrize("alpha", [0.0, 0.1])
def test_without_news_p_values_are_uniform_also_for_sparse_cells(alpha: float) -> None:
    rng = np.random.default_rng(3)
    p = []
    for day in range(40):
        mean = np.array([0.3, 2, 8, 20, 60] * 4) * rng.uniform(0.5, 2, (6, 1))
        shape = (6, 20, DAYS)
        noise = rng.gamma(1 / alpha, alpha, shape) if alpha else np.ones(shape)
        p.append(counted(rng.poisson(mean[:, :, None] * noise), day).p[6:])
    told = np.concatenate(p)
    print(f"alpha {alpha}: P(p < .01) = {(told < 0.01).mean():.4f}, mean {told.mean():.3f}")
    assert (told < 0.01).mean() < 0.013
    assert (told < 0.001).mean() < 0.002
    assert kstest(told, "uniform").statistic < 0.06


def test_totals_that_move_together_do_not_stand_out_more_often_than_their_days_tell() -> None:
    """All markets share each day's ups and downs, so their spread rests on 28 days and on no more."""
    rng, p = np.random.default_rng(5), []
    for day in range(500):
        shares = 900 * rng.dirichlet(np.full(4, 3.0))[:, None, None]
        together = rng.gamma(50, 1 / 50, DAYS) * WEEKDAYS[(day - np.arange(DAYS)[::-1]) % 7]
        p.append(counted(rng.poisson(shares * together * rng.gamma(150, 1 / 150, (4, 1, DAYS))), day).p[:4])
    told = np.concatenate(p)
    print(f"of {len(told)} totals {(told < 0.01).sum()} have p < .01, {(told < 0.001).sum()} have p < .001")
    assert (told < 0.01).mean() < 0.015
    assert (told < 0.001).mean() < 0.002


def test_rare_cells_do_not_stand_out_more_often_than_they_should() -> None:
    rng, p = np.random.default_rng(6), []
    for day in range(150):
        mean = rng.exponential(0.06, (4, 100, 1))
        p.append(counted(rng.poisson(mean * np.ones(DAYS)), day).p[4:])
    told = np.concatenate(p)
    print(f"of {len(told)} rare cells {(told < 0.01).sum()} have p < .01, {(told < 0.001).sum()} have p < .001")
    assert (told < 0.01).mean() < 0.01
    assert (told < 0.001).mean() < 0.001


def test_a_rise_stands_out_and_a_surge_of_the_whole_market_is_told_of_the_market() -> None:
    rng = np.random.default_rng(1)
    grid = rng.poisson(20, (3, 10, DAYS))
    risen = grid.copy()
    risen[1, 4, -3:] += 25
    assert int(counted(risen).p.argmin()) == 3 + 10 + 4
    surge = grid.copy()
    surge[2, :, -2:] *= 3
    found = counted(surge)
    assert int(found.p.argmin()) == 2
    assert found.p[3:].min() > 1e-4


def test_a_weekday_pattern_is_expected() -> None:
    rng = np.random.default_rng(2)
    day = 7 * 20 + 5  # a weekday 5
    weekday = (day - np.arange(DAYS)[::-1]) % 7
    factor = np.where(weekday == 5, 2.0, 1.0)
    grid = rng.poisson(50 * np.ones((2, 8, 1)) * factor)
    grid[:, 3] = rng.poisson(np.where(weekday == 5, 300, 50), (2, DAYS))  # of itself
    found = counted(grid, day)
    assert found.p.min() > 0.001
    assert abs(found.expected[0] - grid[0, :, weekday == 5].sum(axis=1).mean()) < 60


def test_the_same_day_gives_the_same_figures_and_its_interval_holds_most_days() -> None:
    rng = np.random.default_rng(4)
    grid = rng.poisson(15, (4, 50, DAYS))
    first, again = counted(grid), counted(grid)
    assert np.array_equal(first.p, again.p)
    inside = (first.count >= first.low) & (first.count <= first.high)
    assert inside.mean() > 0.9
    with pytest.raises(ValueError, match="days are too few"):
        counted(grid[:, :, : LEAST_DAYS + WATCHED - 1])


def test_what_stands_and_what_lasts() -> None:
    p = np.array([1e-8, 0.001, 0.02, 0.5, 0.9])
    stands, lasts = discoveries_of_day(p)
    assert stands.tolist() == [True, True, True, False, False]
    assert lasts.tolist() == [True, False, False, False, False]
    assert p[0] * 5 <= 0.1 / SEASON_DAYS
    assert discoveries_of_day(np.zeros(0))[0].tolist() == []
