from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.quality.agreement import (
    agreement_weights,
    by_outcome,
    by_rule,
    cohen_kappa,
    fleiss_kappa,
    gwet_ac1,
    gwet_ac2,
    krippendorff,
    observed,
    ordered_summary,
    summary,
    summary_of_votes,
    tally,
)
from labeling.quality.bootstrap import interval
from tests.labeling.golden.made import NO, YES

_: int | None = None
CODERS: list[list[int | None]] = [  # Krippendorff's four coders, twelve units
    [1, 2, 3, 3, 2, 1, 4, 1, 2, _, _, _],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, _, 3],
    [_, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, _],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, _],
]
UNITS = [list(unit) for unit in zip(*CODERS, strict=True)]
FLEISS = np.array(  # Fleiss' ten subjects, fourteen raters, five categories
    [
        [0, 0, 0, 0, 14],
        [0, 2, 6, 4, 2],
        [0, 0, 3, 5, 6],
        [0, 3, 9, 2, 0],
        [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0],
        [3, 2, 6, 3, 0],
        [2, 5, 3, 2, 2],
        [6, 5, 2, 1, 0],
        [0, 2, 2, 3, 7],
    ],
    dtype=np.float64,
)
RARE = [["yes", "yes"]] * 2 + [["yes", "no"]] * 5 + [["no", "yes"]] * 3 + [["no", "no"]] * 190


@pytest.mark.parametrize(("metric", "alpha"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_krippendorffs_textbook_data(metric: str, alpha: float) -> None:
    counts, categories = tally(UNITS)
    assert categories == [1, 2, 3, 4, 5]
    assert krippendorff(counts, metric) == pytest.approx(alpha, abs=5e-4)


def test_fleiss_textbook_data() -> None:
    assert fleiss_kappa(FLEISS) == pytest.approx(0.210, abs=5e-4)


def test_a_rare_class_where_kappa_misleads() -> None:
    counts, _names = tally(RARE)
    assert observed(counts) == pytest.approx(0.96)
    assert cohen_kappa(np.array([[2.0, 5], [3, 190]])) == pytest.approx(0.313, abs=5e-4)
    assert krippendorff(counts) == pytest.approx(0.314, abs=5e-4)
    assert gwet_ac1(counts) == pytest.approx(0.958, abs=5e-4)
    found = summary(RARE)
    assert "mislead on rare classes" in found.warnings[0]
    assert found.observed.value == pytest.approx(0.96)
    assert (found.observed.n, found.observed.events) == (200, 192)
    assert found.observed.low < 0.96 < found.observed.high
    assert found.alpha.low < 0.2 < 0.5 < found.alpha.high  # the interval shows how little alpha knows here
    assert summary(RARE) == found


def test_outcome_alone_hides_a_disagreement_about_the_rule() -> None:
    pairs = [(YES, replace(YES, rule="slur")), (NO, NO)]
    assert observed(tally([[by_outcome(a) for a in pair] for pair in pairs])[0]) == 1.0
    assert observed(tally([[by_rule(a) for a in pair] for pair in pairs])[0]) == 0.5
    assert by_rule(replace(NO, rule="slur")) == by_rule(NO) == "allowed"


def test_few_units_are_insufficient() -> None:
    figure = summary([["a", "a"]] * 6 + [["a", "b"]] * 6).observed
    assert (figure.value, figure.verdict, figure.n) == (None, "insufficient", 12)


def test_units_without_a_pair_do_not_count() -> None:
    assert summary([["a", None]] * 30).observed.n == 0
    assert summary([["a", "b"]] * 15 + [["a", None]] * 5, ["g"] * 20).observed.n == 15


def test_undefined_measures_are_not_numbers() -> None:
    one_class = tally([["a", "a"]] * 3)[0]
    assert math.isnan(krippendorff(one_class))
    assert math.isnan(gwet_ac1(one_class))
    assert math.isnan(fleiss_kappa(one_class))
    assert math.isnan(observed(tally([["a"]])[0]))
    assert math.isnan(krippendorff(tally([["a"]])[0]))
    assert math.isnan(cohen_kappa(np.array([[3.0]])))


def test_an_unknown_metric_is_refused() -> None:
    with pytest.raises(ValueError, match="metric"):
        krippendorff(FLEISS, "ratio")


LABELS = st.lists(st.lists(st.sampled_from(["a", "b", "c", None]), min_size=2, max_size=4), min_size=1, max_size=12)


@settings(deadline=None)
@given(LABELS)
def test_measures_are_at_most_one_and_one_means_agreement(units: list[list[str | None]]) -> None:
    counts, _names = tally(units)
    for measure in (observed, krippendorff, gwet_ac1):
        value = measure(counts)
        if not math.isnan(value):
            assert value <= 1 + 1e-12
            assert (value == pytest.approx(1)) == (observed(counts) == pytest.approx(1))


def test_ac2_weighs_how_far_apart_answers_are() -> None:
    counts, _names = tally(UNITS)
    assert gwet_ac2(counts, "identity") == gwet_ac1(counts)
    for weights in ("linear", "quadratic", "ordinal"):
        assert gwet_ac1(counts) < gwet_ac2(counts, weights) <= 1
    near, far = (tally([[0, other]] * 5 + [[4, 4], [0, 0]], range(5))[0] for other in (1, 4))
    assert gwet_ac2(near) > gwet_ac2(far)
    assert math.isnan(gwet_ac2(tally([["a"]])[0]))


def test_ac2_by_hand() -> None:
    # two people, three units, categories 0, 1, 2; linear weights: 1, 1/2, 0
    counts = tally([[0, 0], [0, 1], [2, 2]], range(3))[0]
    agreed = (1 + 0.5 + 1) / 3
    share = np.array([1.5, 0.5, 1.0]) / 3
    chance = (3 + 4 * 0.5) * float((share * (1 - share)).sum()) / (3 * 2)
    assert gwet_ac2(counts, "linear") == pytest.approx((agreed - chance) / (1 - chance))


def test_agreement_weights() -> None:
    assert np.allclose(agreement_weights(3, "ordinal"), [[1, 2 / 3, 0], [2 / 3, 1, 2 / 3], [0, 2 / 3, 1]])
    assert agreement_weights(5, "quadratic")[0, 4] == 0
    with pytest.raises(ValueError, match="weights: 'cubic'"):
        agreement_weights(3, "cubic")


def test_an_ordered_summary_counts_near_severities_as_half_agreed() -> None:
    units = [[1, 1], [1, 2], [3, 3], [0, 0], [4, 3]] * 6
    told = ordered_summary(units, range(5), [f"g{i // 2}" for i in range(30)])
    plain = summary(units)
    assert told.ac2.value is not None
    assert plain.ac1.value is not None
    assert told.ac2.value > plain.ac1.value
    assert told.ac2.low < told.ac2.value < told.ac2.high
    assert told.alpha_ordinal.value == pytest.approx(krippendorff(tally(units, range(5))[0], "ordinal"))
    assert told.alpha_interval.value == pytest.approx(krippendorff(tally(units, range(5))[0], "interval"))
    assert told.as_dict()["ac2"] == told.ac2.as_dict()
    assert ordered_summary([[1, None]] * 20, range(5)).ac2.verdict == "insufficient"


@settings(deadline=None, max_examples=30)
@given(st.lists(st.lists(st.sampled_from(["a", "b", "c"]), min_size=2, max_size=3), min_size=14, max_size=40))
def test_patterns_of_votes_stand_for_their_units(units: list[list[str]]) -> None:
    counts, _names = tally(units)
    told = summary(units, [f"g{row // 2}" for row in range(len(units))])
    for figure, measure in ((told.observed, observed), (told.alpha, krippendorff), (told.ac1, gwet_ac1)):
        if figure.value is not None:
            assert figure.value == pytest.approx(measure(counts))
            assert figure.low <= figure.high
    given_votes = Counter(tuple(sorted(Counter(unit).items())) for unit in units)
    by_votes = summary_of_votes(given_votes)
    assert [getattr(by_votes, name).value for name in ("observed", "alpha", "ac1")] == pytest.approx(
        [getattr(told, name).value for name in ("observed", "alpha", "ac1")]
    )


@pytest.mark.parametrize("votes", [{}, {(("a", 1),): 4}])
def test_votes_of_single_people_are_insufficient(votes: dict[tuple[tuple[str, int], ...], int]) -> None:
    told = summary_of_votes(votes)
    assert [(each.value, each.n, each.verdict) for each in (told.observed, told.alpha, told.ac1)] == [
        (None, 0, "insufficient")
    ] * 3
    assert told.warnings == ()


def test_intervals_are_those_of_drawing_units() -> None:
    units = [["a", "a"]] * 120 + [["a", "b"]] * 30 + [["b", "b"]] * 50
    groups = [f"g{row // 2}" for row in range(200)]
    counts, _names = tally(units)
    told = summary(units, groups)
    for figure, measure in ((told.observed, observed), (told.alpha, krippendorff), (told.ac1, gwet_ac1)):
        plain = interval(lambda rows, m=measure: m(counts[rows]), 200, groups, draws=2000)  # type: ignore[misc]
        assert (figure.low, figure.high) == pytest.approx(plain, abs=0.025)
