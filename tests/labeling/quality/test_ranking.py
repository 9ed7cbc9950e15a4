from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_curve

from labeling.quality.ranking import curve, figures_at, point_at, ranking_figures, series

SCORES = st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0]), st.booleans()), min_size=13, max_size=60)


def line_of(first: float, last: float, n: int) -> npt.NDArray[np.float64]:
    return np.linspace(first, last, n, dtype=np.float64)


@given(SCORES)
def test_the_curve_is_scikits(pairs: list[tuple[float, bool]]) -> None:
    scores, truth = np.array([p for p, _ in pairs]), np.array([t for _, t in pairs])
    if truth.all() or not truth.any():
        return
    drawn = curve(scores, truth)
    fpr, tpr, taus = roc_curve(truth, scores, drop_intermediate=False)
    np.testing.assert_allclose(drawn.thresholds, taus[1:])
    np.testing.assert_allclose(drawn.recall, tpr[1:])
    np.testing.assert_allclose(drawn.fpr, fpr[1:])
    steps = np.diff(drawn.recall, prepend=0.0)
    assert steps @ drawn.precision == pytest.approx(average_precision_score(truth, scores))


def test_figures_at_a_fixed_precision_and_recall() -> None:
    scores = line_of(1, 0, 100)
    truth = np.zeros(100, bool)
    truth[:18] = truth[20:22] = True  # 18 right, 2 wrong, 2 right, the rest wrong
    found = ranking_figures(scores, truth, [str(n) for n in range(100)])
    assert found["recall_at_precision"].value == 1.0  # 20 of 22 is .909
    assert found["fpr_at_recall"].value == 0.0  # 18 of 20 stand before any mistake
    assert found["brier"].value == pytest.approx(np.mean((scores - truth) ** 2))
    for figure in found.values():
        assert figure.low <= (figure.value or 0.0) <= figure.high
        assert figure.verdict == "ok"


def test_a_perfect_ranking_is_not_certain() -> None:
    truth = np.arange(40) < 10
    found = ranking_figures(1 - np.arange(40) / 40, truth, [str(n) for n in range(40)])
    assert found["auprc"].value == pytest.approx(1.0)
    assert found["auprc"].low == pytest.approx(0.6915, abs=1e-4)  # Clopper-Pearson of 10 of 10
    assert found["fpr_at_recall"].high == pytest.approx(0.3085, abs=1e-4)


def test_few_answers_are_no_figure() -> None:
    few = ranking_figures(line_of(0, 1, 12), np.arange(12) > 5, [str(n) for n in range(12)])
    assert {figure.verdict for figure in few.values()} == {"insufficient"}
    lone = ranking_figures(line_of(0, 1, 30), np.arange(30) > 28, [str(n) for n in range(30)])
    assert {name for name, figure in lone.items() if figure.value is None} == {
        "auprc",
        "recall_at_precision",
        "fpr_at_recall",
    }


def test_the_lines_to_draw() -> None:
    scores = line_of(0, 1, 500)
    lines = series(scores, scores > 0.9)
    assert len(lines["thresholds"]) == 200
    first, last = lines["thresholds"][0], lines["thresholds"][-1]
    assert first["load"] == pytest.approx(1 / 500)
    assert (last["miss_rate"], last["load"]) == (0.0, 1.0)
    none = series(scores, np.zeros(500, bool))
    assert {point["miss_bound"] for point in none["thresholds"]} == {None}


def test_the_point_of_a_threshold_is_the_next_score_that_is_drawn() -> None:
    scores = line_of(0.1, 0.9, 9)
    points = series(scores, scores > 0.5)["thresholds"]
    for tau in (0.0, 0.35, scores[4], 0.55):
        point = point_at(points, tau)
        assert point is not None
        assert point["load"] == pytest.approx((scores >= tau).mean())
        assert point["threshold"] == pytest.approx(scores[scores >= tau].min())
    assert point_at(points, 0.95) is None
    assert point_at([], 0.5) is None


@pytest.mark.parametrize("kind", [False, True])
def test_labels_of_one_kind_say_nothing_of_what_scores_mean(kind: bool) -> None:
    found = ranking_figures(line_of(0, 1, 40), np.full(40, kind), [str(n) for n in range(40)])
    assert {figure.verdict for figure in found.values()} == {"insufficient"}


def test_a_point_of_the_lines_is_told_as_figures() -> None:
    scores, truth = np.linspace(0.0, 1.0, 40, dtype=np.float64), np.arange(40) % 3 == 0
    points = series(scores, truth)["thresholds"]
    positives = int(truth.sum())
    for point in points:
        tau = float(point["threshold"] or 0)
        flagged, missed = int((scores >= tau).sum()), int((truth & (scores < tau)).sum())
        told = figures_at(point, len(scores), positives)
        assert (told["missed"].events, told["missed"].n) == (missed, positives)
        assert (told["load"].events, told["load"].n) == (flagged, 40)
        assert (told["right"].events, told["right"].n) == (positives - missed, flagged)
    above = figures_at(None, 40, positives)
    assert (above["missed"].value, above["load"].value, above["right"].value) == (1.0, 0.0, None)
