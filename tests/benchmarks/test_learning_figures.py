from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.learning_figures import Share, ahead, areas, cut, mean, over_sets, share
from selection.replay import METRICS, RANDOM, Curve
from tests.benchmarks.test_learning import made_curve

METRIC = METRICS[0]


def curves(rise: float, labels: int = 4000, random_labels: int = 4000) -> list[Curve]:
    return [
        curve
        for seed in range(4)
        for curve in (made_curve("auto", seed, rise, labels), made_curve(RANDOM, seed, 0.0004, random_labels))
    ]


def test_a_share_is_of_random_s_labels() -> None:
    found = share(curves(0.0008), "auto", METRIC)
    assert found.value == pytest.approx(0.5, abs=0.02)
    assert (found.never, found.random_never, len(found.seeds)) == (0, 0, 4)


def test_who_never_gets_there_counts_with_the_last_label() -> None:
    late = share(curves(0.0001, labels=1000), "auto", METRIC)
    assert late.never == 4
    assert late.value == pytest.approx(1000 / 1900, abs=0.02)
    early = share(curves(0.0016, random_labels=1000), "auto", METRIC)
    assert early.random_never == 4
    assert early.value == pytest.approx(0.5, abs=0.03)
    neither = share(curves(0.0001, labels=500, random_labels=500), "auto", METRIC)
    assert math.isnan(neither.value)
    assert np.isnan(neither.seeds).all()


def test_over_sets_the_mean_is_geometric_and_lies_in_its_interval() -> None:
    seeds = (np.array([0.1, 0.2, 0.4]), np.array([0.4, 0.8, np.nan, 1.6]), np.array([np.nan]))
    whole = over_sets([Share(math.nan, values, 0, 0) for values in seeds])
    assert whole.value == pytest.approx(0.4)
    assert whole.low < whole.value < whole.high
    alike = over_sets([Share(0.5, np.full(3, 0.5), 0, 0)] * 2)
    assert (alike.low, alike.value, alike.high) == pytest.approx((0.5, 0.5, 0.5))


def test_areas_stop_where_they_are_told_to() -> None:
    up_to = areas(curves(0.0016), "auto", RANDOM, 400)[METRIC]
    assert up_to == pytest.approx(0.0012 * 225)
    assert cut(made_curve("auto", 0, 0.1), 400).labels.tolist() == list(range(50, 401, 50))


def test_ahead_counts_cells_and_half_of_those_that_are_equal() -> None:
    found = {"one": curves(0.0016), "two": curves(0.0004), "three": curves(0.0002)}
    assert ahead(found, "auto", RANDOM, dict.fromkeys(found, 2000)) == (8 + 4, 24)
    assert ahead(found, "auto", "nobody", dict.fromkeys(found, 2000)) == (0, 0)


def test_a_mean_lies_in_its_interval() -> None:
    figure = mean(np.array([0.1, 0.2, 0.6]))
    assert figure.value == pytest.approx(0.3)
    assert 0.1 <= figure.low < figure.value < figure.high <= 0.6
    assert str(mean(np.full(3, -0.5))) == "-0.500 [-0.500, -0.500]"
