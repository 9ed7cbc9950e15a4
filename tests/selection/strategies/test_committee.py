from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from selection.strategies.base import Candidates
from selection.strategies.registry import find
from tests.contracts.chooser import ChooserContract
from tests.selection.made import made_candidates

NAMES = ("vote_entropy", "bald", "modal_vote_entropy", "modal_consensus_entropy", "modal_max_disagreement")


class TestVoteEntropy(ChooserContract):
    name = "vote_entropy"


class TestBald(ChooserContract):
    name = "bald"


class TestModalVoteEntropy(ChooserContract):
    name = "modal_vote_entropy"


class TestModalConsensusEntropy(ChooserContract):
    name = "modal_consensus_entropy"


class TestModalMaxDisagreement(ChooserContract):
    name = "modal_max_disagreement"


def with_members(*members: float) -> Candidates:
    """Three items: on the first all members say .9, on the second .05, on the third the given."""
    candidates = made_candidates(3, policies=1)
    each = [np.array([[0.9], [0.05], [member]], np.float32) for member in members]
    return replace(candidates, members=np.stack(each))


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"modal_consensus_entropy"}))
def test_where_members_agree_there_is_nothing_to_ask(name: str) -> None:
    chosen = find(name)(with_members(0.1, 0.9, 0.2, 0.8), 3, 0)
    assert chosen.rows[0] == 2
    assert chosen.utilities[0] > 0.2
    assert np.allclose(chosen.utilities[1:], 0.0, atol=1e-6)


@pytest.mark.parametrize("name", ["vote_entropy", "modal_vote_entropy"])
def test_a_split_vote_is_one_bit(name: str) -> None:
    assert find(name)(with_members(0.1, 0.9), 1, 0).utilities[0] == pytest.approx(1.0)


def test_votes_are_cast_at_the_operating_threshold() -> None:
    candidates = with_members(0.2, 0.4)
    candidates.thresholds[:] = 0.3
    assert find("vote_entropy")(candidates, 1, 0).utilities[0] == pytest.approx(1.0)
    candidates.thresholds[:] = 0.5
    assert find("vote_entropy")(candidates, 1, 0).utilities[0] == 0.0


def test_bald_leaves_out_what_every_member_is_unsure_of() -> None:
    chosen = find("bald")(with_members(0.5, 0.5), 3, 0)
    assert np.allclose(chosen.utilities, 0.0)
    assert find("modal_consensus_entropy")(with_members(0.5, 0.5), 1, 0).rows.tolist() == [2]


def test_bald_of_members_that_are_sure_of_opposites_is_one_bit() -> None:
    assert find("bald")(with_members(0.0, 1.0), 1, 0).utilities[0] == pytest.approx(1.0)
