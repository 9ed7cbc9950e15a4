from __future__ import annotations

import math

import numpy as np
import pytest

from selection.errors import BadSample
from selection.replay import METRICS, Curve
from selection.replay_report import cells, compare, labels_to_reach, smoothed


def curve(strategy: str, seed: int, scores: list[float]) -> Curve:
    labels = 50 * (1 + np.arange(len(scores), dtype=np.int64))
    return Curve(strategy, seed, labels, {m: np.array(scores) for m in METRICS}, dict.fromkeys(METRICS, 1.0), "hate")


def test_smoothing_holds_the_ends() -> None:
    assert smoothed(np.array([0.0, 3.0, 3.0])).tolist() == pytest.approx([1.0, 2.0, 3.0])


def test_one_lucky_round_is_no_achievement() -> None:
    lucky = curve("auto", 0, [0.1, 1.0, 0.1, 0.9, 1.0, 1.0, 1.0])
    assert labels_to_reach(lucky, "macro_f1", 0.95) == 250
    assert math.isinf(labels_to_reach(lucky, "macro_f1", 1.1))


def test_labels_are_told_as_a_share_of_randoms() -> None:
    quick = [curve("auto", seed, [0.5, 1.0, 1.0, 1.0, 1.0, 1.0]) for seed in range(3)]
    slow = [curve("random", seed, [0.1, 0.2, 0.3, 0.9, 1.0, 1.0]) for seed in range(3)]
    found = next(one for one in compare([*quick, *slow]) if one.metric == "macro_f1")
    assert found.labels["0.95"].value == 150
    assert found.of_random["0.95"].value == pytest.approx(150 / 250)
    assert found.of_random["0.95"].n == found.ahead == 3
    assert found.area.value == pytest.approx(np.mean([0.4, 0.8, 0.7, 0.1, 0, 0]))


def test_what_never_gets_there_is_not_hidden() -> None:
    curves = [curve("auto", 0, [0.1] * 4), curve("random", 0, [1.0] * 4)]
    curves += [curve("auto", 1, [0.1] * 4), curve("random", 1, [0.1] * 4)]
    found = compare(curves)[0]
    assert found.of_random["0.95"].value is None
    assert found.of_random["0.95"].n == 1  # where neither got there, nothing is known
    assert found.ahead == 0


def test_the_interval_covers_the_seeds() -> None:
    curves = [curve("random", seed, [0.5] * 5) for seed in range(5)]
    curves += [curve("auto", seed, [0.5 + 0.02 * seed] * 5) for seed in range(5)]
    area = compare(curves)[0].area
    assert area.value == pytest.approx(0.04)
    assert area.low is not None
    assert area.high is not None
    assert 0 <= area.low < 0.04 < area.high <= 0.08


def test_a_seed_without_random_is_refused() -> None:
    with pytest.raises(BadSample, match="seed 1 has no curve of 'random'"):
        compare([curve("random", 0, [1.0]), curve("auto", 1, [1.0])])


def test_cells_pair_two_strategies_by_seed() -> None:
    curves = [curve("auto", 0, [1.0, 1.0]), curve("margin", 0, [0.5, 0.5]), curve("auto", 1, [1.0, 1.0])]
    found = list(cells(curves, "auto", "margin"))
    assert [(seed, metric) for seed, metric, _area in found] == [(0, metric) for metric in METRICS]
    assert [area for _seed, _metric, area in found] == pytest.approx([0.5, 0.5])
