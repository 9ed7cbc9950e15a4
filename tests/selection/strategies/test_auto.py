from __future__ import annotations

import numpy as np
import pytest

from selection.strategies.auto import TYPICAL_UNTIL, auto
from selection.uncertainty import logit
from tests.contracts.chooser import ChooserContract
from tests.selection.made import made_candidates


class TestAuto(ChooserContract):
    name = "auto"


def test_rare_policies_get_half_of_a_warm_batch_the_rarest_most() -> None:
    candidates = made_candidates(2000, labelled=TYPICAL_UNTIL)
    rates = (0.4, 0.04, 0.01)
    for policy, rate in enumerate(rates):
        chances = candidates.probabilities[:, policy]
        candidates.thresholds[policy] = np.quantile(chances, 1 - rate)
    reasons = [why for (why,) in auto(candidates, 60, 0).reasons]
    assert reasons.count("boundary") == reasons.count("rare policy") == 30
    chosen = auto(candidates, 60, 0)
    rare = [policy for policy, (why,) in zip(chosen.policies, chosen.reasons, strict=True) if why == "rare policy"]
    assert rare.count(2) > rare.count(1) > 0
    assert 0 not in rare


def test_picks_lie_near_the_boundary_they_are_for() -> None:
    candidates = made_candidates(3000, labelled=TYPICAL_UNTIL, policies=2)
    chosen = auto(candidates, 20, 0)
    away = np.abs(logit(candidates.probabilities.astype(float)) - logit(candidates.thresholds))
    near = [why == "boundary" for (why,) in chosen.reasons]
    assert away.min(axis=1)[chosen.rows[near]].max() < np.median(away.min(axis=1))
    assert chosen.utilities[near] == pytest.approx(np.exp(-away[chosen.rows[near], chosen.policies[near]]))


@pytest.mark.parametrize(("pool", "near"), [(400, 50), (3000, 120), (8000, 200)])
def test_near_is_near_in_a_small_pool_too(pool: int, near: int) -> None:
    """Five candidates a pick at least, one in 25 of the pool, and 20 a pick at most."""
    candidates = made_candidates(pool, labelled=TYPICAL_UNTIL, policies=2)
    chosen = auto(candidates, 20, 0)
    away = np.abs(logit(candidates.probabilities.astype(float)) - logit(candidates.thresholds)).min(axis=1)
    rows = chosen.rows[[why == "boundary" for (why,) in chosen.reasons]]
    assert len(rows) == 10
    ranks = np.argsort(np.argsort(away, kind="stable"))[rows]
    assert near / 2 < ranks.max() < near


@pytest.mark.parametrize(("labelled", "typical"), [(0, 20), (TYPICAL_UNTIL - 1, 20), (TYPICAL_UNTIL, 0)])
def test_a_cold_start_begins_with_what_is_typical(labelled: int, typical: int) -> None:
    chosen = auto(made_candidates(500, labelled=labelled), 40, 0)
    assert [why for (why,) in chosen.reasons].count("typical") == typical


def test_what_labels_stand_for_already_is_not_typical_any_more() -> None:
    candidates = made_candidates(400, labelled=100)
    assert candidates.labelled is not None
    candidates.embeddings[:300] = candidates.labelled.embeddings[0]
    chosen = auto(candidates, 20, 0)
    typical = [row for row, (why,) in zip(chosen.rows, chosen.reasons, strict=True) if why == "typical"]
    assert sum(row < 300 for row in typical) <= 1


def test_any_scorers_opinion_warms_the_first_round() -> None:
    """Without a label: a scorer that knows the harm brings far more of it than one that knows nothing."""
    found = {}
    for knows in (True, False):
        candidates = made_candidates(4000, labelled=0, policies=1)
        harm = np.random.default_rng(3).random(4000) < 0.02
        luck = np.random.default_rng(4).normal(size=4000)
        logits = luck + (4.0 * harm if knows else 0.0) - 4.0
        candidates.probabilities[:, 0] = 1 / (1 + np.exp(-logits))
        candidates.thresholds[0] = np.quantile(candidates.probabilities, 0.98)
        found[knows] = int(harm[auto(candidates, 100, 0).rows].sum())
    assert found[True] > 3 * max(found[False], 1)
