from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selection.strategies import facility
from selection.strategies.facility import coverage, facility_location
from selection.types import F32
from tests.contracts.chooser import ChooserContract


class TestFacilityLocation(ChooserContract):
    name = "facility_location"


def unit(m: int, d: int = 6, seed: int = 0) -> F32:
    vectors = np.random.default_rng(seed).standard_normal((m, d))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


@given(seed=st.integers(0, 10_000), n=st.integers(1, 4), weighted=st.booleans())
def test_greedy_keeps_its_guarantee(seed: int, n: int, weighted: bool) -> None:
    vectors = unit(9, 3, seed)
    weights = np.random.default_rng(seed).random(9) if weighted else None
    best = max(coverage(vectors, np.array(rows), weights) for rows in itertools.combinations(range(9), n))
    found = coverage(vectors, facility_location(vectors, n, weights), weights)
    assert (1 - 1 / math.e) * best - 0.01 <= found <= best + 1e-9  # .01: weights are whole numbers of 1024ths


@given(seed=st.integers(0, 10_000))
def test_lazy_is_the_same_as_plain_greedy(seed: int) -> None:
    vectors = unit(60, 4, seed)
    plain: list[int] = []
    for _ in range(12):
        values = [-1.0 if row in plain else coverage(vectors, np.array([*plain, row])) for row in range(60)]
        plain.append(int(np.argmax(np.round(values, 9))))
    assert facility_location(vectors, 12).tolist() == plain


def test_any_order_of_rows_gives_the_same_picks() -> None:
    vectors, order = unit(700), np.random.default_rng(1).permutation(700)
    assert order[facility_location(vectors[order], 40)].tolist() == facility_location(vectors, 40).tolist()


def test_what_is_covered_already_is_not_covered_again() -> None:
    near, far = unit(2, 50)
    cloud = np.stack([near] * 20 + [far] * 3)
    assert facility_location(cloud, 1).tolist() == [0]
    assert facility_location(cloud, 1, already=near[None]).tolist() == [20]


def test_weight_counts_what_is_to_be_covered() -> None:
    near, far = unit(2, 50)
    cloud = np.stack([near] * 20 + [far] * 3)
    assert facility_location(cloud, 1, weights=np.array([0.1] * 20 + [1.0] * 3)).tolist() == [20]


def test_copies_fill_up_in_order() -> None:
    assert facility_location(np.repeat(unit(1), 5, axis=0), 5).tolist() == [0, 1, 2, 3, 4]


def test_stochastic_greedy_comes_near_the_lazy_one(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = unit(1500, 16)
    exact = coverage(vectors, facility_location(vectors, 30))
    monkeypatch.setattr(facility, "DENSE", 1000)
    found = facility_location(vectors, 30, seed=3)
    assert len(set(found.tolist())) == 30
    assert found.tolist() == facility_location(vectors, 30, seed=3).tolist()
    assert (1 - facility.MISSED) * exact <= coverage(vectors, found) <= exact * 1.001
