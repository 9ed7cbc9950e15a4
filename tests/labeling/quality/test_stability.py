from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.quality.stability import Answers, stability

V, A = "violates", "allowed"


def groups(units: Mapping[str, Sequence[Answers]]) -> dict[str, list[str]]:
    return {policy: [f"{policy}{n}" for n in range(len(rows))] for policy, rows in units.items()}


def told(**units: Sequence[Answers]) -> Any:
    return stability(units, groups(units))


def test_alike_and_pairwise_by_hand() -> None:
    found = told(fraud=[[V, V, V]] * 15 + [[V, V, A]] * 5)
    whole = found["all"]
    assert (whole["alike"]["value"], whole["alike"]["n"], whole["alike"]["events"]) == (0.75, 20, 15)
    assert whole["pairwise"]["value"] == pytest.approx((15 + 5 / 3) / 20)
    assert whole["alike"]["low"] < 0.75 < whole["alike"]["high"]
    json.dumps(found, allow_nan=False)


def test_verdicts_name_the_policies_that_are_unstable() -> None:
    found = told(calm=[[A, A]] * 100, wild=[[V, A]] * 20 + [[V, V]] * 20, few=[[V, V]] * 3, open=[[V, V]] * 20)
    verdicts = {policy: cell["verdict"] for policy, cell in found["policies"].items()}
    assert verdicts == {"calm": "stable", "wild": "unstable", "few": "insufficient", "open": "cannot tell"}
    assert found["unstable"] == ["wild"]


def test_units_with_an_unread_answer_are_counted_apart() -> None:
    found = told(fraud=[[V, V, V]] * 20 + [[V, None, V]] * 4 + [[None, None, None]])
    assert (found["all"]["alike"]["n"], found["all"]["incomplete"]) == (20, 5)


def test_nothing_is_said_of_what_was_asked_once() -> None:
    assert told(fraud=[[V], [A]]) == {}
    assert stability({}, {}) == {}


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.sampled_from([V, A]), min_size=3, max_size=3), min_size=13, max_size=30))
def test_alike_is_never_above_pairwise(rows: list[list[str | None]]) -> None:
    found = told(fraud=rows)["all"]
    assert found["alike"]["value"] <= found["pairwise"]["value"] + 1e-12
