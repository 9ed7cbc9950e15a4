from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from selection.checks import check_labelled, check_plan, check_pool
from selection.errors import BadPlan, BadPool
from selection.strategies.base import Labelled
from selection.types import Lane, Quota
from tests.selection.made import made_plan, made_pool

POOL = made_pool(n=20, copies=0)
PLAN = made_plan((Lane("random", 0.5), Lane("uncertain", 0.5)))


def changed(array: np.ndarray[Any, Any], row: int, column: int, value: float) -> np.ndarray[Any, Any]:
    copy = array.copy()
    copy[row, column] = value
    return copy


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"ids": ("a", "b", "a", *POOL.ids[3:])}, r"ids: 'a' is there more than once \(rows 0 and 2\)"),
        ({"ids": ("a", "", *POOL.ids[2:])}, "ids: row 1 is empty"),
        ({"policies": ("hate", "hate", "spam")}, "policies: 'hate' is there more than once"),
        ({"policies": ()}, "policies: a pool needs at least one"),
        ({"ids": POOL.ids[:-1]}, r"probabilities: expected shape \(19, 3\), found \(20, 3\)"),
        ({"probabilities": POOL.probabilities.astype(int)}, "probabilities: expected floating, found int64"),
        ({"probabilities": changed(POOL.probabilities, 4, 2, 1.5)}, r"row 4 \('item-00004'\) has 1.5 for 'spam'"),
        ({"probabilities": changed(POOL.probabilities, 4, 0, -0.1)}, "row 4 .* has -0.1.* expected 0 to 1"),
        ({"probabilities": changed(POOL.probabilities, 9, 1, np.nan)}, "row 9 .* has nan for 'threats'"),
        ({"eligible": POOL.eligible[:, :2]}, r"eligible: expected shape \(20, 3\)"),
        ({"eligible": POOL.eligible.astype(int)}, "eligible: expected bool"),
        ({"embeddings": POOL.embeddings[0]}, r"embeddings: expected \(20, d\)"),
        ({"embeddings": POOL.embeddings[:, :0]}, r"embeddings: expected \(20, d\)"),
        ({"embeddings": POOL.embeddings * 2}, r"embeddings: row 0 \('item-00000'\) has length 2.00"),
        ({"embeddings": changed(POOL.embeddings, 7, 0, np.inf)}, "embeddings: row 7 .* L2-normalised and finite"),
        ({"embeddings": changed(POOL.embeddings, 7, 0, np.nan)}, "embeddings: row 7 .* L2-normalised and finite"),
        ({"embeddings": POOL.embeddings.astype(int)}, "embeddings: expected floating"),
        ({"languages": ("en",)}, "languages: expected 20 tags, found 1"),
        ({"groups": np.zeros(19, np.int64)}, r"groups: expected shape \(20,\), found \(19,\)"),
        ({"groups": np.zeros(20)}, "groups: expected int64, found float64"),
        ({"languages": ("en", "", *POOL.languages[2:])}, "languages: row 1 .* has no tag"),
    ],
)
def test_a_bad_pool_names_field_row_and_item(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(BadPool, match=message):
        check_pool(dataclasses.replace(POOL, **fields))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"budget": 0}, "budget: must be at least 1, found 0"),
        ({"lanes": ()}, "shares add up to 0"),
        ({"lanes": (Lane("random", 0.5), Lane("risk", 0.4))}, "shares add up to 0.9; they must add up to 1"),
        ({"lanes": (Lane("random", 1.5), Lane("risk", -0.5))}, "random: share must be above 0 and at most 1"),
        ({"lanes": (Lane("random", float("nan")),)}, "random: share must be above 0"),
        ({"lanes": (Lane("random", 0.5), Lane("random", 0.5))}, "'random' is there more than once"),
        (
            {"lanes": (Lane("lucky", 1.0),)},
            r"'lucky' is unknown \(known: random, risk, stratified, uncertain, relabel\)",
        ),
        ({"lanes": (Lane("uncertain", 1.0, "magic"),)}, "strategy 'magic' is unknown"),
        ({"lanes": (Lane("risk", 1.0, "modal_margin"),)}, "strategy belongs to the lane 'uncertain' only"),
        ({"thresholds": {"hate": 0.5}}, "thresholds: missing for threats, spam"),
        ({"thresholds": dict(PLAN.thresholds, spam=1.0)}, "thresholds: spam: must be above 0 and below 1"),
        ({"severities": {}}, "severities: missing for hate, threats, spam"),
        ({"severities": dict(PLAN.severities, hate=0.0)}, "severities: hate: must be above 0"),
        ({"severities": dict(PLAN.severities, hate=float("inf"))}, "severities: hate: must be above 0"),
        ({"risk_floor": 0.0}, "risk_floor: must be above 0 and at most 1"),
        ({"temperature": 0.0}, "temperature: must be above 0, found 0.0"),
        ({"duplicate_cosine": -0.5}, "duplicate_cosine: must be above 0"),
        ({"quotas": (Quota("surface", "br"),)}, "surface 'br': key must be 'policy', 'language', 'market', 'modality'"),
        ({"quotas": (Quota("policy", "nudity"),)}, "policy 'nudity': the pool has no such policy"),
        ({"quotas": (Quota("language", "fi"),)}, "language 'fi': the pool has no such language"),
        ({"quotas": (Quota("policy", "hate", 5, 4),)}, "at_least 5 is above at_most 4"),
        ({"quotas": (Quota("policy", "hate", -1),)}, "cannot be negative"),
        ({"quotas": (Quota("policy", "hate", 1), Quota("policy", "hate", 2))}, "'hate' has more than one quota"),
    ],
)
def test_a_bad_plan_names_the_field(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(BadPlan, match=message):
        check_plan(dataclasses.replace(PLAN, **fields), POOL)


def test_good_ones_pass() -> None:
    check_pool(POOL)
    check_pool(dataclasses.replace(POOL, embeddings=POOL.embeddings.astype(np.float32)))
    check_pool(dataclasses.replace(POOL, groups=np.arange(len(POOL.ids))))
    check_plan(PLAN, POOL)
    check_plan(dataclasses.replace(PLAN, duplicate_cosine=None, thresholds={**PLAN.thresholds, "extra": 0.5}), POOL)


def test_disagreement_is_asked_only_of_a_pool_that_has_it() -> None:
    pool, plan = made_pool(), made_plan((Lane("uncertain", 1.0, "disagreement"),))
    check_plan(plan, pool)
    with pytest.raises(BadPlan, match="strategy 'disagreement' needs scores of a committee"):
        check_plan(plan, dataclasses.replace(pool, disagreement=None))
    check_plan(made_plan((Lane("uncertain", 1.0),)), dataclasses.replace(pool, disagreement=None))
    check_pool(dataclasses.replace(pool, disagreement=None))


@pytest.mark.parametrize(
    ("value", "says"), [(np.nan, "has nan"), (-0.1, "has -0.1"), (0.75, r"has 0.75.* expected 0 to 0.693147")]
)
def test_a_disagreement_that_cannot_be_is_named(value: float, says: str) -> None:
    pool = made_pool()
    assert pool.disagreement is not None
    told = pool.disagreement.copy()
    told[17, 1] = value
    with pytest.raises(BadPool, match=f"disagreement: row 17 .*{says}"):
        check_pool(dataclasses.replace(pool, disagreement=told))
    with pytest.raises(BadPool, match="disagreement: expected shape"):
        check_pool(dataclasses.replace(pool, disagreement=told[:, :1]))


def test_labels_are_checked_against_the_pool() -> None:
    pool = made_pool(20, copies=0)
    vectors = pool.embeddings[:4].copy()
    good = Labelled(vectors, np.array([[0, 1, np.nan]] * 4, np.float32), np.full((4, 3), 0.5, np.float32))
    check_labelled(good, pool)
    check_labelled(None, pool)
    broken: dict[str, dict[str, Any]] = {
        "labelled.embeddings: finite rows of length 1 are expected; row 2": {
            "embeddings": np.vstack([vectors[:2], 2 * vectors[2:]])
        },
        "labelled.answers: 1, 0 or NaN .* row 0": {"answers": good.answers + np.float32(0.5)},
        "labelled.probabilities: numbers from 0 to 1 are expected; row 0": {
            "probabilities": good.probabilities * np.nan
        },
        r"labelled.answers: expected shape \(4, 3\)": {"answers": good.answers[:, :2]},
        r"labelled.embeddings: expected shape \(4, 16\)": {"embeddings": vectors[:, :5]},
    }
    for says, changes in broken.items():
        with pytest.raises(BadPool, match=says):
            check_labelled(dataclasses.replace(good, **changes), pool)


def test_members_are_checked_as_probabilities_are() -> None:
    pool = made_pool(20, copies=0)
    members = np.stack([pool.probabilities, pool.probabilities])
    check_pool(dataclasses.replace(pool, members=members))
    members[1, 3, 2] = np.nan
    with pytest.raises(BadPool, match=r"members: row 3 .* has nan for 'spam'"):
        check_pool(dataclasses.replace(pool, members=members))
    with pytest.raises(BadPool, match="members: expected shape"):
        check_pool(dataclasses.replace(pool, members=members[:, :5]))
