from __future__ import annotations

import numpy as np
import pytest

from labeling.quality.pooled import Fit, confusion, fit, sweep, update
from labeling.quality.votes import Votes
from tests.labeling.quality.crowds import CLASSES, COMMON, Crowd, crowd, honest


def parts(whole: Votes, late: int) -> tuple[Votes, Votes]:
    """The votes cut in two: ``late`` of them, drawn by chance, come later."""
    triples = [
        (whole.item_names[i], whole.people_names[p], whole.classes[k])
        for i, p, k in zip(whole.items, whole.people, whole.labels, strict=True)
    ]
    chosen = set(np.random.default_rng(3).permutation(len(triples))[:late].tolist())
    early = [row for i, row in enumerate(triples) if i not in chosen]
    return Votes.of(early, CLASSES), Votes.of([triples[i] for i in sorted(chosen)], CLASSES)


@pytest.fixture(scope="module")
def many() -> Crowd:
    return crowd([honest(a) for a in np.linspace(0.6, 0.97, 20)], COMMON, items=2000, overlap=3)


@pytest.fixture(scope="module")
def full(many: Crowd) -> Fit:
    return fit(many.votes, many.gold(100))


@pytest.mark.parametrize(("sweeps", "most"), [(0, 0.3), (3, 0.1), (40, 0.002), (400, 1e-5)])
def test_an_update_comes_to_the_full_fit_with_more_sweeps(many: Crowd, full: Fit, sweeps: int, most: float) -> None:
    early, late = parts(many.votes, 60)
    updated = update(fit(early, many.gold(100)), late, many.gold(100), sweeps=sweeps)
    assert updated.votes.item_names == full.votes.item_names
    assert np.array_equal(updated.votes.labels, full.votes.labels)
    assert float(np.abs(updated.posterior - full.posterior).max()) <= most
    assert (updated.consensus().labels != full.consensus().labels).mean() <= 0.005


def test_an_update_takes_new_items_new_people_and_new_gold() -> None:
    first = fit(Votes.of([("b", "ann", "violates"), ("d", "bob", "allowed")], CLASSES), {})
    new = Votes.of([("a", "cat", "violates"), ("b", "cat", "allowed"), ("e", "bob", "allowed")], CLASSES)
    told = update(first, new, {"d": "violates", "nobody": "allowed"}, sweeps=200)
    assert told.votes.item_names == ("a", "b", "d", "e")
    assert told.votes.people_names == ("ann", "bob", "cat")
    whole = [("b", "ann", "violates"), ("d", "bob", "allowed"), ("a", "cat", "violates"), ("b", "cat", "allowed")]
    again = fit(Votes.of([*whole, ("e", "bob", "allowed")], CLASSES), {"d": "violates"})
    assert np.allclose(told.posterior, again.posterior, atol=1e-4)
    assert told.posterior[2].tolist() == [0.0, 0.0, 1.0]
    assert first.posterior[1, 0] < 1  # what was there is not changed


def test_a_bad_update_is_refused() -> None:
    state = fit(Votes.of([("a", "ann", "violates")], CLASSES), {})
    with pytest.raises(ValueError, match="item 'a': 'ann' votes twice"):
        update(state, Votes.of([("a", "ann", "allowed")], CLASSES))
    with pytest.raises(ValueError, match="classes: the new votes have violates"):
        update(state, Votes.of([("a", "bob", "violates")]))
    with pytest.raises(ValueError, match="gold of item 'a': 'maybe'"):
        update(state, Votes.of([("a", "bob", "violates")], CLASSES), {"a": "maybe"})
    with pytest.raises(ValueError, match="evidence: expected"):
        fit(state.votes, {}, np.zeros((2, 3)))


def test_who_said_little_looks_like_the_crowd(full: Fit) -> None:
    few = Votes.of([("i00000", "zoe", "violates")], CLASSES)
    told = update(full, few)
    rows = confusion(told.tally)
    assert np.allclose(rows.sum(axis=2), 1)
    zoe, crowd_mean = rows[told.votes.people_names.index("zoe")], rows.mean(axis=0)
    assert float(np.abs(zoe - crowd_mean).max()) < 0.2


def test_a_fit_that_has_converged_stays_where_it_is(full: Fit) -> None:
    again = sweep(full, 5)
    assert float(np.abs(again.posterior - full.posterior).max()) < 1e-6


def test_evidence_moves_an_item_towards_what_the_model_says(many: Crowd) -> None:
    plain = fit(many.votes, {})
    told = np.zeros_like(plain.posterior)
    told[0] = np.log([0.001, 0.001, 0.998])
    moved = fit(many.votes, {}, told)
    assert moved.posterior[0, 2] > plain.posterior[0, 2]
