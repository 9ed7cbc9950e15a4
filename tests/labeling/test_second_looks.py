"""From a label to a second look at it and to the next golden version, on the real stores."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labeling.consensus import one_each
from labeling.golden.partition import Shares
from labeling.golden.publish import publish
from labeling.lane_advice import advise
from labeling.records import (
    Annotation,
    Answer,
    GoldenItem,
    How,
    Outcome,
    Partition,
    PickRow,
    Task,
    TaskKind,
    TaskState,
    Tier,
)
from labeling.rounds import cancel_round, close_round, preview, select_round
from labeling.second_looks import AGAIN, Question, earlier, independent, second_looks
from labeling.settle import SettleReport
from labeling.yields import ALL, LaneYield, yields
from selection.relabel import SecondLooks
from tests.labeling.golden.made import annotation
from tests.labeling.shop import NO, UNCLEAR, Shop, items, open_shop, policy, yes


class Killed(BaseException):
    """The process dies here."""


OPEN = Shares(train=1.0, calibration=0.0, dev=0.0, sealed=0.0)
LANES = {"random": 0.2, "uncertain": 0.6, "relabel": 0.2}
HARM = ("harm",)


def truth(item_id: str) -> Answer:
    """What speaks of cheating violates."""
    return yes() if int(item_id[3:]) % 2 else NO


def stock(shop: Shop, count: int = 60) -> None:
    """Half of the items speak of cheating, half of gardens, each in words of its own besides."""
    made = []
    for n in range(count):
        own = sha256(str(n).encode()).hexdigest()
        made += items(range(n, n + 1), f"{'cheat money' if n % 2 else 'garden bloom'} {own[:12]} {own[12:24]}")
    shop.ingest(made)
    shop.score()


def wrong(answer: Answer) -> Answer:
    return NO if answer.outcome is Outcome.VIOLATES else yes()


def first_round(shop: Shop, mistakes: int = 2, people: Sequence[str] = ("ann", "bob"), budget: int = 40) -> list[str]:
    """A closed round in which both people are wrong about the first items; which those are."""
    shop.shares = OPEN if shop.shares == Shares() else shop.shares
    stock(shop)
    sent = shop.send("r1", budget, policies=HARM, lanes={"random": 0.5, "uncertain": 0.5}, overlap=len(people))
    tasks = sorted(sent, key=lambda task: task.item_id)
    for n, task in enumerate(tasks):
        answer = truth(task.item_id)
        shop.answer(task, *[wrong(answer) if n < mistakes else answer] * len(people), people=people)
    shop.settle()
    assert close_round(shop.ledger, "r1")
    return [task.item_id for task in tasks[:mistakes]]


def second_round(shop: Shop, round_id: str = "r2", budget: int = 10, **changes: Any) -> list[Task]:
    """Sent; the tasks of its second looks. New picks go by chance, so that most of them are worth little."""
    shop.send(round_id, budget, **{"policies": HARM, "lanes": LANES, "strategy": "random", **changes})
    again = {pick.item_id for pick in picked(shop, round_id)}
    return [t for t in shop.ledger.tasks.where(round_id=round_id, kind=TaskKind.BLIND) if t.item_id in again]


def picked(shop: Shop, round_id: str = "r2") -> list[PickRow]:
    return [pick for pick in shop.ledger.rounds.picks(round_id) if pick.lane == "relabel"]


def gold(shop: Shop, item_id: str) -> GoldenItem:
    (row,) = [row for row in shop.ledger.golden.items() if row.item_id == item_id]
    return row


def lead(shop: Shop, task: Task, answer: Answer, who: str = "lea") -> None:
    shop.deliver()
    (asked,) = [t for t in shop.ledger.tasks.where(kind=TaskKind.ADJUDICATION) if t.parent_task_id == task.task_id]
    shop.answer(asked, answer, people=[who])


def told(shop: Shop, lane: str, *rounds: str) -> LaneYield:
    found = yields(shop.ledger, *rounds)
    return next(row for row in found.lanes if (row.lane, row.policy) == (lane, ALL))


# --- the whole way ---


def test_a_wrong_label_is_found_contradicted_adjudicated_and_right_in_the_next_version(shop: Shop) -> None:
    mistaken = first_round(shop)
    before = {item_id: gold(shop, item_id) for item_id in mistaken}
    one = publish(shop.ledger.golden, shop.folder, datetime.now(UTC))
    tasks = second_round(shop)
    assert {task.item_id for task in tasks} == set(mistaken)  # two places, and these two are the most doubtful
    for task in tasks:
        assert task.overlap == 1
        shop.answer(task, truth(task.item_id), people=["cat"])
    assert shop.settle() == SettleReport(disputed=2, waiting=8)  # the new ones
    assert {item_id: gold(shop, item_id) for item_id in mistaken} == before  # nothing changed so far
    for task in tasks:
        lead(shop, task, truth(task.item_id))
    report = shop.settle()
    assert (report.settled, report.golden) == (2, 2)
    for item_id in mistaken:
        row, old = gold(shop, item_id), before[item_id]
        assert row.outcome is truth(item_id).outcome is not old.outcome
        assert (row.how, sum(row.votes.values()), row.tier) == (How.ADJUDICATED, 3, Tier.GOLDEN)
        assert (row.lane, row.pi, row.partition, row.group_id) == (old.lane, old.pi, old.partition, old.group_id)
        assert row.round_id == "r2"
    two = publish(shop.ledger.golden, shop.folder, datetime.now(UTC))
    assert (one.version, two.version) == ("1.0.0", "1.0.1")  # a patch: only labels changed
    frozen = {row.item_id: row.outcome for row in shop.ledger.golden.members("1.0.0")}
    assert all(frozen[item_id] is before[item_id].outcome for item_id in mistaken)
    looks = told(shop, "relabel", "r2")
    assert looks.flipped is not None
    assert (looks.picks, looks.settled, looks.flipped.events, looks.lift) == (2, 2, 2, None)


def test_an_agreeing_second_look_keeps_the_label_with_more_votes(shop: Shop) -> None:
    mistaken = first_round(shop, people=["ann"])
    assert {row.tier for row in shop.ledger.golden.items()} == {Tier.PROVISIONAL}
    tasks = second_round(shop)
    for task in tasks:
        shop.answer(task, wrong(truth(task.item_id)), people=["cat"])
    assert shop.settle().golden == 2
    for item_id in mistaken:
        row = gold(shop, item_id)
        assert (row.outcome, row.tier, row.how) == (wrong(truth(item_id)).outcome, Tier.GOLDEN, How.UNANIMOUS)
        assert sum(row.votes.values()) == 2
    looks = told(shop, "relabel", "r2")
    assert looks.flipped is not None
    assert (looks.flipped.n, looks.flipped.events, looks.gold.events) == (2, 0, 2)
    assert told(shop, "uncertain", "r1").gold.events == told(shop, "uncertain", "r1").settled  # confirmed gold is gold


def test_a_flip_is_told_and_the_lane_that_brought_the_wrong_label_loses_its_gold(shop: Shop) -> None:
    first_round(shop)
    count = sum(told(shop, lane, "r1").gold.events for lane in ("random", "uncertain"))
    for task in second_round(shop):
        shop.answer(task, truth(task.item_id), people=["cat"])
        shop.settle()
        lead(shop, task, truth(task.item_id))
    shop.settle()
    assert sum(told(shop, lane, "r1").gold.events for lane in ("random", "uncertain")) == count - 2


def test_a_second_look_is_useful_where_it_changed_a_label(shop: Shop) -> None:
    first_round(shop)
    flipped, confirmed = second_round(shop)
    shop.answer(flipped, truth(flipped.item_id), people=["cat"])
    shop.answer(confirmed, wrong(truth(confirmed.item_id)), people=["cat"])
    shop.settle()
    lead(shop, flipped, truth(flipped.item_id))
    shop.settle()
    for task in shop.ledger.tasks.where(round_id="r2", states=(TaskState.SENT,)):
        shop.answer(task, NO, NO)
    shop.settle()
    assert close_round(shop.ledger, "r2")
    advice = advise(shop.ledger, LANES)
    assert (advice.picks["relabel"], advice.useful["relabel"]) == (2, 1)


# --- who may answer ---


def once_more(shop: Shop, task: Task) -> Task:
    """The task that took the place of a withdrawn one, sent."""
    shop.deliver()
    found = shop.ledger.tasks.where(round_id=task.round_id, kind=TaskKind.BLIND, states=(TaskState.SENT,))
    (new,) = [other for other in found if other.item_id == task.item_id]
    return new


def test_nobody_agrees_with_themselves_and_somebody_else_is_asked(shop: Shop) -> None:
    first_round(shop)
    task = second_round(shop)[0]
    mine = wrong(truth(task.item_id))
    shop.answer(task, mine, people=["Ann"])
    report = shop.settle()
    assert (report.settled, report.disputed) == (0, 0)
    assert [(r.annotator, r.reason) for r in report.refusals] == [("Ann@example.org", AGAIN)]
    withdrawn = shop.ledger.tasks.get(task.task_id)
    assert (withdrawn.state, "sent once more" in withdrawn.error) == (TaskState.WITHDRAWN, True)
    new = once_more(shop, task)
    assert (new.overlap, new.text, new.kind) == (3, task.text, TaskKind.BLIND)  # ann, bob, and somebody else
    assert task.task_id not in new.task_id
    shop.answer(new, mine, truth(task.item_id), people=["ann", "bob"])
    assert [r.reason for r in shop.settle().refusals] == [AGAIN, AGAIN]
    assert once_more(shop, task) == new  # Label Studio still asks for a third person
    shop.answer(new, mine, truth(task.item_id), mine, people=["ann", "bob", "cat"])
    report = shop.settle()
    assert (report.settled, report.golden, report.refusals) == (1, 1, [])
    assert list(gold(shop, task.item_id).votes.values()) == [3]  # ann, bob and cat, once each
    assert (task.item_id, "harm") in shop.ledger.rounds.judged()


def test_a_kill_between_asking_anew_and_withdrawing_asks_once(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    first_round(shop)
    task = second_round(shop)[0]
    shop.answer(task, NO, people=["ann"])

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(shop.ledger.tasks, "set_state", die)
        with pytest.raises(Killed):
            shop.settle()
    shop.settle()
    new = once_more(shop, task)
    assert new.overlap == 3
    assert shop.ledger.tasks.get(task.task_id).state is TaskState.WITHDRAWN


def test_who_took_an_answer_back_has_seen_the_item_too(shop: Shop) -> None:
    first_round(shop)
    task = second_round(shop)[0]
    (first,) = [t for t in shop.ledger.tasks.where(round_id="r1") if t.item_id == task.item_id]
    shop.answer(first, None, None, NO, people=["ann", "bob", "dan"])
    shop.answer(task, truth(task.item_id), people=["dan"])
    assert [r.annotator for r in shop.settle().refusals] == ["dan@example.org"]
    assert once_more(shop, task).overlap == 4  # ann, bob and dan may all come by once more


def told_enough(shop: Shop, task: Task) -> int:
    pair = (task.item_id, task.policy_id)
    return earlier(shop.ledger, {pair})[pair].enough


def test_a_lead_may_decide_again_and_who_answered_a_copy_may_not(shop: Shop) -> None:
    shop.shares = OPEN
    stock(shop)
    sent = shop.send("r1", 40, policies=HARM, lanes={"random": 0.5, "uncertain": 0.5})
    for n, task in enumerate(sorted(sent, key=lambda task: task.item_id)):
        answer = truth(task.item_id)
        shop.answer(task, *([answer, wrong(answer)] if n < 2 else [answer, answer]))
    shop.settle()
    shop.deliver()
    for asked in shop.ledger.tasks.where(kind=TaskKind.ADJUDICATION):
        shop.answer(asked, wrong(truth(asked.item_id)), people=["lea"])  # the lead is wrong
    shop.settle()
    assert close_round(shop.ledger, "r1")
    tasks = second_round(shop)
    assert {gold(shop, task.item_id).how for task in tasks} == {How.ADJUDICATED}
    task = tasks[0]
    assert told_enough(shop, task) == 4  # ann, bob and lea have all judged it
    shop.answer(task, truth(task.item_id), people=["cat"])
    assert shop.settle().disputed == 1
    for who in ("ann", "cat"):
        lead(shop, task, truth(task.item_id), who=who)
        (refused,) = shop.settle().refusals
        assert (refused.annotator, "another lead must decide" in refused.reason) == (f"{who}@example.org", True)
    lead(shop, task, truth(task.item_id), who="lea")
    assert shop.settle().golden == 1
    assert gold(shop, task.item_id).outcome is truth(task.item_id).outcome


def other_look(shop: Shop) -> Task:
    """The second look of round r2 that nobody has answered."""
    again = {pick.item_id for pick in picked(shop)}
    (task,) = [t for t in shop.ledger.tasks.where(round_id="r2", states=(TaskState.SENT,)) if t.item_id in again]
    return task


def test_a_lead_does_not_look_again_at_what_they_decided(shop: Shop) -> None:
    test_a_lead_may_decide_again_and_who_answered_a_copy_may_not(shop)
    task = other_look(shop)
    shop.answer(task, truth(task.item_id), people=["lea"])
    assert [r.reason for r in shop.settle().refusals] == [AGAIN]


def test_a_confirmed_verdict_of_a_lead_stays_one(shop: Shop) -> None:
    test_a_lead_may_decide_again_and_who_answered_a_copy_may_not(shop)
    task = other_look(shop)
    before = gold(shop, task.item_id)
    shop.answer(task, Answer(before.outcome, before.rule, before.severity), people=["cat"])
    assert shop.settle().golden == 1
    row = gold(shop, task.item_id)
    assert (row.how, row.outcome, sum(row.votes.values())) == (How.ADJUDICATED, before.outcome, 3)
    assert shop.ledger.golden.adjudications(task.task_id)[0].adjudicator == ""  # nobody decided this time


def test_unclear_is_a_disagreement_and_a_lead_who_agrees_takes_the_label_out(shop: Shop) -> None:
    first_round(shop)
    task = second_round(shop)[0]
    shop.answer(task, UNCLEAR, people=["cat"])
    assert shop.settle().disputed == 1
    lead(shop, task, UNCLEAR)
    assert shop.settle().golden == 0
    assert gold(shop, task.item_id).state == "quarantined"


# --- what may be looked at ---


def test_only_train_is_looked_at_again_and_no_other_label_moves_a_pick(tmp_path: Path) -> None:
    found = []
    for turned in (False, True):
        shop = open_shop(tmp_path / str(turned))
        shop.shares = Shares(train=0.5, calibration=0.1, dev=0.2, sealed=0.2)
        stock(shop)
        groups = shop.groups()
        for task in shop.send("r1", 50, policies=HARM, lanes={"random": 1.0}, duplicate_cosine=None):
            train = groups.place(task.item_id, task.text).partition is Partition.TRAIN
            answer = wrong(truth(task.item_id)) if turned and not train else truth(task.item_id)
            shop.answer(task, answer, answer)
        shop.settle()
        second_round(shop, budget=5, lanes={"uncertain": 0.4, "relabel": 0.6})
        found.append([(p.item_id, p.lane, p.reasons) for p in shop.ledger.rounds.picks("r2")])
        partitions = {row.item_id: row.partition for row in shop.ledger.golden.items()}
        assert len(set(partitions.values())) == 4
        assert {partitions[pick.item_id] for pick in picked(shop)} <= {Partition.TRAIN}
        made = looks_of(shop)
        assert {partitions[item_id] for item_id in made.ids} == {Partition.TRAIN}
        shop.ledger.close()
    assert found[0] == found[1]


def looks_of(shop: Shop, **changes: Any) -> SecondLooks:
    made = second_looks(shop.ledger, shop.lake, {"text": shop.scorer()}, question(shop, **changes))
    assert made is not None
    return made


def question(shop: Shop, **changes: Any) -> Question:
    base: dict[str, Any] = {
        "versions": {"harm": "1.0.0"},
        "thresholds": {"text": {"harm": 0.5}, "image": {"harm": 0.5}},
    }
    return Question(**{**base, "items": frozenset(shop.lake.ids()), **changes})


def test_what_may_be_looked_at_and_what_stands_behind_it(shop: Shop) -> None:
    mistaken = first_round(shop)
    looks = looks_of(shop, minutes=lambda ids: np.full(len(ids), 2.0, np.float32))
    rows = {row.item_id: row for row in shop.ledger.golden.items()}
    assert looks.ids == tuple(sorted(rows))
    assert looks.answers.tolist() == [rows[item].outcome is Outcome.VIOLATES for item in looks.ids]
    assert (looks.votes.tolist(), looks.agreeing.tolist()) == ([2] * 40, [2] * 40)
    assert set(looks.people.tolist()) == {0, 1}
    assert looks.minutes is not None
    assert set(looks.minutes.tolist()) == {6.0}  # three people
    doubted = (looks.probabilities > 0.5) != looks.answers
    assert {item for item, doubt in zip(looks.ids, doubted, strict=True) if doubt} >= set(mistaken)
    ledger, lake, scorer = shop.ledger, shop.lake, shop.scorer()
    assert second_looks(ledger, lake, {"text": scorer}, question(shop, versions={"harm": "2.0.0"})) is None
    assert second_looks(ledger, lake, {"text": scorer}, question(shop, items=frozenset())) is None
    assert second_looks(ledger, lake, {"text": scorer}, question(shop, until=datetime(2020, 1, 1, tzinfo=UTC))) is None
    fraud = question(shop, versions={"fraud": "1.0.0"}, thresholds={"text": {"fraud": 0.5}})
    assert second_looks(ledger, lake, {"text": scorer}, fraud) is None


def test_a_label_that_is_being_looked_at_is_not_offered_twice_and_a_settled_one_again(shop: Shop) -> None:
    mistaken = first_round(shop)
    tasks = second_round(shop)
    assert not set(mistaken) & set(looks_of(shop).ids)
    for task in tasks:
        shop.answer(task, wrong(truth(task.item_id)), people=["cat"])
    shop.settle()
    looks = looks_of(shop)
    assert set(mistaken) <= set(looks.ids)
    assert sorted(looks.votes.tolist())[-2:] == [3, 3]
    third = second_round(shop, "r3", budget=5, lanes={"uncertain": 0.2, "relabel": 0.8})
    assert third
    assert all(told_enough(shop, task) == (4 if task.item_id in mistaken else 3) for task in third)


def test_a_cancelled_second_look_leaves_the_label_and_may_be_asked_for_again(shop: Shop) -> None:
    mistaken = first_round(shop)
    before = [gold(shop, item_id) for item_id in mistaken]
    tasks = second_round(shop)
    shop.answer(tasks[0], truth(tasks[0].item_id), people=["cat"])
    cancel_round(shop.ledger, "r2")
    assert shop.settle().settled == 0
    assert [gold(shop, item_id) for item_id in mistaken] == before
    judged = shop.ledger.rounds.judged()
    assert {(item_id, "harm") for item_id in mistaken} <= judged  # no other lane takes them
    again = second_round(shop, "r3")
    assert {task.item_id for task in again} == set(mistaken)
    shop.answer(again[0], truth(again[0].item_id), people=["cat"])  # what was withdrawn was no answer
    assert shop.settle().disputed == 1


# --- a round ---


def test_the_other_lanes_never_pick_a_judged_pair(shop: Shop) -> None:
    first_round(shop)
    judged = shop.ledger.rounds.judged()
    second_round(shop)
    others = [p for p in shop.ledger.rounds.picks("r2") if p.lane != "relabel"]
    assert len(others) == 8
    assert not {(p.item_id, p.policy_id) for p in others} & judged
    assert {(p.item_id, p.policy_id) for p in picked(shop)} <= judged
    assert all(p.pi is None and p.reasons[0].startswith("relabel: the model says ") for p in picked(shop))


def test_a_dry_run_shows_how_many_and_what_they_are_worth_and_cost(shop: Shop) -> None:
    first_round(shop)
    request = shop.request("r2", 10, policies=HARM, lanes=LANES, strategy="random")
    shown = preview(shop.ledger, shop.lake, shop.policies, shop.scorer(), request).selection
    looks: Any = shown.frame["second_looks"]
    assert (looks["most"], looks["taken"], len(looks["worth"])) == (2, 2, 2)
    assert any(note.startswith("lane relabel: 2 of at most 2 picks are second looks, worth ") for note in shown.notes)
    estimate: Any = shown.frame["estimate"]
    texts = {task.item_id: task.text for task in shop.ledger.tasks.where(round_id="r1")}
    mine = [texts[pick.item_id] for pick in shown.picks if pick.lane == "relabel"]
    assert estimate["lanes"]["relabel"]["minutes"] == pytest.approx(
        sum(3 * (0.25 + len(text) / 1200) for text in mine), abs=0.01
    )
    second_round(shop)
    assert shop.ledger.rounds.get("r2").frame["second_looks"] == looks


def test_a_first_round_has_nothing_to_look_at_again_and_says_so(shop: Shop) -> None:
    stock(shop)
    assert not second_round(shop)
    round_ = shop.ledger.rounds.get("r2")
    assert "lane relabel: no label may be looked at again yet, so its 2 picks went to uncertain" in round_.notes
    assert len(shop.ledger.rounds.picks("r2")) == 10


def test_a_killed_selection_takes_the_same_although_more_was_settled(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    first_round(shop)
    others = shop.send("other", 10, policies=HARM, lanes={"random": 1.0})
    shop.open(shop.request("r2", 6, policies=HARM, lanes=LANES))
    lost: list[Any] = []

    def record_selection(*args: Any) -> None:
        lost.extend(args)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(shop.ledger.rounds, "record_selection", record_selection)
        with pytest.raises(Killed):
            shop.select("r2")
    for task in others:
        shop.answer(task, wrong(truth(task.item_id)), wrong(truth(task.item_id)))
    shop.settle()
    select_round(shop.ledger, shop.lake, shop.policies, shop.scorer(), "r2")
    again = [pick for pick in lost[1] if pick.lane == "relabel"]
    assert picked(shop) == sorted(again, key=lambda pick: pick.item_id)
    assert again


def test_a_kill_between_a_lead_and_the_fold_goes_on(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    first_round(shop)
    task = second_round(shop)[0]
    shop.answer(task, truth(task.item_id), people=["cat"])
    shop.settle()
    lead(shop, task, truth(task.item_id))
    real = shop.ledger.golden.fold

    def fold_then_die(adjudication: Any, item: Any) -> bool:
        real(adjudication, item)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(shop.ledger.golden, "fold", fold_then_die)
        with pytest.raises(Killed):
            shop.settle()
    before = shop.ledger.golden.items()
    assert shop.settle().settled == 0
    assert shop.ledger.golden.items() == before
    assert gold(shop, task.item_id).outcome is truth(task.item_id).outcome


def test_another_version_of_the_policy_is_another_question(shop: Shop) -> None:
    first_round(shop)
    shop.policies["harm"] = policy("harm", "hurt people", version="2.0.0")
    assert not second_round(shop)
    assert any("no label may be looked at again yet" in note for note in shop.ledger.rounds.get("r2").notes)


# --- one answer a person ---


def test_a_person_counts_once_over_all_copies_with_what_they_said_first() -> None:
    def said(who: str, answer: Answer, number: int) -> Annotation:
        return annotation(f"{who}@example.org", answer, number)

    first = [said("ann", NO, 1), said("bob", yes(), 2)]
    second = [said("Ann", yes(), 3), said("cat", NO, 4)]
    found = independent([first, second])
    assert [a.studio_annotation_id for a in found] == [1, 2, 4]
    assert one_each(found) == found


def test_earlier_tells_only_of_the_pairs_asked_for(shop: Shop) -> None:
    mistaken = first_round(shop)
    pair = (mistaken[0], "harm")
    found = earlier(shop.ledger, {pair, ("nobody", "harm")})
    assert set(found) == {pair}
    assert (len(found[pair].answers), found[pair].enough, found[pair].leads) == (2, 3, frozenset())
    assert earlier(shop.ledger, {pair}, datetime(2020, 1, 1, tzinfo=UTC)) == {}
