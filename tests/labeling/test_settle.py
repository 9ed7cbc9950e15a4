from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from labeling import settle as settle_module
from labeling.adjudication import Refusal
from labeling.errors import Conflict, StoreError, UnknownItem
from labeling.golden.partition import Groups, Shares, most_protected
from labeling.golden.vectors import LakeVectors
from labeling.records import (
    AnnotationEvent,
    EventKind,
    GoldState,
    How,
    Outcome,
    Partition,
    RoundState,
    Task,
    TaskKind,
    TaskState,
    Tier,
)
from labeling.rounds import close_round
from labeling.scorebook import embedding_group, vectors
from labeling.settle import SettleReport, settle_all
from labeling.store.interfaces import ITEMS
from labeling.store.lake import LanceLake
from tests.labeling.shop import NO, UNCLEAR, Shop, items, yes


class Killed(BaseException):
    """The process dies here."""


def one_task(shop: Shop) -> Task:
    """One blind task in Label Studio."""
    return shop.stocked(6).send("r1", 1)[0]


def question(shop: Shop) -> Task:
    """The one adjudication task, sent."""
    shop.deliver()
    (asked,) = shop.ledger.tasks.where(kind=TaskKind.ADJUDICATION)
    return asked


def state(shop: Shop, task: Task) -> TaskState:
    return shop.ledger.tasks.get(task.task_id).state


def everything(shop: Shop) -> tuple[Any, ...]:
    return (shop.ledger.golden.items(), shop.ledger.golden.adjudications(), shop.ledger.tasks.where())


# --- blind tasks ---


def test_nothing_sent_is_nothing_done(shop: Shop) -> None:
    assert shop.settle() == SettleReport()


def test_one_answer_waits_for_the_second(shop: Shop) -> None:
    task = one_task(shop)
    assert shop.settle() == SettleReport(waiting=1)
    shop.answer(task, NO)
    assert shop.settle() == SettleReport(waiting=1)
    assert state(shop, task) is TaskState.SENT
    assert shop.ledger.golden.items() == []


def test_an_answer_that_is_none_is_told_while_its_task_waits(shop: Shop) -> None:
    task = one_task(shop)
    shop.answer(task, NO)
    wrong = AnnotationEvent(
        task_id=task.task_id,
        studio_annotation_id=99,
        kind=EventKind.INVALID,
        annotator="bob@example.org",
        updated_by="bob@example.org",
        answer=None,
        lead_time_s=None,
        studio_updated_at=datetime(2026, 3, 1, tzinfo=UTC),
        detail="rule: 'x' is not a choice (known: general)",
    )
    shop.ledger.annotations.append([wrong])
    reason = (
        f"gave task {task.task_id} of {task.policy_id} what is no answer: rule: 'x' is not a choice (known: general); "
        "correct it in Label Studio"
    )
    for _ in range(2):
        assert shop.settle() == SettleReport(waiting=1, refusals=[Refusal("bob@example.org", reason)])
    shop.answer(task, NO, NO)
    assert shop.settle() == SettleReport(settled=1, golden=1)


def test_agreement_becomes_gold_with_its_lane_and_probability(shop: Shop) -> None:
    tasks = shop.stocked(30).send("r1", 8)
    for task in tasks:
        shop.answer(task, yes(severity=1), yes(severity=2))
    assert shop.settle() == SettleReport(settled=8, golden=8)
    picks = {(p.item_id, p.policy_id): p for p in shop.ledger.rounds.picks("r1")}
    golden = shop.ledger.golden.items()
    assert len(golden) == 8
    for row in golden:
        pick = picks[row.item_id, row.policy_id]
        assert (row.lane, row.pi, row.round_id) == (pick.lane, pick.pi, "r1")
        assert (row.outcome, row.rule, row.severity, row.tier) == (Outcome.VIOLATES, "general", 2, Tier.GOLDEN)
        assert (row.how, row.votes, row.policy_version) == (How.UNANIMOUS, {"violates/general": 2}, "1.0.0")
    assert any(row.pi is None for row in golden)
    assert close_round(shop.ledger, "r1")


def test_running_twice_changes_nothing(shop: Shop) -> None:
    tasks = shop.stocked(10).send("r1", 3)
    shop.answer(tasks[0], NO, NO)
    shop.answer(tasks[1], NO, yes())
    shop.answer(tasks[2], NO)
    assert shop.settle() == SettleReport(settled=1, golden=1, disputed=1, waiting=1)
    before = everything(shop)
    assert shop.settle() == SettleReport(waiting=1)
    assert everything(shop) == before


def test_the_same_outcome_under_other_rules_is_a_dispute(shop: Shop) -> None:
    task = one_task(shop)
    shop.answer(task, yes("general"), yes("other_rule"))
    assert shop.settle().disputed == 1
    assert shop.ledger.golden.items() == []


def test_agreed_context_missing_is_settled_but_no_gold_to_use(shop: Shop) -> None:
    task = one_task(shop)
    shop.answer(task, UNCLEAR, UNCLEAR)
    assert shop.settle() == SettleReport(settled=1, golden=0)
    (row,) = shop.ledger.golden.items()
    assert (row.outcome, row.state) == (Outcome.CONTEXT_MISSING, GoldState.QUARANTINED)


def test_many_tasks_go_through_in_chunks(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settle_module, "CHUNK", 3)
    tasks = shop.stocked(10).send("r1", 8)
    for n, task in enumerate(tasks):
        shop.answer(task, NO, yes() if n % 2 else NO)
    assert shop.settle() == SettleReport(settled=4, golden=4, disputed=4)
    assert len(shop.ledger.tasks.where(kind=TaskKind.ADJUDICATION)) == 4


def test_the_golden_groups_are_read_once_a_run_and_only_when_something_folds(shop: Shop) -> None:
    reads: list[int] = []

    def groups() -> Groups:
        reads.append(1)
        return shop.groups()

    tasks = shop.stocked(10).send("r1", 4)
    settle_all(shop.ledger, shop.lake, groups)
    assert reads == []
    for task in tasks:
        shop.answer(task, NO, NO)
    settle_all(shop.ledger, shop.lake, groups)
    assert reads == [1]


# --- adjudication ---


def test_a_lead_decides_a_dispute_and_the_votes_survive(shop: Shop) -> None:
    task = one_task(shop)
    shop.answer(task, NO, yes())
    assert shop.settle().disputed == 1
    asked = question(shop)
    assert (asked.parent_task_id, asked.text, asked.overlap) == (task.task_id, task.text, 1)
    assert "example.org" not in asked.prompt
    assert shop.settle() == SettleReport(waiting=1)
    shop.answer(asked, yes("other_rule"), people=["lea"])
    assert shop.settle() == SettleReport(settled=1, golden=1)
    (row,) = shop.ledger.golden.items()
    assert (row.how, row.rule, row.votes) == (How.ADJUDICATED, "other_rule", {"allowed": 1, "violates/general": 1})
    (final,) = shop.ledger.golden.adjudications()
    assert (final.adjudicator, final.annotators) == ("lea@example.org", ("ann@example.org", "bob@example.org"))
    assert {state(shop, task), state(shop, asked)} == {TaskState.SETTLED}
    assert close_round(shop.ledger, "r1")


def test_a_dispute_is_answered_until_it_is_settled_or_an_answer_is_taken_back(shop: Shop) -> None:
    task = one_task(shop)
    shop.answer(task, NO, yes())
    shop.settle()
    assert state(shop, task) is TaskState.ANSWERED
    [first, *_] = shop.ledger.annotations.events(task.task_id)
    later = first.studio_updated_at + timedelta(days=1)
    gone = replace(first, kind=EventKind.DELETED, answer=None, studio_updated_at=later)
    shop.ledger.annotations.append([gone])
    assert shop.settle().waiting == 1
    assert state(shop, task) is TaskState.SENT


def test_a_lead_who_labelled_is_refused_and_another_may_decide(shop: Shop) -> None:
    task = one_task(shop)
    shop.answer(task, NO, yes())
    shop.settle()
    asked = question(shop)
    shop.answer(asked, NO, people=["Bob"])  # an address is the same in any case
    report = shop.settle()
    assert (report.settled, report.waiting) == (0, 1)
    assert [(r.annotator, "another lead" in r.reason) for r in report.refusals] == [("Bob@example.org", True)]
    assert state(shop, asked) is TaskState.SENT
    shop.answer(asked, NO, NO, people=["Bob", "lea"])
    assert shop.settle().settled == 1
    assert shop.ledger.golden.adjudications()[0].adjudicator == "lea@example.org"


def test_a_late_agreement_settles_the_question_too(shop: Shop) -> None:
    task = one_task(shop)
    shop.answer(task, NO, yes())
    shop.settle()
    asked = question(shop)
    shop.answer(task, NO, NO)  # the second person changed their mind
    assert shop.settle() == SettleReport(settled=1, golden=1)
    assert (state(shop, task), state(shop, asked)) == (TaskState.SETTLED, TaskState.SETTLED)
    shop.answer(asked, yes(), people=["lea"])
    assert shop.settle() == SettleReport()
    assert shop.ledger.golden.items()[0].outcome is Outcome.ALLOWED


def test_a_late_agreement_settles_a_question_nobody_was_asked_yet(shop: Shop) -> None:
    task = one_task(shop)
    shop.answer(task, NO, yes())
    shop.settle()
    (asked,) = shop.ledger.tasks.where(kind=TaskKind.ADJUDICATION)
    shop.answer(task, NO, NO)
    shop.settle()
    assert state(shop, asked) is TaskState.SETTLED
    assert close_round(shop.ledger, "r1")


def test_a_question_about_a_withdrawn_task_is_withdrawn(shop: Shop) -> None:
    task = one_task(shop)
    shop.answer(task, NO, yes())
    shop.settle()
    asked = question(shop)
    shop.answer(asked, NO, people=["lea"])
    shop.ledger.tasks.set_state([task.task_id], TaskState.WITHDRAWN)
    assert shop.settle() == SettleReport()
    assert state(shop, asked) is TaskState.WITHDRAWN
    assert shop.ledger.golden.items() == []
    assert close_round(shop.ledger, "r1")


def test_a_lead_says_context_missing(shop: Shop) -> None:
    task = one_task(shop)
    shop.answer(task, NO, yes())
    shop.settle()
    shop.answer(question(shop), UNCLEAR, people=["lea"])
    assert shop.settle() == SettleReport(settled=1, golden=0)
    assert shop.ledger.golden.items()[0].state is GoldState.QUARANTINED


# --- what is read ---


def test_the_lake_is_read_at_once_for_all_that_is_folded(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[list[str]] = []
    take = LanceLake.take

    def counted(self: LanceLake, item_ids: Sequence[str], columns: Sequence[str], group: str = ITEMS) -> pa.Table:
        reads.append(sorted(item_ids))
        return take(self, item_ids, columns, group)

    tasks = shop.stocked(30).send("r1", 12)
    for task in tasks[:10]:
        shop.answer(task, NO, NO)
    monkeypatch.setattr(LanceLake, "take", counted)
    vectors = LakeVectors(shop.lake, embedding_group(shop.scorer()))
    report = settle_all(
        shop.ledger, shop.lake, lambda: Groups((), vectors, 1.0, shop.shares)
    )  # none is close to others
    assert (report.settled, report.waiting) == (10, 2)
    answered = sorted(task.item_id for task in tasks[:10])
    assert reads == [answered, answered]  # their embeddings, and who they are
    assert sorted(row.item_id for row in shop.ledger.golden.items()) == answered


def test_items_that_cannot_be_read_ahead_are_read_one_by_one(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object) -> None:
        raise UnknownItem("an item that was erased a moment ago")

    for task in shop.stocked(20).send("r1", 4):
        shop.answer(task, NO, NO)
    monkeypatch.setattr(Groups, "read_ahead", gone)
    assert shop.settle() == SettleReport(settled=4, golden=4)


# --- what goes wrong ---


def test_one_task_that_cannot_be_settled_does_not_hold_up_the_others(shop: Shop) -> None:
    tasks = shop.stocked(20).send("r1", 6)
    for task in tasks:
        shop.answer(task, NO, NO)
    gone = tasks[2].item_id
    shop.lake.delete([gone])  # erased
    stuck = [task for task in tasks if task.item_id == gone]
    report = shop.settle()
    assert report.settled == 6 - len(stuck)
    assert [(p.task_id, gone in p.reason) for p in report.problems] == [(t.task_id, True) for t in stuck]
    assert [state(shop, task) for task in stuck] == [TaskState.SENT] * len(stuck)


def test_a_quarantined_blind_task_is_told_when_its_lead_has_answered(shop: Shop) -> None:
    tasks = shop.stocked(20).send("r1", 2)
    shop.answer(tasks[0], NO, yes())
    shop.settle()
    asked = question(shop)
    shop.ledger.tasks.set_state([tasks[0].task_id], TaskState.QUARANTINED)
    shop.answer(asked, NO, people=["lea"])
    shop.answer(tasks[1], NO, NO)
    report = shop.settle()
    assert (report.settled, [p.task_id for p in report.problems]) == (1, [tasks[0].task_id])
    assert "quarantined" in report.problems[0].reason
    shop.ledger.tasks.set_state([tasks[0].task_id], TaskState.SENT)
    assert shop.settle() == SettleReport(settled=1, golden=1)


def test_a_broken_store_ends_the_run(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    task = one_task(shop)
    shop.answer(task, NO, NO)

    def full(*_: object) -> bool:
        raise StoreError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(shop.ledger.golden, "fold", full)
        with pytest.raises(StoreError):
            shop.settle()
    assert shop.settle() == SettleReport(settled=1, golden=1)


def bridge(shop: Shop) -> list[Task]:
    """Tasks of three items: the third is a near-duplicate of the first two, which are none of each other."""
    shop.ingest(items(range(1, 4)))
    turns = np.deg2rad([0, 30, 15])
    rows = np.zeros((3, 32), np.float16)
    rows[:, 0], rows[:, 1] = np.cos(turns), np.sin(turns)
    shop.lake.add_columns(embedding_group(shop.scorer()), shop.lake.ids(), {"embedding": vectors(rows)})
    shop.score()
    sent = shop.send("r1", 3, policies=("harm",), lanes={"random": 1.0}, duplicate_cosine=None)
    return sorted(sent, key=lambda task: task.item_id)


def test_a_kill_between_merging_groups_and_writing_goes_on(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = bridge(shop)
    shop.answer(tasks[0], NO, NO)
    shop.answer(tasks[1], NO, NO)
    assert shop.settle().golden == 2
    before = {row.item_id: row for row in shop.ledger.golden.items()}
    assert before["it-00001"].group_id != before["it-00002"].group_id
    shop.answer(tasks[2], NO, NO)

    def die(*_: object) -> bool:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(shop.ledger.golden, "fold", die)
        with pytest.raises(Killed):
            shop.settle()
    assert len({row.group_id for row in shop.ledger.golden.items()}) == 1  # merged already, on the protected side
    assert shop.settle() == SettleReport(settled=1, golden=1)
    rows = shop.ledger.golden.items()
    assert len({(row.group_id, row.partition) for row in rows}) == 1
    assert rows[0].partition is most_protected([row.partition for row in before.values()])
    assert len(shop.ledger.golden.adjudications()) == 3


def test_a_kill_after_each_fold_in_turn_ends_in_the_same_gold(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = shop.stocked(20).send("r1", 6)
    for n, task in enumerate(tasks):
        shop.answer(task, NO, yes() if n == 0 else NO)
    real = shop.ledger.golden.fold

    def fold_then_die(adjudication: Any, item: Any) -> bool:
        real(adjudication, item)
        raise Killed

    kills = 0
    while kills < 5:
        with monkeypatch.context() as patch:
            patch.setattr(shop.ledger.golden, "fold", fold_then_die)
            with pytest.raises(Killed):
                shop.settle()
        kills += 1
    assert shop.settle() == SettleReport(disputed=1)
    assert len(shop.ledger.golden.items()) == len(shop.ledger.golden.adjudications()) == 5


def test_after_a_refused_fold_the_groups_are_read_anew(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fold may merge groups in the ledger and then be refused: what is held in memory is wrong from then on."""
    shop.shares = Shares(train=1.0, calibration=0.0, dev=0.0, sealed=0.0)
    tasks = bridge(shop)
    for task in tasks:
        shop.answer(task, NO, NO)
    real = shop.ledger.golden.fold
    reads: list[int] = []
    refused: list[str] = []

    def fold(adjudication: Any, item: Any) -> bool:
        if reads == [1] and len(shop.ledger.golden.items()) == 1:
            refused.append(item.item_id)
            shop.ledger.golden.regroup([], shop.ledger.golden.items()[0].group_id, Partition.SEALED)
            raise Conflict("it is erased; it takes no label")
        return real(adjudication, item)

    def groups() -> Groups:
        reads.append(1)
        return shop.groups()

    monkeypatch.setattr(shop.ledger.golden, "fold", fold)
    report = settle_all(shop.ledger, shop.lake, groups)
    assert (report.settled, len(report.problems), reads, len(refused)) == (2, 1, [1, 1], 1)
    assert settle_all(shop.ledger, shop.lake, groups).settled == 1
    rows = {row.item_id: row for row in shop.ledger.golden.items()}
    assert len({row.group_id for row in rows.values()}) == 1
    assert {row.partition for row in rows.values()} == {Partition.SEALED}


def test_near_copies_of_an_evaluation_item_never_become_training_material(shop: Shop) -> None:
    shop.shares = Shares(train=0.0, calibration=0.0, dev=0.0, sealed=1.0)
    for task in bridge(shop):
        shop.answer(task, NO, NO)
        shop.settle()
        shop.shares = Shares(train=1.0, calibration=0.0, dev=0.0, sealed=0.0)  # only new groups follow the shares
    assert [row.partition for row in shop.ledger.golden.items()] == [Partition.SEALED] * 3


def test_an_adjudication_task_without_parent_is_a_defect(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    task = one_task(shop)
    real = shop.ledger.tasks.where

    def where(*, kind: TaskKind | None = None, states: Sequence[TaskState] = ()) -> list[Task]:
        return [task] if kind is TaskKind.ADJUDICATION else real(kind=kind, states=states)

    monkeypatch.setattr(shop.ledger.tasks, "where", where)
    with pytest.raises(ValueError, match="names no blind task"):
        shop.settle()


def test_tasks_not_sent_or_of_ended_rounds_are_left_alone(shop: Shop) -> None:
    shop.stocked(10)
    shop.open(shop.request(budget=2))
    shop.select()
    assert shop.settle() == SettleReport()
    assert shop.ledger.rounds.get("r1").state is RoundState.SELECTED
