from __future__ import annotations

import random

import pytest

from labeling.quality.anchoring import Said, by_person, by_policy, shift
from labeling.quality.intervals import newcombe


def both(number: int, *, assisted: bool, blind: bool, person: str = "ann", policy: str = "hate") -> list[Said]:
    item = f"{policy}-{number}"
    return [Said(item, policy, person, True, assisted), Said(item, policy, "bob", False, blind)]


def crowd(seed: int, n: int, pull: float) -> list[Said]:
    """People follow half of the suggestions by themselves, and are pulled to the rest with that chance."""
    dice = random.Random(seed)
    made = []
    for number in range(n):
        own = dice.random() < 0.5
        made += both(number, assisted=own or dice.random() < pull, blind=dice.random() < 0.5)
    return made


def test_newcombe_is_what_his_paper_has() -> None:
    gap, (low, high) = newcombe(56, 70, 48, 80)  # Newcombe (1998), table II, contrast (a)
    assert (round(gap, 4), round(low, 4), round(high, 4)) == (0.2, 0.0524, 0.3339)


def test_a_pull_is_found_and_none_is_not_made_up() -> None:
    pulled = shift(crowd(1, 300, 0.6))
    assert pulled.pulls
    assert pulled.shift == pytest.approx(0.3, abs=0.1)
    assert pulled.low < 0.3 < pulled.high
    quiet = [shift(crowd(seed, 100, 0.0)) for seed in range(200)]
    assert sum(one.pulls for one in quiet) <= 0.05 * len(quiet)
    assert sum(one.low <= 0 <= one.high for one in quiet) >= 0.93 * len(quiet)


def test_an_item_counts_once_however_many_answered_it() -> None:
    once = [said for n in range(20) for said in both(n, assisted=True, blind=n % 2 == 0)]
    more = [Said(s.item_id, s.policy_id, f"{s.person}-{k}", s.assisted, s.follows) for s in once for k in range(5)]
    assert shift(more) == shift(once)
    assert (shift(once).n, shift(once).assisted, shift(once).blind) == (20, 1.0, 0.5)


def test_few_items_have_ends_and_no_figure() -> None:
    few = shift(said for n in range(12) for said in both(n, assisted=True, blind=False))
    assert (few.n, few.shift, few.assisted, few.verdict, few.pulls) == (12, None, None, "insufficient", False)
    assert few.low > 0
    none = shift([])
    assert (none.n, none.shift, none.low, none.high) == (0, None, -1.0, 1.0)


def test_only_items_answered_both_ways_and_by_others_count() -> None:
    pairs = [said for n in range(20) for said in both(n, assisted=True, blind=True)]
    alone = [Said(f"lone-{n}", "hate", "ann", True, False) for n in range(50)]
    alone += [Said(f"other-{n}", "hate", "bob", False, False) for n in range(50)]
    own = [Said(f"own-{n}", "hate", "ann", beside, not beside) for n in range(50) for beside in (True, False)]
    assert shift([*pairs, *alone, *own]) == shift(pairs)
    assert by_person([*pairs, *alone, *own])["ann", "hate"] == shift(pairs)


def test_people_and_policies_are_kept_apart() -> None:
    said = [s for n in range(30) for s in both(n, assisted=True, blind=False, person="ann", policy="hate")]
    said += [s for n in range(30) for s in both(n, assisted=False, blind=False, person="cat", policy="spam")]
    people, policies = by_person(said), by_policy(said)
    assert {key: found.shift for key, found in people.items()} == {("ann", "hate"): 1.0, ("cat", "spam"): 0.0}
    assert {key: found.shift for key, found in policies.items()} == {"hate": 1.0, "spam": 0.0}
    assert policies["hate"].pulls
    assert not policies["spam"].pulls
