"""The rules of who gets which question, as invariants over whatever floors hypothesis thinks of."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.assign import NOBODY, ROW, Anchor, AssignRules, Plan, Question, able, plan_assignment, reads, toss
from labeling.floor import Desk
from labeling.records import Person

T0 = datetime(2026, 3, 1, tzinfo=UTC)
POLICIES = ("hate", "harm")
NAMES = [f"item-{n}" for n in range(12)]


def person(name: str = "ann", **changes: object) -> Person:
    fields: dict[str, object] = {
        "email": f"{name}@example.org",
        "name": name,
        "desk": 1,
        "active": True,
        "languages": (),
        "opt_outs": (),
        "daily_exposure": None,
        "severe_in_row": None,
        "paused": False,
        "paused_reason": "",
        "reviewed_at": None,
        "created_at": T0,
    }
    return Person(**(fields | changes))  # type: ignore[arg-type]


def question(number: int = 0, **changes: object) -> Question:
    fields: dict[str, object] = {
        "task_id": f"task-{number}",
        "policy_id": "hate",
        "policy_version": "1.0.0",
        "language": "en",
        "units": 2.0,
        "chars": 100,
        "wanted": 2,
        "answered": False,
        "names": frozenset({f"item-{number}"}),
    }
    return Question(**(fields | changes))  # type: ignore[arg-type]


def anchor(number: int = 0, **changes: object) -> Anchor:
    fields: dict[str, object] = {
        "item_id": f"gold-{number}",
        "policy_id": "hate",
        "policy_version": "1.0.0",
        "language": "en",
        "units": 1.0,
        "chars": 100,
        "names": frozenset({f"gold-{number}"}),
    }
    return Anchor(**(fields | changes))  # type: ignore[arg-type]


def people(*names: str) -> list[Desk]:
    return [Desk(person(name)) for name in names]


def asked(plan: Plan) -> dict[str, list[str]]:
    """By question, who got it."""
    found: dict[str, list[str]] = defaultdict(list)
    for place in plan.placements:
        if place.task_id:
            found[place.task_id].append(place.email.split("@")[0])
    return found


UNITS = st.sampled_from([0.1, 0.9, 1.0, 2.0, 3.9, 4.0, 7.5, 16.0])
QUESTIONS = st.lists(
    st.builds(
        question,
        number=st.integers(0, 10**6),
        policy_id=st.sampled_from(POLICIES),
        language=st.sampled_from(["en", "pt-BR", "und", "de"]),
        units=UNITS,
        chars=st.integers(1, 500),
        wanted=st.integers(1, 3),
        answered=st.booleans(),
        names=st.frozensets(st.sampled_from(NAMES), min_size=1, max_size=2),
    ),
    max_size=25,
    unique_by=lambda q: q.task_id,
)
ROWS = st.dictionaries(st.sampled_from(POLICIES), st.lists(UNITS, max_size=4).map(tuple), max_size=2)
DESKS = st.lists(
    st.builds(
        Desk,
        person=st.builds(
            person,
            name=st.sampled_from(list("abcdefgh")),
            active=st.sampled_from([True, True, True, False]),
            paused=st.sampled_from([False, False, False, True]),
            languages=st.sampled_from([(), ("en",), ("pt", "en"), ("de",)]),
            opt_outs=st.sampled_from([(), (), ("hate",), ("harm",)]),
            daily_exposure=st.sampled_from([None, 0.0, 5.0, 30.0]),
            severe_in_row=st.sampled_from([None, 0, 1, 2]),
        ),
        spent=st.sampled_from([0.0, 1.5, 20.0]),
        waiting=st.sampled_from([0.0, 3.0]),
        open_tasks=st.integers(0, 5),
        last_position=st.integers(0, 50),
        rows=ROWS,
        met=st.frozensets(st.tuples(st.sampled_from(POLICIES), st.sampled_from(NAMES)), max_size=3),
    ),
    max_size=6,
    unique_by=lambda desk: desk.person.email,
)
ANCHORS = st.lists(
    st.builds(
        anchor,
        number=st.integers(0, 30),
        policy_id=st.sampled_from(POLICIES),
        language=st.sampled_from(["en", "pt"]),
        units=UNITS,
        chars=st.integers(1, 500),
    ),
    max_size=8,
    unique_by=lambda a: a.item_id,
)
RULES = st.builds(
    AssignRules,
    daily_exposure=st.just(40.0),
    severe_units=st.just(4.0),
    severe_in_row=st.just(2),
    injection_rate=st.sampled_from([0.0, 0.3, 0.9]),
)


@settings(max_examples=150, deadline=None)
@given(questions=QUESTIONS, desks=DESKS, anchors=ANCHORS, rules=RULES, seed=st.integers(0, 5))
def test_the_rules_hold(
    questions: list[Question], desks: list[Desk], anchors: list[Anchor], rules: AssignRules, seed: int
) -> None:
    plan = plan_assignment(questions, desks, rules, seed, anchors)
    by_id = {q.task_id: q for q in questions}
    gold = {a.item_id: a for a in anchors}
    for desk in desks:
        mine = [p for p in plan.placements if p.email == desk.person.email]
        assert bool(mine) <= (desk.person.active and not desk.person.paused)
        met, rows, used = (
            set(desk.met),
            {policy: list(row) for policy, row in desk.rows.items()},
            desk.spent + desk.waiting,
        )
        cap = rules.daily_exposure if desk.person.daily_exposure is None else desk.person.daily_exposure
        limit = rules.severe_in_row if desk.person.severe_in_row is None else desk.person.severe_in_row
        assert [p.position for p in mine] == list(range(desk.last_position + 1, desk.last_position + 1 + len(mine)))
        for place in mine:
            what: Question | Anchor = by_id[place.task_id] if place.task_id else gold[place.item_id]
            assert able(desk.person, what.policy_id, what.language)
            names = {(what.policy_id, name) for name in what.names}
            assert not names & met  # nobody twice, and no near-duplicate
            met |= names
            used += what.units
            assert used <= (cap if what.units < rules.mild_units else 0.9 * cap) + 1e-6
            row = rows.setdefault(what.policy_id, [])
            row.append(what.units)
            if what.units >= rules.severe_units:
                assert not all(units >= rules.severe_units for units in row[-limit - 1 :]) or len(row) <= limit
        injected = [p.item_id for p in mine if p.item_id]
        assert len(injected) == len(set(injected))
    placed = Counter(p.task_id for p in plan.placements if p.task_id)
    assert all(placed[q.task_id] <= q.wanted for q in questions)
    assert sum(placed.values()) + sum(plan.unplaced.values()) == sum(q.wanted for q in questions)


@settings(max_examples=60, deadline=None)
@given(questions=QUESTIONS, desks=DESKS, anchors=ANCHORS, rules=RULES, order=st.randoms(use_true_random=False))
def test_the_order_in_which_anything_comes_does_not_matter(
    questions: list[Question], desks: list[Desk], anchors: list[Anchor], rules: AssignRules, order: random.Random
) -> None:
    first = plan_assignment(questions, desks, rules, 3, anchors)
    for each in (questions, desks, anchors):
        order.shuffle(each)
    assert plan_assignment(questions, desks, rules, 3, anchors) == first


def test_work_is_shared_evenly() -> None:
    plan = plan_assignment([question(n) for n in range(30)], people("ann", "bob", "cat"), AssignRules())
    assert Counter(p.email for p in plan.placements) == {f"{name}@example.org": 20 for name in ("ann", "bob", "cat")}
    assert {len(set(who)) for who in asked(plan).values()} == {2}
    assert plan.unplaced == {}


def test_who_has_more_before_them_gets_less() -> None:
    desks = [Desk(person("ann"), open_tasks=10), Desk(person("bob")), Desk(person("cat"))]
    plan = plan_assignment([question(n, wanted=1) for n in range(10)], desks, AssignRules())
    assert {p.email for p in plan.placements} == {"bob@example.org", "cat@example.org"}


@pytest.mark.parametrize(
    ("desks", "changes", "reason"),
    [
        ([], {}, NOBODY),
        ([Desk(person(paused=True))], {}, NOBODY),
        ([Desk(person(languages=("en",)))], {"language": "pt"}, "nobody on the roster reads 'pt'"),
        ([Desk(person(opt_outs=("hate",)))], {}, "everybody who could has opted out of hate"),
        ([Desk(person(), met=frozenset({("hate", "item-0")}))], {}, "has met the item, or a near-duplicate"),
        ([Desk(person(), spent=239.0)], {}, "at their cap of exposure until tomorrow"),
        ([Desk(person(), waiting=239.0)], {}, "at their cap of exposure until tomorrow"),
        ([Desk(person(daily_exposure=1.0))], {}, "raise daily_exposure"),
        ([Desk(person(), rows={"hate": (5.0, 5.0, 5.0)})], {"units": 5.0}, ROW),
    ],
)
def test_what_finds_nobody_says_why(desks: list[Desk], changes: dict[str, Any], reason: str) -> None:
    rules = AssignRules(severe_units=4.0, severe_in_row=3)
    plan = plan_assignment([question(wanted=1, **changes)], desks, rules)
    assert plan.placements == ()
    ((told, count),) = plan.unplaced.items()
    assert reason in told
    assert count == 1


def test_the_last_tenth_of_a_cap_is_for_mild_items() -> None:
    desks = [Desk(person(daily_exposure=100.0), spent=89.0)]
    both = [question(1, units=3.0, wanted=1), question(2, units=0.5, wanted=1)]
    plan = plan_assignment(both, desks, AssignRules())
    assert asked(plan) == {"task-2": ["ann"]}
    assert sum(plan.unplaced.values()) == 1


def test_mild_items_lie_between_severe_ones_where_there_are_any() -> None:
    severe = [question(n, units=5.0, wanted=1) for n in range(8)]
    mild = [question(100 + n, units=0.2, wanted=1) for n in range(4)]
    plan = plan_assignment([*severe, *mild], people("ann"), AssignRules(severe_units=4.0, severe_in_row=2))
    row = "".join("S" if p.units >= 4 else "m" for p in plan.placements)
    assert row.count("S") == 8
    assert "SSS" not in row
    assert plan.unplaced == {}


def test_a_third_answer_comes_before_new_questions() -> None:
    desks = [Desk(person("ann", daily_exposure=3.0))]
    new = [question(n, wanted=1) for n in range(20)]
    plan = plan_assignment([*new, question(99, wanted=1, answered=True)], desks, AssignRules())
    assert asked(plan) == {"task-99": ["ann"]}


def test_injections_come_at_their_rate_and_never_twice_to_one() -> None:
    questions = [question(n, wanted=1, units=0.01) for n in range(600)]
    gold = [anchor(n, units=0.01) for n in range(200)]
    plan = plan_assignment(questions, people("ann", "bob"), AssignRules(injection_rate=0.1), 0, gold)
    injected = [p for p in plan.placements if p.item_id]
    assert 35 <= len(injected) <= 90
    assert plan_assignment(questions, people("ann", "bob"), AssignRules(), 0, gold).placements == tuple(
        p for p in plan_assignment(questions, people("ann", "bob"), AssignRules(), 0).placements
    )
    few = plan_assignment(questions, people("ann"), AssignRules(injection_rate=0.9), 0, gold[:3])
    assert sum(bool(p.item_id) for p in few.placements) == 3


def test_nobody_is_injected_what_they_met() -> None:
    desks = [Desk(person(), items=frozenset({"gold-1"}), met=frozenset({("hate", "gold:g2")}))]
    gold = [anchor(1), anchor(2, names=frozenset({"gold-2", "gold:g2"})), anchor(3, policy_version="0.9.0")]
    plan = plan_assignment([question(n) for n in range(20)], desks, AssignRules(injection_rate=0.99), 0, gold)
    assert not [p for p in plan.placements if p.item_id]


def test_languages_are_matched_by_their_primary_part() -> None:
    assert reads(person(languages=("pt",)), "pt-BR")
    assert reads(person(languages=("PT-br",)), "pt-BR")
    assert not reads(person(languages=("pt-BR",)), "pt")
    assert reads(person(languages=("pt",)), "und")
    assert reads(person(), "xx")


def test_a_toss_depends_on_its_arguments_alone() -> None:
    assert toss(1, "a", "b") == toss(1, "a", "b")
    assert toss(1, "ab", "") != toss(1, "a", "b")
    tosses = [toss(0, str(n)) for n in range(2000)]
    assert 0 <= min(tosses) < max(tosses) < 1
    assert sum(tosses) / 2000 == pytest.approx(0.5, abs=0.03)
