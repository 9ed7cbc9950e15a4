from __future__ import annotations

import math

import numpy as np
import pytest

from labeling.quality.cells import discoveries, enrichment


def test_the_fixture() -> None:
    found = enrichment(14, 40, 60, 1200)
    assert found.lift == pytest.approx(7.0)
    assert found.p == pytest.approx(1.4e-8, rel=0.05)


def test_a_complement_without_events() -> None:
    assert math.isinf(enrichment(1, 5, 0, 9).lift)
    assert math.isnan(enrichment(0, 5, 0, 9).lift)


def test_the_step_up_rule_of_benjamini_and_hochberg() -> None:
    assert discoveries([0.9, 0.01, 0.04, 0.2], 0.1) == (1, 2)  # .01 <= .1 / 4, .04 <= .2 / 4, .2 > .3 / 4
    assert discoveries([]) == ()


def test_of_null_data_false_discoveries_stay_rare() -> None:
    rng = np.random.default_rng(0)
    wrong = [bool(discoveries(rng.random(50).tolist(), 0.1)) for _ in range(400)]
    assert np.mean(wrong) <= 0.14  # .10 expected, 400 draws
