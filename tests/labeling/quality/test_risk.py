from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.quality.intervals import upper_bound
from labeling.quality.risk import labels_needed, miss_rate_line, precision_line


def line_of(first: float, last: float, n: int) -> npt.NDArray[np.float64]:
    return np.linspace(first, last, n, dtype=np.float64)


def test_the_fixtures() -> None:
    assert upper_bound(4, 200) == pytest.approx(0.0452, abs=5e-5)
    assert upper_bound(0, 59) == pytest.approx(0.0495, abs=5e-5)
    line = miss_rate_line(line_of(0.01, 0.99, 200), 0.0453)
    assert line is not None
    assert (line.events, line.n) == (4, 200)
    assert line.bound == pytest.approx(0.0452, abs=5e-5)
    assert line.threshold == pytest.approx(line_of(0.01, 0.99, 200)[4])
    none_missed = miss_rate_line(line_of(0.3, 0.9, 59), 0.05)
    assert none_missed is not None
    assert (none_missed.events, none_missed.threshold) == (0, 0.3)
    assert miss_rate_line(line_of(0.3, 0.9, 58), 0.05) is None
    assert labels_needed(0.05) == 59


def test_ties_are_missed_or_found_together() -> None:
    line = miss_rate_line(np.array([0.2] * 50 + [0.8] * 150), 0.05)
    assert line is not None
    assert (line.threshold, line.events) == (0.2, 0)


def test_scores_of_nothing_leave_no_line() -> None:
    assert miss_rate_line(np.zeros(100), 0.05) is None
    assert miss_rate_line(np.zeros(0), 0.05) is None
    line = miss_rate_line(np.ones(100), 0.05)
    assert line is not None
    assert (0.99 < line.threshold < 1, line.events) == (True, 0)


@given(st.lists(st.floats(0.001, 0.999), min_size=1, max_size=120), st.floats(0.02, 0.5))
def test_the_line_keeps_its_word_on_its_own_labels_and_none_larger_does(scores: list[float], target: float) -> None:
    ranked = np.array(scores)
    line = miss_rate_line(ranked, target)
    if line is None:
        assert len(scores) < labels_needed(target)
        return
    assert line.events == int((ranked < line.threshold).sum())
    assert line.bound == upper_bound(line.events, len(scores)) <= target
    larger = ranked[ranked > line.threshold]
    if len(larger):
        assert upper_bound(int((ranked < larger.min()).sum()), len(scores)) > target


def test_the_bound_holds_in_new_draws_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(8)
    broken = 0
    for _ in range(400):
        line = miss_rate_line(generator.beta(4, 2, 150), 0.1)
        assert line is not None
        broken += float((generator.beta(4, 2, 4000) < line.threshold).mean()) > 0.1
    assert broken / 400 < 0.09


def test_a_precision_floor_takes_the_smallest_line_that_is_shown() -> None:
    generator = np.random.default_rng(9)
    probabilities = generator.random(2000)
    truth = generator.random(2000) < probabilities**0.5
    line = precision_line(probabilities, truth, 0.8)
    assert line is not None
    flagged = probabilities >= line.threshold
    assert (line.n, line.events) == (flagged.sum(), (flagged & ~truth).sum())
    assert 1 - line.events / line.n >= line.bound >= 0.8
    assert precision_line(probabilities, np.zeros(2000, bool), 0.5) is None
    assert precision_line(probabilities[:10], np.ones(10, bool), 0.9) is None
