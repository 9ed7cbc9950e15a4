"""The root-cause desk: blind second codes, actions that only figures verify, and what comes back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from labeling.cause_records import CODES, Finding, Role
from labeling.decision_records import ErrorType
from labeling.errors import Conflict, InvalidInput, NotFound
from labeling.insights import causes
from labeling.insights.causes import Told, Wanted
from labeling.insights.daily_qa import open_day
from labeling.records import TaskKind, TaskState
from tests.figures import assert_whole
from tests.labeling.insights.production import DAY, NOON, decide, open_production, row, terms
from tests.labeling.insights.test_daily_qa import ACTIONS, ALL_TRAIN
from tests.labeling.shop import NO, NOW, Shop, yes

TOLD = Told("Quotes are removed", "Posts that quote are removed.", {"project": "forum"}, ("it-0",), ErrorType.OVER, 3)
WANTED = Wanted("Add an example", "policy", "accuracy", 0.8, date(2026, 3, 20), {})
LATER = DAY + timedelta(days=1)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = open_production(tmp_path, 60)
    made.shares = ALL_TRAIN
    yield made
    made.ledger.close()


def opened(shop: Shop, told: Told = TOLD, *, double: bool = False, at: datetime = NOW) -> Finding:
    """A finding that two people code, or one."""
    for _ in range(200):
        made = causes.open_finding(shop.ledger, told, "ann", at)
        if made.is_double_coded is double:
            return made
    raise AssertionError("no hash fell there")


def judged_day(shop: Shop, day: date, wrong: range, at: range) -> None:
    """A day's decisions about some items, those of ``wrong`` against the answer; all are judged again."""
    noon = NOON + (day - DAY)
    rows = []
    for n in at:
        right = row(n, decision_id=f"{day}-{n}", decided_at=(noon + timedelta(seconds=n)).isoformat())
        flip = (
            {"outcome": "ok", "rule": None, "action": "keep"}
            if n % 2 == 0
            else {"outcome": "violates", "rule": "general"}
        )
        rows.append(right | flip if n in wrong else right)
    decide(shop, *rows)
    open_day(shop.ledger, shop.lake, day, terms(shop))
    shop.deliver()
    for task in shop.ledger.tasks.where(states=(TaskState.SENT,), kind=TaskKind.BLIND):
        shop.answer(task, *((yes() if "cheat" in task.text else NO),) * 2, people=("ann", "bob"))
    shop.settle()


def test_a_fifth_is_coded_twice_and_nobody_chooses_which(shop: Shop) -> None:
    made = opened(shop)
    drawn = sum(replace(made, finding_id=f"fnd_{n}").is_double_coded for n in range(2000))
    assert 340 < drawn < 460


def test_one_code_settles_a_finding_that_one_person_codes(shop: Shop) -> None:
    made = opened(shop)
    causes.code_finding(shop.ledger, made.finding_id, "P.gap", "no rule", "bob", NOW)
    (told,) = [one for one in causes.desk(shop.ledger, DAY) if one["finding_id"] == made.finding_id]
    assert (told["cause"], told["cause_text"], told["waits_for"], told["state"]) == (
        "P.gap",
        CODES["P.gap"],
        None,
        "open",
    )
    with pytest.raises(Conflict, match=r"has its cause: P\.gap"):
        causes.code_finding(shop.ledger, made.finding_id, "P.gap", "", "eve", NOW)


def test_the_second_coder_sees_nothing_and_is_another(shop: Shop) -> None:
    made = opened(shop, double=True)

    def told() -> dict[str, object]:
        return next(one for one in causes.desk(shop.ledger, DAY) if one["finding_id"] == made.finding_id)

    causes.code_finding(shop.ledger, made.finding_id, "P.gap", "a note", "bob", NOW)
    assert (told()["waits_for"], told()["codings"], told()["cause"]) == ("second", [], None)
    with pytest.raises(Conflict, match="by somebody who has not coded it yet"):
        causes.code_finding(shop.ledger, made.finding_id, "R.slip", "", "bob", NOW)
    causes.code_finding(shop.ledger, made.finding_id, "R.slip", "", "eve", NOW)
    assert told()["waits_for"] == "final"
    assert [one["code"] for one in told()["codings"]] == ["P.gap", "R.slip"]  # type: ignore[attr-defined]
    with pytest.raises(Conflict, match="somebody who has not coded"):
        causes.code_finding(shop.ledger, made.finding_id, "P.gap", "", "eve", NOW)
    coding = causes.code_finding(shop.ledger, made.finding_id, "P.conflict", "", "lead", NOW)
    assert (coding.role, told()["cause"]) == (Role.FINAL, "P.conflict")
    agreement = causes.coding_agreement(shop.ledger)
    assert agreement["pairs"] == 1
    assert agreement["code"]["observed"]["verdict"] == "insufficient"  # type: ignore[index]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"title": " "}, "title"),
        ({"severity": 5}, "severity: must be 0 to 4, found 5"),
        ({"cost_minutes": float("nan")}, "cost_minutes"),
        ({"slice": {"colour": "red"}}, "slice: 'colour' is unknown"),
        ({"slice": {"policy": ""}}, "slice: policy: is empty"),
    ],
)
def test_what_is_wrong_with_a_finding_is_named(shop: Shop, changes: dict[str, object], told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        causes.open_finding(shop.ledger, replace(TOLD, **changes), "ann", NOW)  # type: ignore[arg-type]


@pytest.mark.parametrize(("code", "told"), [("P.gpa", r"known: P\.gap, P\.conflict"), ("X", "known: P, G, R")])
def test_a_code_nobody_knows_is_refused_with_those_near(shop: Shop, code: str, told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        causes.code_finding(shop.ledger, opened(shop).finding_id, code, "", "bob", NOW)


def test_an_origin_makes_one_finding(shop: Shop) -> None:
    told = replace(TOLD, origin="pattern:1")
    made = causes.open_finding(shop.ledger, told, "ann", NOW)
    with pytest.raises(Conflict, match=f"is told by finding {made.finding_id} already"):
        causes.open_finding(shop.ledger, told, "ann", NOW)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"kpi": "mood"}, "kpi: 'mood'"),
        ({"target": 1.0}, "target"),
        ({"owner": ""}, "owner"),
        ({"slice": {"x": "y"}}, "slice"),
    ],
)
def test_what_is_wrong_with_an_action_is_named(shop: Shop, changes: dict[str, object], told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        causes.agree_action(shop.ledger, opened(shop).finding_id, replace(WANTED, **changes), ACTIONS, "ann", NOW)  # type: ignore[arg-type]


def test_only_figures_from_after_it_was_done_verify_an_action(shop: Shop) -> None:
    judged_day(shop, DAY, wrong=range(20), at=range(30))
    made = opened(shop)
    causes.code_finding(shop.ledger, made.finding_id, "P.gap", "", "bob", NOW)
    done_at = NOON + timedelta(hours=11)
    action = causes.agree_action(shop.ledger, made.finding_id, WANTED, ACTIONS, "ann", done_at)
    assert (action.before["n"], action.before["events"]) == (30, 10)
    assert_whole(action.before)
    with pytest.raises(Conflict, match="only what is done can be verified"):
        causes.verify(shop.ledger, action.action_id, ACTIONS, "ann", done_at)
    causes.finish(shop.ledger, action.action_id, "ann", "it is in", done_at)
    with pytest.raises(Conflict, match="is done already"):
        causes.finish(shop.ledger, action.action_id, "ann", "", done_at)
    early = causes.verify(shop.ledger, action.action_id, ACTIONS, "ann", done_at)
    assert (early["proof"], early["after"]["n"], early["n_needed"]) == ("not yet", 0, None)  # type: ignore[index]
    judged_day(shop, LATER, wrong=range(0), at=range(30, 60))
    told = causes.verify(shop.ledger, action.action_id, ACTIONS, "ann", NOW + timedelta(days=2))
    assert (told["proof"], told["after"]["n"]) == ("verified", 30)  # type: ignore[index]
    assert str(told["after"]["licence"]).startswith("population")  # type: ignore[index]
    (shown,) = [one for one in causes.desk(shop.ledger, DAY) if one["finding_id"] == made.finding_id]
    assert shown["state"] == "mended"

    again = opened(shop, at=NOW + timedelta(days=3))
    causes.code_finding(shop.ledger, again.finding_id, "P.gap", "", "bob", NOW + timedelta(days=3))
    (shown,) = [one for one in causes.desk(shop.ledger, DAY) if one["finding_id"] == again.finding_id]
    assert shown["recurs"] == [made.finding_id]
    other = opened(shop, replace(TOLD, slice={"project": "chat"}), at=NOW + timedelta(days=3))
    causes.code_finding(shop.ledger, other.finding_id, "P.gap", "", "bob", NOW + timedelta(days=3))
    (shown,) = [one for one in causes.desk(shop.ledger, DAY) if one["finding_id"] == other.finding_id]
    assert shown["recurs"] == []


def test_an_action_that_did_not_help_is_missed_and_may_be_done_again(shop: Shop) -> None:
    made = opened(shop)
    action = causes.agree_action(shop.ledger, made.finding_id, WANTED, ACTIONS, "ann", NOON - timedelta(days=1))
    causes.finish(shop.ledger, action.action_id, "ann", "", NOON - timedelta(hours=23))
    judged_day(shop, DAY, wrong=range(25), at=range(30))
    told = causes.verify(shop.ledger, action.action_id, ACTIONS, "ann", NOW)
    assert told["proof"] == "missed"
    (shown,) = [one for one in causes.desk(shop.ledger, date(2026, 4, 1)) if one["finding_id"] == made.finding_id]
    assert (shown["state"], shown["actions"][0]["is_late"]) == ("in work", True)  # type: ignore[index]
    causes.finish(shop.ledger, action.action_id, "ann", "once more", NOW)
    causes.finish(shop.ledger, action.action_id, "ann", "given up", NOW, dropped=True)
    with pytest.raises(Conflict, match="is dropped already"):
        causes.finish(shop.ledger, action.action_id, "ann", "", NOW)


def test_what_is_not_there_is_not_found(shop: Shop) -> None:
    with pytest.raises(NotFound, match="no finding 'x'"):
        causes.code_finding(shop.ledger, "x", "P.gap", "", "ann", NOW)
    with pytest.raises(NotFound, match="no action 'x'"):
        causes.finish(shop.ledger, "x", "ann", "", NOW)
