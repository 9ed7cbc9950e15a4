from __future__ import annotations

import numpy as np
import pytest

from selection.strategies import rare
from selection.strategies.base import Candidates
from selection.strategies.exact import GRID, grid
from selection.strategies.rare import nearest
from selection.strategies.registry import find
from selection.strategies.shortlist import at_threshold, by_value
from selection.types import F32
from tests.contracts.chooser import ChooserContract
from tests.selection.made import made_candidates


class TestSeals(ChooserContract):
    name = "seals"


class TestAnchors(ChooserContract):
    name = "anchors"


def known_violations(candidates: Candidates, policy: int) -> F32:
    assert candidates.labelled is not None
    return grid(candidates.labelled.embeddings[candidates.labelled.answers[:, policy] == 1])


def test_nearest_is_exact() -> None:
    candidates = made_candidates(500, labelled=60)
    queries = known_violations(candidates, 0)[:5]
    expected = np.argsort(-(queries @ grid(candidates.embeddings).T), axis=1)[:, :7]
    assert nearest(candidates, queries, 7).tolist() == np.unique(expected).tolist()


def test_equal_cosines_go_by_their_tie_numbers() -> None:
    candidates = made_candidates(20, labelled=60)
    candidates.embeddings[:] = candidates.embeddings[0]
    assert nearest(candidates, known_violations(candidates, 0)[:1], 4).tolist() == sorted(
        np.argsort(-candidates.ties)[:4].tolist()
    )


def test_seals_stays_near_the_violations_of_the_policy_it_asks_about(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rare, "NEAREST", 5)
    candidates = made_candidates(500, labelled=60)
    chosen = find("seals")(candidates, 20, 0)
    assert chosen.notes == ()
    for row, policy in zip(chosen.rows.tolist(), chosen.policies.tolist(), strict=True):
        assert row in nearest(candidates, known_violations(candidates, policy), 5)
    assert chosen.reasons == (("near a labelled violation",),) * 20


@pytest.mark.parametrize("name", ["seals", "anchors"])
def test_without_a_violation_the_fallback_is_said(name: str) -> None:
    candidates = made_candidates(300, labelled=60)
    assert candidates.labelled is not None
    candidates.labelled.answers[:] = 0
    chosen = find(name)(candidates, 20, 0)
    assert chosen.rows.tolist() == by_value(candidates, at_threshold(candidates), 20).rows.tolist()
    assert chosen.notes[0].startswith("20 of 20 picks chosen by value alone: no more pairs lie ")


def test_anchored_policies_take_turns_the_rarest_first() -> None:
    candidates = made_candidates(3000, labelled=200)
    assert candidates.labelled is not None
    candidates.labelled.answers[:, 1] = 0
    candidates.labelled.answers[:2, 1] = 1
    chosen = find("anchors")(candidates, 12, 0)
    assert chosen.policies[0] == 1
    assert np.bincount(chosen.policies, minlength=3).min() >= 2


def test_an_anchored_pool_is_what_lies_nearest_on_average() -> None:
    candidates = made_candidates(300, labelled=60)
    anchors = known_violations(candidates, 2)
    expected = (candidates.embeddings.astype(np.float64) @ (anchors / GRID).T.astype(np.float64)).mean(axis=1)
    assert np.allclose(rare.mean_cosine(candidates, anchors), expected, atol=2e-3)
