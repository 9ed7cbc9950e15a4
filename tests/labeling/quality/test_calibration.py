from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.metrics import brier_score_loss, log_loss

from labeling.quality.calibration import (
    MOST_BINS,
    Judged,
    brier_parts,
    calibration_error,
    equal_mass_bins,
    judge,
)
from labeling.quality.intervals import wilson

ORIGIN = {"licence": "sample: ...", "golden_version": "1.2.0", "policy_version": "2.0.0"}


def made(n: int = 400, stretch: float = 3.0, seed: int = 0, *, pi: bool = False) -> Judged:
    """``after`` is exactly right, ``before`` is ``stretch`` times as sure."""
    rng = np.random.default_rng(seed)
    z = rng.normal(0, 1.5, n)
    chances = rng.uniform(0.05, 1, n) if pi else None
    return Judged(expit(stretch * z), expit(z), rng.random(n) < expit(z), chances, [str(row) for row in range(n)])


def told(data: Judged) -> Any:
    return judge(data, ORIGIN)


def test_figures_are_those_of_the_definitions() -> None:
    data = made()
    found = told(data)
    for name, p in (("before", data.before), ("after", data.after)):
        assert found[name]["brier"]["value"] == pytest.approx(brier_score_loss(data.truth, p))
        assert found[name]["log_loss"]["value"] == pytest.approx(log_loss(data.truth, p))
        table = found[name]["reliability"]
        by_hand = sum(row["n"] / 400 * abs(row["said"] - row["value"]) for row in table)
        assert found[name]["ece"]["value"] == pytest.approx(by_hand)
    for name in ("ece", "brier", "log_loss"):
        change = found["after"][name]["value"] - found["before"][name]["value"]
        assert found["change"][name]["value"] == pytest.approx(change)


def test_what_became_right_is_seen_as_better_and_calibrated() -> None:
    found = told(made(1500))
    for name in ("ece", "brier", "log_loss"):
        assert found["change"][name]["high"] < 0
        for side in ("before", "after", "change"):
            figure = found[side][name]
            assert figure["low"] <= figure["value"] <= figure["high"]
    assert found["after"]["ece"]["value"] <= found["after"]["ece_if_calibrated"]["high"]
    assert found["before"]["ece"]["value"] > 2 * found["before"]["ece_if_calibrated"]["high"]


def test_every_figure_says_where_it_comes_from() -> None:
    found = told(made(100))
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    for side in ("before", "after", "change"):
        for name in ("ece", "brier", "log_loss"):
            figure = found[side][name]
            assert {key: figure[key] for key in ORIGIN} == ORIGIN
            assert (figure["n"], figure["verdict"]) == (100, "ok")
    assert "5 bins" in found["after"]["ece"]["method"]


def test_a_dozen_labels_carry_no_figure() -> None:
    found = told(made(12))
    assert (found["after"]["ece"]["value"], found["after"]["brier"]["verdict"]) == (None, "insufficient")


@pytest.mark.parametrize("seed", range(4))
def test_a_perfect_scorer_is_within_the_noise_that_is_told(seed: int) -> None:
    found = told(made(300, stretch=1.0, seed=seed))["before"]
    assert found["ece_if_calibrated"]["mean"] > 0.02  # so that ECE alone would mislead
    assert found["ece"]["value"] < 1.3 * found["ece_if_calibrated"]["high"]


def test_near_duplicates_do_not_narrow_the_interval() -> None:
    data = made(60)
    five = np.tile(np.arange(60), 5)
    copies = Judged(data.before[five], data.after[five], data.truth[five], None, [str(row) for row in five])
    apart = Judged(copies.before, copies.after, copies.truth, None, [str(row) for row in range(300)])

    def width(one: Judged) -> float:
        figure = told(one)["after"]["brier"]
        return float(figure["high"] - figure["low"])

    assert width(copies) > 1.7 * width(apart)
    assert told(copies)["after"]["ece_if_calibrated"]["mean"] > 1.5 * told(apart)["after"]["ece_if_calibrated"]["mean"]


def test_weights_give_the_traffics_figures() -> None:
    """Items that violate are picked ten times as often: weighted, the figure of the picks is that of all items."""
    rng = np.random.default_rng(1)
    z = rng.normal(-2, 1.5, 8_000)
    truth = rng.random(8_000) < expit(z)
    pi = np.where(truth, 0.5, 0.05)
    p = expit(z + 1)
    picked = rng.random(8_000) < pi
    data = Judged(p[picked], p[picked], truth[picked], pi[picked], [str(row) for row in range(int(picked.sum()))])
    found = told(data)["after"]
    assert found["brier"]["low"] < brier_score_loss(truth, p) < found["brier"]["high"]
    assert abs(brier_score_loss(data.truth, data.after) - brier_score_loss(truth, p)) > 0.03
    shares = [row["mass"] for row in found["reliability"]]
    assert sum(shares) == pytest.approx(1)
    assert max(shares) > 1.5 * min(shares)  # equal numbers of labels, but not of the traffic


def test_the_table_has_n_and_an_interval_for_each_bin() -> None:
    data = made(400)
    table = told(data)["after"]["reliability"]
    assert sum(row["n"] for row in table) == 400
    assert len(table) == MOST_BINS
    for row in table:
        assert (row["low"], row["high"]) == wilson(row["positives"], row["n"])
        assert row["from"] <= row["said"] <= row["to"]
    weighted = told(made(400, pi=True))["after"]["reliability"]
    assert all(row["low"] <= row["value"] <= row["high"] for row in weighted)


@settings(deadline=None, max_examples=40)
@given(st.integers(20, 400), st.integers(0, 10**6), st.booleans())
def test_the_brier_score_is_the_sum_of_its_parts(n: int, seed: int, weighted: bool) -> None:
    rng = np.random.default_rng(seed)
    p, truth = rng.random(n), rng.random(n) < 0.4
    weights = rng.uniform(1, 20, n) if weighted else np.ones(n)
    parts = brier_parts(p, truth, weights)
    brier = float(weights @ (p - truth) ** 2 / weights.sum())
    assert parts["miscalibration"] - parts["discrimination"] + parts["uncertainty"] == pytest.approx(brier)
    assert all(value >= -1e-12 for value in parts.values())


@settings(deadline=None, max_examples=40)
@given(st.lists(st.floats(0, 1, width=16), min_size=20, max_size=500), st.integers(0, 10**6))
def test_bins_rise_hold_ties_together_and_do_not_depend_on_order(values: list[float], seed: int) -> None:
    p: npt.NDArray[np.float64] = np.array(values)
    bins = equal_mass_bins(p)
    assert sorted(set(bins.tolist())) == list(range(int(bins.max()) + 1))
    order = np.argsort(p, kind="stable")
    assert (np.diff(bins[order]) >= 0).all()
    assert all(len(set(bins[p == value].tolist())) == 1 for value in set(values))
    mixed = np.random.default_rng(seed).permutation(len(p))
    np.testing.assert_array_equal(equal_mass_bins(p[mixed]), bins[mixed])


def test_bins_of_different_scores_are_of_equal_mass() -> None:
    sizes = np.bincount(equal_mass_bins(np.random.default_rng(2).random(600)))
    assert (len(sizes), set(sizes.tolist()) <= {39, 40, 41}) == (MOST_BINS, True)


def test_calibration_error_of_a_hand_made_case() -> None:
    p, truth = np.array([0.2, 0.2, 0.9, 0.9]), np.array([0, 1, 1, 1])
    bins = np.array([0, 0, 1, 1])
    assert calibration_error(p, truth, np.ones(4), bins) == pytest.approx(0.5 * 0.3 + 0.5 * 0.1)
    heavy = np.array([3.0, 1, 1, 1])  # bin 0: |0.8 - 1| of weight 4; bin 1: |1.8 - 2| of weight 2
    assert calibration_error(p, truth, heavy, bins) == pytest.approx((0.2 + 0.2) / 6)
