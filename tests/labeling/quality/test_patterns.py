from __future__ import annotations

import numpy as np
import pytest

from labeling.quality.judged import Judged
from labeling.quality.patterns import ANY, Found, Terms, identity, mine
from tests.labeling.quality.simulate_errors import CAUSES, mined_floor, simulate

YES, NO = "harm:violates/threat", "harm:allowed"


def fixture(repeat: int = 1) -> dict[str, list[str]]:
    """14 of 40 decisions in a cluster, 60 of 1,200 outside it."""
    rows = [("in", i < 14) for i in range(40)] + [("out", i < 60) for i in range(1200)]
    return {
        "item": [f"it-{i}-{copy}" for i in range(len(rows)) for copy in range(repeat)],
        "group": [f"it-{i}" for i in range(len(rows)) for _ in range(repeat)],
        "gold": [YES] * len(rows) * repeat,
        "given": [NO if wrong else YES for _, wrong in rows for _ in range(repeat)],
        "cluster": [cluster for cluster, _ in rows for _ in range(repeat)],
    }


def where(table: Judged, found: Found) -> tuple[str, str, str, str]:
    key = found.key
    return (
        table.gold.names[key.gold] if key.gold != ANY else "",
        table.given.names[key.given] if key.given != ANY else "",
        table.cluster.names[key.cluster] if key.cluster != ANY else "",
        f"{key.cohort}={table.cohorts[key.cohort].names[key.level]}" if key.cohort else "",
    )


def test_the_domains_fixture() -> None:
    table = Judged.of(fixture())
    (found,) = mine(table).patterns
    assert where(table, found) == (YES, NO, "in", "")
    assert (found.events, found.n, found.other_events, found.other_n) == (14, 40, 60, 1200)
    assert found.lift == pytest.approx(7.0)
    assert found.p == pytest.approx(1.4e-8, rel=0.05)
    assert found.deff == 1.0
    assert len(found.other_hits) == found.other_events
    assert not set(found.other_hits.tolist()) & set(found.rows.tolist())
    assert found.q == pytest.approx(found.p * mine(table).tests / 2)  # the same cell, for any error at all, ties


def test_copies_of_an_item_are_one_observation() -> None:
    """Each decision three times over: three times the counts, and the p of the counts once."""
    (once,), (thrice,) = mine(Judged.of(fixture())).patterns, mine(Judged.of(fixture(3))).patterns
    assert (thrice.events, thrice.n) == (42, 120)
    assert thrice.deff == pytest.approx(3.0)
    assert thrice.p == pytest.approx(once.p)


def test_too_few_are_no_pattern() -> None:
    few = {name: values[:40] + values[140:300] for name, values in fixture().items()}
    assert mine(Judged.of(few), Terms(least_events=15)).patterns == ()
    assert mine(Judged.of(few), Terms(least_groups=41)).patterns == ()
    assert mine(Judged.of(few), Terms(least_n=50)).patterns == ()
    assert mine(Judged.of({name: values[200:] for name, values in fixture().items()})).patterns == ()


def test_nothing_wrong_is_no_pattern() -> None:
    columns = fixture()
    columns["given"] = columns["gold"]
    found = mine(Judged.of(columns))
    assert (found.patterns, found.tests) == ((), 0)


@pytest.mark.parametrize("cause", CAUSES)
def test_the_planted_cause_is_taken_first(cause: str) -> None:
    planted, mined = mined_floor(cause)
    assert all(len(one.other_hits) == one.other_events for one in mined.patterns)
    first = mined.patterns[0]
    _gold, _given, cluster, cohort = where(planted.table, first)
    expected = {"content": (planted.level, ""), "everyone": ("", "")}
    assert (cluster, cohort) == expected.get(cause, ("", f"{cause}={planted.level}"))


def test_a_cause_explains_what_it_raises() -> None:
    """A careless person's team and language stand by themselves, and are no patterns once the person is taken."""
    planted, found = mined_floor("person")
    assert found.standing > 5
    told = [where(planted.table, one)[3] for one in found.patterns]
    assert told[0] == f"person={planted.level}"
    assert not {name for name in told if name.startswith(("team", "language"))}


def test_the_order_of_decisions_says_nothing() -> None:
    columns = fixture()
    order = np.random.default_rng(0).permutation(len(columns["item"]))
    turned = {name: [values[i] for i in order] for name, values in columns.items()}
    one, two = mine(Judged.of(columns)), mine(Judged.of(turned))
    assert [(f.key, f.events, f.p, f.q) for f in one.patterns] == [(f.key, f.events, f.p, f.q) for f in two.patterns]


def test_where_all_are_alike_little_is_found() -> None:
    """At a false-discovery rate of 10 % a floor without any cause has a pattern in 10 % of cases at most."""
    seeds = 12
    false = sum(bool(mine(simulate("", seed, items=800, plain=True).table).patterns) for seed in range(seeds))
    print(f"null: {false} of {seeds} floors without a cause have a pattern")
    assert false <= 3  # 4 or more of 12 at 10 % come in 3 % of cases


def test_an_id_is_of_what_defines_it() -> None:
    assert identity("a", "b") == identity("a", "b") != identity("ab", "")
    assert len(identity("a")) == 16
