from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from labeling.quality.attribution import Attribution, Bar, Culprit, attribute
from labeling.quality.judged import Judged
from labeling.quality.patterns import mine
from tests.labeling.quality.simulate_errors import CAUSES, Planted, mined_floor, simulate

FIRST, FIFTY, WRONG = 100, 50, 0.10  # the bars of a verdict were set on seeds 0 to 14


def verdict(planted: Planted) -> Attribution | None:
    """Of the surest pattern; None where there is none."""
    found = mine(planted.table).patterns
    return attribute(planted.table, found[0], found[1:]) if found else None


def measured(seeds: int, items: int) -> dict[str, Counter[str]]:
    """What each cause was said to be. A right cause of the wrong level is wrong."""
    told: dict[str, Counter[str]] = {cause: Counter() for cause in CAUSES}
    for cause in CAUSES:
        for seed in range(FIRST, FIRST + seeds):
            planted = simulate(cause, seed, items=items)
            found = verdict(planted)
            if found is None or found.culprit is Culprit.UNKNOWN:
                told[cause]["missed" if found is None else "cannot tell"] += 1
            else:
                right = (found.culprit, found.level) == (cause, planted.level)
                told[cause]["right" if right else "wrong"] += 1
    return told


@pytest.mark.parametrize("cause", CAUSES)
def test_each_cause_has_its_own_verdict(cause: str) -> None:
    planted, mined = mined_floor(cause)
    told = attribute(planted.table, mined.patterns[0], mined.patterns[1:])
    assert (told.culprit, told.level) == (cause, planted.level), told.reason


@pytest.mark.slow
@pytest.mark.parametrize("items", [4000, 1500])
def test_over_fifty_seeds(items: int) -> None:
    told = measured(FIFTY, items)
    for cause, counts in told.items():
        print(f"{items} items, {cause}: {dict(counts)}")
        assert counts["wrong"] <= WRONG * FIFTY, cause


def test_what_always_goes_together_cannot_be_told_apart() -> None:
    found = verdict(simulate("language", 0, items=2000, teams_are_languages=True))
    assert found is not None
    assert (found.culprit, found.level) == (Culprit.UNKNOWN, "")
    assert "the rest explains it almost as well" in found.reason


def test_a_verdict_shows_its_work() -> None:
    planted, mined = mined_floor("tool")
    found = attribute(planted.table, mined.patterns[0], mined.patterns[1:])
    parts = {part.name: part for part in found.parts}
    assert set(parts) == {"person", "content", "language", "team", "shift", "tool", "actor"}
    tool = parts["tool"]
    assert tool.share == max(part.share for part in found.parts)
    assert tool.share_low < tool.share < tool.share_high
    assert tool.pull_low < tool.pull < tool.pull_high
    assert tool.leads > 0.99
    assert sum(part.leads for part in found.parts) == pytest.approx(1)
    assert found.n <= len(planted.table)
    assert found.unseen == ()


def test_a_bar_that_nothing_reaches_is_cannot_tell() -> None:
    planted, mined = mined_floor("tool")
    told = attribute(planted.table, mined.patterns[0], mined.patterns[1:], Bar(pull=9.0))
    assert (told.culprit, told.level) == (Culprit.UNKNOWN, "")


def test_a_machine_that_decided_alone_has_nobody_beside_it() -> None:
    """40 of 100 wrong in a cluster, 2 of 100 elsewhere: the model's fault, or the policy's?"""
    wrong = np.r_[np.arange(100) < 40, np.arange(100) < 2]
    table = Judged.of(
        {
            "item": [f"it-{i}" for i in range(200)],
            "gold": ["harm:allowed"] * 200,
            "given": ["harm:violates/slur" if bad else "harm:allowed" for bad in wrong],
            "cluster": ["a"] * 100 + ["b"] * 100,
            "source": ["model"] * 200,
            "person": ["m1"] * 200,
        }
    )
    (found,) = mine(table).patterns
    told = attribute(table, found, ())
    assert (told.culprit, told.parts) == (Culprit.UNKNOWN, ())
    assert told.reason == "model:m1 alone decided here, so nobody stands beside it"


def test_decisions_that_are_all_alike_say_nothing() -> None:
    rows = 300
    table = Judged.of(
        {
            "item": [f"it-{i}" for i in range(rows)],
            "gold": ["harm:allowed"] * 100 + ["harm:context_missing"] * 200,
            "given": ["harm:violates/slur"] * 40 + ["harm:allowed"] * 60 + ["harm:context_missing"] * 200,
        }
    )
    (found,) = mine(table).patterns
    assert attribute(table, found, ()).culprit is Culprit.UNKNOWN
