"""Injections: what they say of people, that they never become labels, and that nothing gives them away."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest
import sqlalchemy as sa
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from labeling.assign import AssignRules, plan_assignment
from labeling.floor import Desk
from labeling.injections import (
    Judged,
    close_answered,
    is_right,
    judge,
    meter,
    pause_flagged,
    report,
    resting,
    second_looked,
    standings,
)
from labeling.quality.sprt import Sprt
from labeling.records import Answer, How, Outcome, Partition, RoundState, Task, TaskKind, TaskState
from labeling.store.desks import injectable
from labeling.store.tables import golden_items
from labeling.studio.payload import task_data
from tests.figures import assert_whole
from tests.labeling.shop import NO, UNCLEAR, Shop, yes
from tests.labeling.test_assign import anchor, person, question
from tests.labeling.test_handout import CALM, NOW, copies, give, gold, say, send

ANN = "ann@example.org"


def opened(shop: Shop, rate: float = 0.5) -> list[Task]:
    """Two people at work on a round with injections from twelve anchors; what was injected."""
    shop.stocked(80)
    gold(shop, range(12), Partition.ANCHOR)
    for name in ("ann", "bob"):
        shop.ledger.people.add(person(name), "test")
    shop.open(shop.request("r1", budget=20, policies=("fraud",)))
    shop.select()
    shop.ledger.rounds.set_state("r1", RoundState.OPEN)
    give(shop, replace(CALM, injection_rate=rate))
    send(shop)
    return shop.ledger.tasks.where(kind=TaskKind.INJECTION)


def answers(rights: Sequence[bool], start: datetime = NOW, email: str = ANN) -> list[Judged]:
    return [Judged(f"t{n}", email, "hate", right, start + timedelta(minutes=n)) for n, right in enumerate(rights)]


def test_the_test_is_the_one_that_was_agreed() -> None:
    sprt = Sprt()
    assert sprt.flag == pytest.approx(2.890, abs=5e-4)
    assert sprt.clear == pytest.approx(-2.251, abs=5e-4)
    assert sprt.step(right=True) == pytest.approx(-0.111, abs=5e-4)
    assert sprt.step(right=False) == pytest.approx(1.099, abs=5e-4)


@pytest.mark.parametrize(
    ("answer", "outcome", "rule", "right"),
    [
        (yes("general"), Outcome.VIOLATES, "general", True),
        (yes("other_rule"), Outcome.VIOLATES, "general", False),
        (NO, Outcome.ALLOWED, None, True),
        (replace(NO, rule="general"), Outcome.ALLOWED, None, True),
        (UNCLEAR, Outcome.ALLOWED, None, False),
        (NO, Outcome.VIOLATES, "general", False),
    ],
)
def test_right_is_outcome_and_rule(answer: Answer, outcome: Outcome, rule: str | None, right: bool) -> None:
    assert is_right(answer, outcome, rule) is right


def test_errors_flag_and_right_answers_clear() -> None:
    (bad,) = standings(answers([False] * 3), {}, Sprt())
    assert (bad.last, bad.accuracy.n, bad.test.n) == ("flagged", 3, 0)
    (good,) = standings(answers([True] * 21), {}, Sprt())
    assert (good.last, good.test.state) == ("cleared", "going on")
    (open_,) = standings(answers([True] * 10), {}, Sprt())
    assert (open_.last, open_.last_at, open_.test.n) == ("", None, 10)


def test_after_a_verdict_the_test_starts_anew_and_the_person_rests() -> None:
    (standing,) = standings(answers([True] * 21 + [False] * 2), {}, Sprt())
    assert (standing.last, standing.test.errors, standing.test.n) == ("cleared", 2, 2)
    assert standing.last_at == NOW + timedelta(minutes=20)
    assert standing.rests(NOW + timedelta(days=6), 7.0)
    assert not standing.rests(NOW + timedelta(days=8), 7.0)


def test_a_review_closes_what_was_before() -> None:
    given = answers([False] * 4)
    assert standings(given, {ANN: NOW + timedelta(hours=1)}, Sprt()) == []
    (left,) = standings(given, {ANN: given[2].at}, Sprt())
    assert (left.last, left.test.n) == ("", 1)


def test_answers_to_injections_judge_people_and_become_no_label(shop: Shop) -> None:
    injected = opened(shop)
    assert len(injected) >= 8
    before = (shop.ledger.golden.items(), shop.ledger.golden.adjudications())
    mine = [task for task in injected if task.assignee == ANN]
    for task in injected:
        say(shop, task, NO if task.assignee == ANN else yes("general"))
    shop.settle()
    assert (shop.ledger.golden.items(), shop.ledger.golden.adjudications()) == before
    judged, unjudged = judge(shop.ledger)
    assert (len(judged), unjudged) == (len(injected), 0)
    assert {one.right for one in judged if one.email == ANN} == {False}
    found = report(shop.ledger)
    assert (found.given, found.answered) == (len(injected), len(injected))
    assert [standing.email for standing in found.flagged] == [ANN] * (len(mine) >= 3)
    assert close_answered(shop.ledger) == len(injected)
    assert close_answered(shop.ledger) == 0
    assert {task.state for task in shop.ledger.tasks.where(kind=TaskKind.INJECTION)} == {TaskState.SETTLED}
    assert report(shop.ledger) == found
    assert_whole([found.told_meter(), *found.told_standings()], 4)


def test_whom_injections_flag_is_paused_until_a_lead_has_looked(shop: Shop) -> None:
    mine = [task for task in opened(shop) if task.assignee == ANN]
    assert len(mine) >= 3
    for task in mine:
        say(shop, task, NO)
    assert pause_flagged(shop.ledger, report(shop.ledger)) == [ANN]
    assert pause_flagged(shop.ledger, report(shop.ledger)) == []
    paused = shop.ledger.people.get(ANN)
    assert (paused.paused, "injections under fraud: 0 of" in paused.paused_reason) == (True, True)
    later = NOW + timedelta(hours=1)
    shop.ledger.people.change(ANN, {"paused": False, "paused_reason": "", "reviewed_at": later}, "lead")
    assert report(shop.ledger).flagged == ()
    assert pause_flagged(shop.ledger, report(shop.ledger)) == []
    assert resting(shop.ledger, later, 7.0) == frozenset({(ANN, "fraud")})
    assert resting(shop.ledger, later + timedelta(days=9), 7.0) == frozenset()


def test_an_anchor_that_is_no_more_judges_nobody(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    injected = opened(shop)
    for task in injected:
        say(shop, task, NO)
    older = [replace(row, policy_version="0.9.0") for row in shop.ledger.golden.items()]
    monkeypatch.setattr(shop.ledger.golden, "items", lambda: older)
    assert judge(shop.ledger) == ([], len(injected))


def test_contested_gold_is_not_injected_and_an_anchor_that_became_contested_judges_nobody(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    injected = opened(shop)
    for task in injected:
        say(shop, task, NO)
    assert len(judge(shop.ledger)[0]) == len(injected) > 0
    with monkeypatch.context() as patch:
        rows = [replace(row, how=How.CONTESTED) for row in shop.ledger.golden.items()]
        patch.setattr(shop.ledger.golden, "items", lambda: rows)
        assert judge(shop.ledger) == ([], len(injected))
    with shop.ledger._database.read() as connection:
        assert len(injectable(connection)) == 12
    with shop.ledger._database.write() as connection:
        connection.execute(sa.update(golden_items).values(how=How.CONTESTED.value))
        assert injectable(connection) == []


def test_an_answer_of_somebody_else_judges_nobody(shop: Shop) -> None:
    injected = opened(shop)
    say(shop, injected[0], NO, who="eve@example.org")
    assert judge(shop.ledger) == ([], 0)


def test_who_rests_gets_none() -> None:
    desks = [Desk(person("ann"), resting=frozenset({"hate"})), Desk(person("bob"))]
    questions = [question(n, units=0.01) for n in range(60)]
    plan = plan_assignment(questions, desks, AssignRules(injection_rate=0.5), 0, [anchor(n) for n in range(30)])
    assert {p.email for p in plan.placements if p.item_id} == {"bob@example.org"}


def test_the_meter_needs_enough_of_both_and_tells_a_gap() -> None:
    assert meter([True] * 100, [True] * 5).gap is None
    same = meter([True] * 90 + [False] * 10, [True] * 45 + [False] * 5)
    assert same.gap == pytest.approx(0.0)
    assert not same.recognised
    assert same.low < 0 < same.high
    known = meter([True] * 99 + [False], [True] * 70 + [False] * 30)
    assert known.recognised
    assert known.gap == pytest.approx(0.29)
    assert known.low < 0.29 < known.high


def test_newcombes_interval_is_the_published_one() -> None:
    figure = meter([True] * 56 + [False] * 14, [True] * 48 + [False] * 32)  # Newcombe 1998, table II, (a), method 10
    assert (round(figure.low, 4), round(figure.high, 4)) == (0.0524, 0.3339)


def test_work_that_others_looked_at_again_is_judged(shop: Shop) -> None:
    tasks = shop.stocked(10).send("r0", 1)
    shop.answer(tasks[0], NO, NO)
    shop.settle()
    assert second_looked(shop.ledger) == []
    again = replace(tasks[0], task_id="again", state=TaskState.QUEUED, project_id=None, studio_task_id=None)
    shop.ledger.tasks.add([again])
    shop.deliver()
    shop.answer(again, yes(), yes(), people=("cat", "dan"))
    shop.settle()
    assert len(shop.ledger.golden.adjudications()) == 2
    assert second_looked(shop.ledger) == [False, False]


def test_a_copy_and_an_injection_show_the_same_fields(shop: Shop) -> None:
    injected = opened(shop)
    assert {frozenset(task_data(task)) for task in (*injected, *copies(shop))} == {frozenset({"text", "task_id"})}
    assert {task.overlap for task in (*injected, *copies(shop))} == {1}


@pytest.mark.parametrize("lengths", [(100, 60), (150, 90)], ids=["as long as other work", "anchors are longer"])
def test_what_label_studio_shows_does_not_give_injections_away(lengths: tuple[int, int]) -> None:
    """A classifier on length, place in the queue, the batch it came in, time and id finds no more than chance."""
    draw = random.Random(11)
    desks = [Desk(person(name)) for name in ("ann", "bob", "cat")]
    middle, spread = lengths
    gold_ = [
        anchor(n, chars=max(1, int(draw.gauss(middle, spread))), units=0.01, names=frozenset({f"g{n}"}))
        for n in range(3000)
    ]
    rows: list[tuple[float, ...]] = []
    truth: list[bool] = []
    for batch in range(12):  # one hand-out after the other, as rounds come
        lot = [
            question(
                1000 * batch + n, chars=max(1, int(draw.gauss(100, 60))), units=0.01, names=frozenset({f"{batch}/{n}"})
            )
            for n in range(100)
        ]
        plan = plan_assignment(lot, desks, AssignRules(injection_rate=0.15), batch, gold_)
        chars = {q.task_id: q.chars for q in lot} | {a.item_id: a.chars for a in gold_}
        for desk in desks:
            mine = [p for p in plan.placements if p.email == desk.person.email]
            for place, p in enumerate(mine):
                around = [chars[q.task_id or q.item_id] for q in mine[max(0, place - 1) : place + 2]]
                length = chars[p.task_id or p.item_id]
                opaque = draw.getrandbits(32)  # of uuid4
                rows.append(
                    (length, float(np.mean(around)), place, len(mine) - place, p.position, batch, place % 5, opaque)
                )
                truth.append(bool(p.item_id))
        used = {(p.email, p.item_id) for p in plan.placements if p.item_id}
        desks = [
            replace(
                desk,
                last_position=max(p.position for p in plan.placements if p.email == desk.person.email),
                items=desk.items | {item for email, item in used if email == desk.person.email},
            )
            for desk in desks
        ]
    features, labels = np.array(rows), np.array(truth)
    assert 250 <= labels.sum() <= 600
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    for model in (
        make_pipeline(StandardScaler(), LogisticRegression()),
        HistGradientBoostingClassifier(max_depth=3, max_iter=60, random_state=0),
    ):
        guessed = cross_val_predict(model, features, labels, cv=folds, method="predict_proba")[:, 1]
        assert roc_auc_score(labels, guessed) <= 0.6


def test_no_anchor_is_injected_where_none_is_about_as_long() -> None:
    lot = [question(n, chars=400, units=0.01) for n in range(40)]
    for chars, comes in ((60, False), (299, False), (301, True), (500, True), (501, False)):
        plan = plan_assignment(lot, [Desk(person())], AssignRules(injection_rate=0.9), 0, [anchor(chars=chars)])
        assert any(p.item_id for p in plan.placements) is comes
