from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from scoring.disagreement import LN_2, CommitteeScores, bald, disagreement, mean_of, told_of

Members = npt.NDArray[np.float32]
committees = arrays(
    np.float32, st.tuples(st.integers(1, 5), st.integers(1, 4), st.just(2)), elements=st.floats(0, 1, width=32)
)
TAUS = {"a": 0.5, "b": 0.25}


def scores_of(members: Members) -> CommitteeScores:
    ids = tuple(str(i) for i in range(members.shape[1]))
    vectors = np.ones((len(ids), 1), np.float16)
    return CommitteeScores(ids, ("a", "b"), mean_of(members), vectors, members=members)


@settings(deadline=None)
@given(committees)
def test_each_measure_stays_in_its_range(members: Members) -> None:
    found = disagreement(scores_of(members), TAUS)
    for measure, most in ((found.vote_entropy, LN_2), (found.bald, LN_2), (found.variance, 0.25)):
        assert measure.shape == members.shape[1:]
        assert ((measure >= 0) & (measure <= most + 1e-12)).all()


@settings(deadline=None)
@given(committees)
def test_the_order_of_the_members_changes_no_bit(members: Members) -> None:
    turned = np.roll(members[::-1], 1, axis=0)
    one, two = disagreement(scores_of(members), TAUS), disagreement(scores_of(turned), TAUS)
    for name in ("vote_entropy", "bald", "variance"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    np.testing.assert_array_equal(mean_of(members), mean_of(turned))


@settings(deadline=None)
@given(committees, st.integers(1, 5))
def test_members_that_agree_do_not_disagree(members: Members, m: int) -> None:
    found = disagreement(scores_of(np.repeat(members[:1], m, axis=0)), TAUS)
    assert (found.vote_entropy == 0).all()
    np.testing.assert_allclose(found.bald, 0, atol=1e-12)
    np.testing.assert_allclose(found.variance, 0, atol=1e-12)


def test_worked_examples() -> None:
    opposed = np.array([[[0.0]], [[1.0]]])
    assert bald(opposed)[0, 0] == pytest.approx(np.log(2))
    assert bald(np.full((2, 1, 1), 0.5))[0, 0] == pytest.approx(0, abs=1e-12)  # doubt, but the same doubt
    assert bald(np.array([[[0.2]], [[0.8]]]))[0, 0] == pytest.approx(np.log(2) - 0.500402, abs=1e-6)


def test_votes_are_counted_at_each_policys_own_threshold() -> None:
    members = np.array([[[0.3, 0.3]], [[0.6, 0.6]], [[0.7, 0.7]]], np.float32)
    one_of_three = -(np.log(1 / 3) / 3 + 2 * np.log(2 / 3) / 3)
    np.testing.assert_allclose(disagreement(scores_of(members), TAUS).vote_entropy, [[one_of_three, 0]])


def test_a_policy_without_threshold_is_named() -> None:
    with pytest.raises(ValueError, match="threshold is given for b"):
        disagreement(scores_of(np.zeros((2, 1, 2), np.float32)), {"a": 0.5})


@pytest.mark.parametrize("shape", [(0, 1, 1), (2, 2)])
def test_what_is_no_committee_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\(m, n, k\)"):
        bald(np.zeros(shape))


@settings(deadline=None)
@given(committees)
def test_what_scores_carry_is_bald_in_float32(members: Members) -> None:
    told = told_of(members)
    assert told.dtype == np.float32
    assert told.shape == members.shape[1:]
    np.testing.assert_allclose(told, bald(members), rtol=1e-6, atol=1e-37)  # below lie numbers that lose digits
