from __future__ import annotations

import numpy as np
import pytest

from labeling.quality.votes import Votes
from tests.labeling.quality.crowds import CLASSES

TRIPLES = [("i2", "ann", "violates"), ("i1", "bob", "allowed"), ("i1", "ann", "violates")]


def test_votes_are_sorted_by_item_and_person_whatever_their_order() -> None:
    votes = Votes.of(TRIPLES, CLASSES)
    again = Votes.of(TRIPLES[::-1], CLASSES)
    assert (votes.item_names, votes.people_names) == (("i1", "i2"), ("ann", "bob"))
    for name in ("items", "people", "labels"):
        assert (getattr(votes, name) == getattr(again, name)).all()
    assert votes.counts().tolist() == [[1, 0, 1], [0, 0, 1]]
    assert len(votes) == 3


def test_gold_is_placed_where_there_are_votes() -> None:
    votes = Votes.of(TRIPLES, CLASSES)
    assert votes.places({"i2": "allowed", "elsewhere": "allowed"}).tolist() == [-1, 0]
    with pytest.raises(ValueError, match="gold of item 'i2': 'maybe' is not one of"):
        votes.places({"i2": "maybe"})


def test_what_is_no_vote_is_refused() -> None:
    with pytest.raises(ValueError, match="item 'i1': 'ann' votes twice"):
        Votes.of([*TRIPLES, ("i1", "ann", "allowed")])
    with pytest.raises(ValueError, match="class 'violates' is not one of allowed"):
        Votes.of(TRIPLES, ["allowed"])


def test_no_votes_at_all() -> None:
    assert np.array_equal(Votes.of([], CLASSES).counts(), np.zeros((0, 3)))
