from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.quality.intervals import proportion
from labeling.quality.sprt import Sprt, corrected, corrected_figure, seen

PLAN = Sprt()


def test_the_bounds_and_the_steps() -> None:
    assert PLAN.flag == pytest.approx(2.890, abs=5e-4)
    assert PLAN.clear == pytest.approx(-2.251, abs=5e-4)
    assert PLAN.step(right=True) == pytest.approx(-0.111, abs=5e-4)
    assert PLAN.step(right=False) == pytest.approx(1.099, abs=5e-4)


def test_a_good_person_is_decided_in_about_42_items_and_errors_are_kept() -> None:
    rng = np.random.default_rng(0)
    good = [PLAN.run(rng.random(1000) < 0.95) for _ in range(2000)]
    poor = [PLAN.run(rng.random(1000) < 0.85) for _ in range(2000)]
    assert np.mean([v.n for v in good]) == pytest.approx(42, abs=2)
    assert np.mean([v.state == "flagged" for v in good]) <= 0.06
    assert np.mean([v.state == "cleared" for v in poor]) <= 0.115


def test_three_errors_in_a_row_flag_and_21_right_answers_clear() -> None:
    flagged = PLAN.run([False] * 3 + [True] * 50)
    assert (flagged.state, flagged.n, flagged.errors) == ("flagged", 3, 3)
    cleared = PLAN.run([True] * 30)
    assert (cleared.state, cleared.n, cleared.as_dict()["errors"]) == ("cleared", 21, 0)
    assert PLAN.run([True, False]).state == "going on"
    assert PLAN.run([]).evidence == 0.0


def test_noisy_gold_makes_an_error_count_less() -> None:
    noisy = Sprt(gold_error=0.03)
    assert noisy.step(right=False) < PLAN.step(right=False)
    assert (noisy.flag, noisy.clear) == (PLAN.flag, PLAN.clear)
    rng = np.random.default_rng(1)
    told = [noisy.run(rng.random(2000) < seen(0.95, 0.03)).state == "flagged" for _ in range(1000)]
    assert np.mean(told) <= 0.07


def test_the_gold_noise_fixture() -> None:
    assert seen(0.970, 0.03) == pytest.approx(0.942, abs=5e-4)
    assert corrected(0.942, 0.03) == pytest.approx(0.970, abs=5e-4)


@given(st.floats(0, 1), st.floats(0, 0.45))
def test_correction_undoes_the_noise(accuracy: float, error: float) -> None:
    assert corrected(seen(accuracy, error), error) == pytest.approx(accuracy, abs=1e-9)


def test_a_corrected_figure_stands_beside_the_raw_one() -> None:
    raw = proportion(942, 1000)
    told = corrected_figure(raw, 0.03)
    assert told.value == pytest.approx(0.970, abs=5e-4)
    assert told.low < 0.970 < told.high
    assert (told.n, "3.0% errors of gold" in told.method) == (1000, True)
    assert corrected_figure(proportion(5, 10), 0.03).value is None
    assert corrected_figure(proportion(1000, 1000), 0.03).high == 1.0


@pytest.mark.parametrize(
    ("changes", "names"),
    [({"poor": 0.96}, "poor"), ({"good": 1.0}, "poor"), ({"alpha": 0.0}, "alpha"), ({"beta": 0.5}, "beta")],
)
def test_an_impossible_plan_is_refused(changes: dict[str, float], names: str) -> None:
    with pytest.raises(ValueError, match=names):
        Sprt(**changes)


def test_an_impossible_gold_error_is_refused() -> None:
    for call in (lambda: Sprt(gold_error=0.5), lambda: corrected(0.9, -0.1)):
        with pytest.raises(ValueError, match="gold_error"):
            call()
