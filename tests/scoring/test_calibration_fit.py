from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from scoring.calibration import METHODS, CalibrationMap
from scoring.calibration_fit import Labelled, cross_fitted, fit_map, lacks, log_losses
from scoring.training import train_head
from tests.scoring.conftest import Prompts
from tests.scoring.test_head import make

GRID = np.linspace(0.02, 0.98, 49, dtype=np.float32)


def drawn(n: int, slope: float = 1.0, offset: float = 0.0, seed: int = 0) -> Labelled:
    """Scores whose true share is ``sigmoid(slope * logit + offset)``."""
    rng = np.random.default_rng(seed)
    z = rng.normal(0, 2, n)
    return Labelled.of(expit(z).astype(np.float32), rng.random(n) < expit(slope * z + offset))


def truth(slope: float, offset: float) -> npt.NDArray[np.float64]:
    return np.asarray(expit(slope * np.log(GRID / (1 - GRID)) + offset), np.float64)


@pytest.mark.parametrize(("method", "slope", "offset"), [("temperature", 0.4, 0), ("platt", 1.7, -1.5)])
def test_a_line_finds_the_line_that_made_the_labels(method: str, slope: float, offset: float) -> None:
    found = fit_map(drawn(20_000, slope, offset), method)
    assert found.slope == pytest.approx(slope, rel=0.06)
    assert found.offset == pytest.approx(offset, abs=0.06)


@pytest.mark.parametrize("method", ["temperature", "platt", "isotonic"])
def test_calibrated_already_every_map_is_nearly_the_identity(method: str) -> None:
    found = fit_map(drawn(20_000), method)
    np.testing.assert_allclose(found.apply(GRID), GRID, atol=0.06 if method == "isotonic" else 0.015)


def test_isotonic_follows_what_no_line_can() -> None:
    rng = np.random.default_rng(1)
    p = rng.random(6000).astype(np.float32)
    labels = rng.random(6000) < np.where(p < 0.5, 0.1, 0.6)  # a step
    found = fit_map(Labelled.of(p, labels))
    assert found.method == "isotonic"
    np.testing.assert_allclose(found.apply(np.array([0.25, 0.75], np.float32)), [0.1, 0.6], atol=0.04)


def test_auto_takes_what_fits_and_leaves_alone_what_is_right() -> None:
    chosen = [
        fit_map(drawn(300, line[0], line[1], seed)).method for line in ((1, 0), (3, 0), (0.5, -2)) for seed in range(3)
    ]
    assert chosen[:3].count("none") >= 2
    assert set(chosen[3:6]) <= {"temperature", "platt"}
    assert chosen[6:] == ["platt"] * 3


def test_isotonic_is_asked_only_of_enough_labels() -> None:
    step = np.repeat([0.3, 0.7], 60).astype(np.float32)
    labels = np.tile([1, 0], 60)
    assert fit_map(Labelled.of(step, labels)).method != "isotonic"
    with pytest.raises(ValueError, match="200 in all and 30 of each are needed"):
        fit_map(Labelled.of(step, labels), "isotonic")


@pytest.mark.parametrize("violating", [0, 4])
def test_too_few_of_a_kind_are_counted_and_refused(violating: int) -> None:
    data = Labelled.of(np.linspace(0, 1, 60), np.arange(60) >= 60 - violating)
    assert lacks(data).startswith(f"{violating} violating and {60 - violating} allowed labels")
    for act in (fit_map, cross_fitted):
        with pytest.raises(ValueError, match="20 in all and 5 of each are needed"):
            act(data)


def test_near_duplicates_count_once() -> None:
    labels = np.arange(60) % 2
    p = np.linspace(0.1, 0.9, 60)
    assert lacks(Labelled.of(p, labels)) == ""
    copies = ["spam" if label else str(row) for row, label in enumerate(labels)]
    assert lacks(Labelled.of(p, labels, groups=copies)).startswith("1 violating and 30 allowed")


def test_an_unknown_method_is_named() -> None:
    with pytest.raises(ValueError, match="method must be auto or one of"):
        fit_map(drawn(100), "beta")


def test_separated_labels_give_a_finite_line() -> None:
    p = np.concatenate([np.linspace(0.1, 0.4, 20), np.linspace(0.6, 0.9, 20)])
    found = fit_map(Labelled.of(p, p > 0.5), "platt")
    assert 1 < found.slope < 20
    assert abs(found.offset) < 1


def test_scores_the_wrong_way_round_keep_their_order() -> None:
    data = drawn(2000, slope=-1.0)
    for method in METHODS:
        assert (np.diff(fit_map(data, method).apply(GRID)) >= 0).all()


def test_weights_make_a_rich_sample_speak_for_the_traffic() -> None:
    """Risky items are picked ten times as often, so that unweighted shares are far too high; the scores are off too."""
    rng = np.random.default_rng(4)
    z = rng.normal(-3, 1.5, 60_000)
    labels = rng.random(60_000) < expit(0.7 * z - 1)
    pi = np.where(labels | (rng.random(60_000) < 0.05), 0.5, 0.02)  # depends on the label: the score cannot undo it
    picked = rng.random(60_000) < pi
    data = Labelled.of(expit(z[picked]), labels[picked], 1 / pi[picked])
    plain = Labelled.of(expit(z[picked]), labels[picked])
    assert data.effective_n < len(data.labels)
    grid, true = GRID[:30], truth(0.7, -1)[:30]
    for method in ("platt", "isotonic"):
        assert np.abs(fit_map(data, method).apply(grid) - true).max() < 0.06
        assert np.abs(fit_map(plain, method).apply(grid) - true).max() > 0.2


def test_isotonic_steps_keep_off_nought_and_one() -> None:
    p = np.linspace(0.01, 0.99, 400)
    found = fit_map(Labelled.of(p, p > 0.5), "isotonic").apply(np.array([0.0, 1.0], np.float32))
    assert 0 < found[0] < 0.01
    assert 0.99 < found[1] < 1


@pytest.mark.parametrize("method", ["auto", "platt", "isotonic"])
@settings(deadline=None, max_examples=2)
@given(st.integers(0, 10**6))
def test_the_order_of_rows_changes_nothing(method: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    data = drawn(420, 2.0, seed=seed % 7)
    groups = [str(row // 2) for row in range(420)]
    rows = rng.permutation(420)
    straight = Labelled.of(data.probabilities, data.labels, groups=groups)
    mixed = Labelled.of(data.probabilities[rows], data.labels[rows], groups=[groups[row] for row in rows])
    one, two = fit_map(straight, method), fit_map(mixed, method)
    assert (one.method, one.slope, one.offset) == (two.method, two.slope, two.offset)
    np.testing.assert_array_equal(one.knots, two.knots)
    np.testing.assert_array_equal(cross_fitted(straight, method)[rows], cross_fitted(mixed, method))


def test_cross_fitting_never_shows_a_row_its_own_label() -> None:
    """One row's label is turned round: its own score after stays what it was."""
    data = drawn(240, 2.0)
    flipped = data.labels.copy()
    flipped[17] = 1 - flipped[17]
    groups = [str(row) for row in range(240)]
    groups[18] = groups[17]  # keeps the group violating or not as it was
    one = Labelled.of(data.probabilities, np.where(np.arange(240) == 18, 1, data.labels), groups=groups)
    two = Labelled.of(data.probabilities, np.where(np.arange(240) == 18, 1, flipped), groups=groups)
    before, after = cross_fitted(one, "platt"), cross_fitted(two, "platt")
    assert before[17] == after[17]
    assert (before != after).any()


def test_cross_fitted_scores_of_noise_are_worse_than_fitted_ones() -> None:
    rng = np.random.default_rng(3)
    data = Labelled.of(rng.random(300).astype(np.float32), rng.integers(0, 2, 300))
    fitted = fit_map(data, "isotonic").apply(data.probabilities)
    honest = cross_fitted(data, "isotonic")
    assert log_losses(honest, data.labels).mean() > log_losses(fitted, data.labels).mean()


@pytest.mark.parametrize(
    "wrong",
    [
        {"probabilities": np.array([0.5, np.nan])},
        {"probabilities": np.array([0.5, 1.5])},
        {"labels": np.array([0, 2])},
        {"labels": np.array([0])},
        {"weights": np.array([1.0, 0.0])},
        {"weights": np.array([1.0, np.inf])},
        {"groups": ["a"]},
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    right: dict[str, Any] = {"probabilities": np.array([0.2, 0.5]), "labels": np.array([0, 1])}
    with pytest.raises(ValueError, match="must"):
        Labelled.of(**right | wrong)


def test_on_real_prompts_a_stretched_head_comes_back(prompts: Prompts) -> None:
    """A head that is trained on real moderation prompts and made overconfident: held-out log loss falls again."""
    labels, vectors = prompts.of("hate")
    order = np.random.default_rng(0).permutation(len(labels))
    labels, vectors = labels[order], vectors[order]
    third = len(labels) // 3
    fallback = make(k=1, d=vectors.shape[1])
    head = train_head(vectors[:third], labels[:third, None], fallback.policies, "abc", fallback, 0).head
    raw = head.probabilities(vectors)[:, 0]
    stretched = CalibrationMap("platt", slope=4.0).apply(raw)
    learn, judge = slice(third, 2 * third), slice(2 * third, None)
    found = fit_map(Labelled.of(stretched[learn], labels[learn]))
    truth_ = labels[judge].astype(np.int64)
    assert found.method in ("temperature", "platt", "isotonic")
    assert log_losses(found.apply(stretched[judge]), truth_).mean() < log_losses(stretched[judge], truth_).mean()
