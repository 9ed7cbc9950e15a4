"""Copies, from a round's questions to gold: handed out, answered, decided, taken back; nobody meets an item twice."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from labeling.adjudication import labellers
from labeling.assign import NOBODY, AssignRules
from labeling.consensus import Widening
from labeling.handout import HandoutReport, day_start, hand_out, has_roster
from labeling.records import (
    AnnotationEvent,
    Answer,
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
from labeling.round_costs import Costs
from labeling.rounds import cancel_round, close_round
from labeling.settle import SettleReport, settle_all
from labeling.widening import RoundBudget
from tests.labeling.shop import NO, Shop, items, yes
from tests.labeling.test_assign import person

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CALM = AssignRules(severe_units=1000.0, daily_exposure=1000.0)


def staffed(shop: Shop, *names: str, count: int = 30, budget: int = 6) -> list[Task]:
    """A round that is open, with these people on the roster; its questions."""
    for name in names:
        shop.ledger.people.add(person(name), "test")
    shop.stocked(count).open(shop.request(budget=budget))
    shop.select()
    shop.ledger.rounds.set_state("r1", RoundState.OPEN)
    return shop.ledger.tasks.where(round_id="r1", kind=TaskKind.BLIND)


def give(shop: Shop, rules: AssignRules = CALM, now: datetime = NOW) -> HandoutReport:
    return hand_out(shop.ledger, shop.lake, shop.policies, rules, Costs(), now)


def copies(shop: Shop, root: Task | None = None) -> list[Task]:
    found = shop.ledger.tasks.where(kind=TaskKind.COPY)
    return [task for task in found if root is None or task.parent_task_id == root.task_id]


def send(shop: Shop) -> None:
    """Every copy reaches Label Studio."""
    waiting = [t.task_id for t in shop.ledger.tasks.where(states=(TaskState.QUEUED,)) if t.kind is not TaskKind.BLIND]
    shop.ledger.tasks.mark_sending(waiting, 1)
    shop.ledger.tasks.mark_sent({task_id: 5000 + n for n, task_id in enumerate(waiting)})


def say(
    shop: Shop, copy: Task, answer: Answer | None, who: str = "", at: datetime = NOW, number: int | None = None
) -> None:
    """The assignee (or somebody else) answers a copy; None skips it."""
    shop.minutes += 1
    name = who or copy.assignee
    event = AnnotationEvent(
        task_id=copy.task_id,
        studio_annotation_id=number or 100 + shop.minutes,
        kind=EventKind.SKIPPED if answer is None else EventKind.CREATED,
        annotator=name,
        updated_by=name,
        answer=answer,
        lead_time_s=3.0,
        studio_updated_at=at + timedelta(seconds=shop.minutes),
    )
    shop.ledger.annotations.append([event])


def settle(shop: Shop, share: float = 0.5, rules: Widening | None = None) -> SettleReport:
    more = RoundBudget(shop.ledger, shop.lake, rules or Widening(), share)
    return settle_all(shop.ledger, shop.lake, shop.groups, more=more)


def state(shop: Shop, task: Task) -> TaskState:
    return shop.ledger.tasks.get(task.task_id).state


def test_without_a_roster_there_is_nobody_to_hand_out_to(shop: Shop) -> None:
    assert not has_roster(shop.ledger.people)
    shop.ledger.people.add(person("ann", active=False), "test")
    assert not has_roster(shop.ledger.people)
    shop.ledger.people.add(person("bob", paused=True), "test")
    assert has_roster(shop.ledger.people)


def test_each_question_goes_to_two_people_as_copies_of_their_own(shop: Shop) -> None:
    roots = staffed(shop, "ann", "bob", "cat")
    assert give(shop) == HandoutReport(12, 0, 0, {})
    by_root: dict[str, list[Task]] = defaultdict(list)
    for copy in copies(shop):
        by_root[str(copy.parent_task_id)].append(copy)
        root = shop.ledger.tasks.get(str(copy.parent_task_id))
        assert (copy.overlap, copy.text, copy.item_id, copy.policy_id) == (1, root.text, root.item_id, root.policy_id)
        assert copy.exposure == root.exposure > 0
        assert copy.task_id != root.task_id
    assert set(by_root) == {root.task_id for root in roots}
    assert all(len({copy.assignee for copy in pair}) == 2 for pair in by_root.values())
    assert {state(shop, root) for root in roots} == {TaskState.SENT}
    assert set(Counter(copy.assignee for copy in copies(shop)).values()) == {4}
    for who in {copy.assignee for copy in copies(shop)}:
        assert sorted(c.position for c in copies(shop) if c.assignee == who) == [1, 2, 3, 4]
    assert give(shop) == HandoutReport(0, 0, 0, {})  # again: nothing is left to do


def test_a_hand_out_that_dies_leaves_nothing(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    roots = staffed(shop, "ann", "bob")

    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("labeling.store.desks.now", die)  # between the copies and their questions' new state
        with pytest.raises(Killed):
            give(shop)
    assert copies(shop) == []
    assert {state(shop, root) for root in roots} == {TaskState.QUEUED}
    assert give(shop).copies == 12


def test_answers_to_copies_decide_the_question(shop: Shop) -> None:
    roots = staffed(shop, "ann", "bob", budget=2)
    give(shop)
    send(shop)
    first, second = copies(shop, roots[0])
    say(shop, first, yes())
    assert settle(shop) == SettleReport(waiting=2)
    say(shop, second, yes())
    assert settle(shop) == SettleReport(settled=1, golden=1, waiting=1)
    (row,) = shop.ledger.golden.items()
    assert (row.votes, row.tier) == ({"violates/general": 2}, Tier.GOLDEN)
    assert {state(shop, task) for task in (roots[0], first, second)} == {TaskState.SETTLED}
    assert not close_round(shop.ledger, "r1")
    for copy in copies(shop, roots[1]):
        say(shop, copy, NO)
    assert settle(shop).settled == 1
    assert close_round(shop.ledger, "r1")


def test_an_answer_of_somebody_else_does_not_count(shop: Shop) -> None:
    roots = staffed(shop, "ann", "bob", budget=1)
    give(shop)
    send(shop)
    first, second = copies(shop, roots[0])
    say(shop, first, yes())
    say(shop, second, yes(), who=first.assignee)  # opened the other one's project
    report = settle(shop)
    assert (report.settled, report.waiting) == (0, 1)
    assert [(r.annotator, "another person's desk" in r.reason) for r in report.refusals] == [(first.assignee, True)]
    assert first.assignee in labellers(shop.ledger.annotations.events(roots[0].task_id))
    say(shop, second, NO, who="eve@example.org")
    say(shop, second, yes())
    assert settle(shop).settled == 1
    assert shop.ledger.golden.adjudications()[0].annotators == (first.assignee, second.assignee)


def test_somebody_who_forges_a_name_takes_no_answer_away(shop: Shop) -> None:
    roots = staffed(shop, "ann", "bob", budget=1)
    give(shop)
    send(shop)
    first, second = copies(shop, roots[0])
    for copy in (first, second):
        say(shop, copy, NO)
    forged = shop.ledger.annotations.events(first.task_id)[0]
    later = forged.studio_updated_at + timedelta(hours=1)
    shop.ledger.annotations.append(
        [replace(forged, studio_annotation_id=999, updated_by="eve@example.org", answer=yes(), studio_updated_at=later)]
    )
    assert settle(shop).settled == 1
    assert shop.ledger.golden.items()[0].outcome is Outcome.ALLOWED


def test_copies_on_a_server_that_counts_anew_stay_apart(shop: Shop) -> None:
    roots = staffed(shop, "ann", "bob", budget=1)
    give(shop)
    send(shop)
    for copy in copies(shop, roots[0]):
        say(shop, copy, NO, number=7)
    assert len(shop.ledger.annotations.current([roots[0].task_id])[roots[0].task_id]) == 2
    assert settle(shop).settled == 1


def test_a_dispute_goes_to_a_third_person_and_the_majority_settles_it(shop: Shop) -> None:
    roots = staffed(shop, "ann", "bob", "cat", budget=1)
    give(shop)
    send(shop)
    first, second = copies(shop, roots[0])
    say(shop, first, yes())
    say(shop, second, NO)
    assert settle(shop) == SettleReport(waiting=1, widened=1)
    assert settle(shop) == SettleReport(waiting=1)  # asked once
    assert shop.ledger.tasks.where(kind=TaskKind.ADJUDICATION) == []
    assert give(shop).copies == 1
    send(shop)
    (third,) = [copy for copy in copies(shop, roots[0]) if copy.task_id not in (first.task_id, second.task_id)]
    assert third.assignee not in (first.assignee, second.assignee)
    say(shop, third, NO)
    assert settle(shop) == SettleReport(settled=1, golden=1)
    (final,) = shop.ledger.golden.adjudications()
    assert (final.how, final.answer.outcome, len(final.annotators)) == (How.CONSENSUS, Outcome.ALLOWED, 3)


def test_without_a_third_person_or_a_budget_a_lead_decides(shop: Shop) -> None:
    roots = staffed(shop, "ann", "bob", budget=1)
    give(shop)
    send(shop)
    for copy, answer in zip(copies(shop, roots[0]), (yes(), NO), strict=True):
        say(shop, copy, answer)
    assert settle(shop) == SettleReport(disputed=1)
    (asked,) = shop.ledger.tasks.where(kind=TaskKind.ADJUDICATION)
    assert (asked.assignee, asked.extra, asked.exposure) == ("", 0, shop.ledger.tasks.get(roots[0].task_id).exposure)
    shop.ledger.people.add(person("cat"), "test")
    assert settle(shop) == SettleReport()  # a lead was asked: it stays with them


def test_the_budget_of_a_round_ends(shop: Shop) -> None:
    staffed(shop, "ann", "bob", "cat", budget=6)
    give(shop)
    send(shop)
    said: set[str] = set()
    for copy in copies(shop):
        say(shop, copy, NO if copy.parent_task_id in said else yes())
        said.add(str(copy.parent_task_id))
    report = settle(shop, share=0.4)
    assert (report.widened, report.disputed) == (2, 4)
    assert settle(shop, share=0.0).widened == 0


def test_a_lead_who_had_a_copy_is_refused(shop: Shop) -> None:
    roots = staffed(shop, "ann", "bob", budget=1)
    give(shop)
    send(shop)
    mine = copies(shop, roots[0])
    for copy, answer in zip(mine, (yes(), NO), strict=True):
        say(shop, copy, answer)
    settle(shop)
    send(shop)
    (asked,) = shop.ledger.tasks.where(kind=TaskKind.ADJUDICATION)
    say(shop, asked, NO, who=mine[0].assignee)
    report = settle(shop)
    assert (report.settled, len(report.refusals)) == (0, 1)
    say(shop, asked, NO, who="lea@example.org")
    assert settle(shop).settled == 1
    assert {state(shop, task) for task in (*mine, asked, roots[0])} == {TaskState.SETTLED}


def test_what_is_skipped_goes_to_somebody_else(shop: Shop) -> None:
    roots = staffed(shop, "ann", "bob", "cat", budget=1)
    give(shop)
    send(shop)
    first, second = copies(shop, roots[0])
    say(shop, first, None)
    assert give(shop) == HandoutReport(1, 0, 1, {})
    assert state(shop, first) is TaskState.WITHDRAWN
    assert {c.assignee for c in copies(shop, roots[0])} == {f"{n}@example.org" for n in ("ann", "bob", "cat")}
    say(shop, first, yes())  # too late: it was taken back
    say(shop, second, NO)
    assert settle(shop) == SettleReport(waiting=1)


def test_a_skip_beside_an_answer_takes_nothing_back(shop: Shop) -> None:
    roots = staffed(shop, "ann", "bob", "cat", budget=1)
    give(shop)
    send(shop)
    first, _ = copies(shop, roots[0])
    say(shop, first, NO)
    say(shop, first, None)
    assert give(shop) == HandoutReport(0, 0, 0, {})
    assert state(shop, first) is TaskState.SENT


def test_who_leaves_keeps_what_they_answered_and_hands_on_the_rest(shop: Shop) -> None:
    roots = staffed(shop, "ann", "bob", "cat", budget=3)
    give(shop)
    send(shop)
    mine = [copy for copy in copies(shop) if copy.assignee == "ann@example.org"]
    say(shop, mine[0], NO)
    shop.ledger.people.change("ann@example.org", {"active": False}, "test")
    report = give(shop)
    assert (report.released, report.copies + sum(report.unplaced.values())) == (len(mine) - 1, len(mine) - 1)
    assert state(shop, mine[0]) is TaskState.SENT
    assert len(roots) == 3


def test_who_is_paused_keeps_their_desk_and_gets_nothing_new(shop: Shop) -> None:
    staffed(shop, "ann", "bob", budget=2)
    shop.ledger.people.change("ann@example.org", {"paused": True}, "test")
    report = give(shop)
    assert {copy.assignee for copy in copies(shop)} == {"bob@example.org"}
    assert (report.copies, sum(report.unplaced.values())) == (2, 2)
    shop.ledger.people.change("bob@example.org", {"paused": True}, "test")
    assert give(shop).unplaced == {NOBODY: 2}


def test_exposure_is_counted_by_day(shop: Shop) -> None:
    staffed(shop, "ann", "bob", budget=6)
    for name in ("ann", "bob"):
        shop.ledger.people.change(f"{name}@example.org", {"daily_exposure": 1.2}, "test")
    give(shop)
    send(shop)
    units = sum(c.exposure for c in copies(shop) if c.assignee == "ann@example.org")
    assert 0 < units <= 1.2
    placed = len(copies(shop))
    assert placed < 12
    for copy in copies(shop):
        say(shop, copy, NO)
    assert shop.ledger.desks.units_since(NOW)["ann@example.org"] == pytest.approx(units)
    assert give(shop).copies == 0
    assert give(shop, now=NOW + timedelta(days=1)).copies > 0


def test_a_day_begins_where_people_live() -> None:
    assert day_start(NOW, "UTC") == datetime(2026, 3, 1, tzinfo=UTC)
    assert day_start(datetime(2026, 3, 1, 2, tzinfo=UTC), "America/New_York") == datetime(2026, 2, 28, 5, tzinfo=UTC)


def test_nobody_is_asked_about_a_near_duplicate_of_what_they_answered(shop: Shop) -> None:
    roots = staffed(shop, "ann", "bob", budget=1)
    give(shop)
    send(shop)
    for copy in copies(shop, roots[0]):
        say(shop, copy, NO)
    settle(shop)
    (pick,) = shop.ledger.rounds.picks("r1")
    shop.open(shop.request("r2", budget=1))
    other = next(i.item_id for i in items(range(30)) if i.item_id != pick.item_id)
    task = replace(roots[0], task_id="twin", round_id="r2", item_id=other, state=TaskState.QUEUED)
    shop.ledger.rounds.record_selection("r2", [replace(pick, round_id="r2", item_id=other)], [task], {}, "s", [])
    assert give(shop).unplaced == {
        "everybody who may answer has met the item, or a near-duplicate, before: add people": 2
    }
    shop.ledger.people.add(person("cat"), "test")
    assert give(shop).copies == 1
    assert [c.assignee for c in copies(shop) if c.parent_task_id == "twin"] == ["cat@example.org"]


def test_languages_come_from_the_items(shop: Shop) -> None:
    staffed(shop, "ann", budget=2)
    shop.ledger.people.change("ann@example.org", {"languages": ("de",)}, "test")
    assert give(shop).unplaced == {"nobody on the roster reads 'en': add somebody who does": 4}


def test_an_erased_item_finds_nobody_and_does_not_stop_the_others(shop: Shop) -> None:
    roots = staffed(shop, "ann", "bob", budget=3)
    shop.lake.delete([roots[0].item_id])
    report = give(shop)
    assert (report.copies, report.unplaced) == (4, {"their item is not in the lake any more": 2})


def test_a_cancelled_round_takes_its_copies_along(shop: Shop) -> None:
    staffed(shop, "ann", "bob", budget=2)
    give(shop)
    cancel_round(shop.ledger, "r1")
    assert {task.state for task in shop.ledger.tasks.where()} == {TaskState.WITHDRAWN}
    assert give(shop) == HandoutReport(0, 0, 0, {})


def gold(shop: Shop, numbers: range, partition: Partition, tier: Tier = Tier.GOLDEN) -> None:
    """Golden items under ``fraud``, of a round before."""
    shop.shares = replace(
        shop.shares, **{"train": 0.0, "calibration": 0.0, "dev": 0.0, "sealed": 0.0, str(partition): 1.0}
    )
    for task in shop.send("r0", len(numbers), policies=("fraud",)):
        shop.answer(task, yes(severity=2), yes(severity=2), people=("old", "older"))
    shop.settle()
    assert {(row.partition, row.state) for row in shop.ledger.golden.items()} == {(partition, GoldState.ACTIVE)}
    assert tier is Tier.GOLDEN


@pytest.mark.parametrize(
    ("partition", "comes"), [(Partition.ANCHOR, True), (Partition.SEALED, False), (Partition.DEV, False)]
)
def test_injections_come_from_anchors_alone(shop: Shop, partition: Partition, comes: bool) -> None:
    shop.stocked(60)
    gold(shop, range(6), partition)
    for name in ("ann", "bob"):
        shop.ledger.people.add(person(name), "test")
    shop.open(shop.request("r1", budget=12, policies=("fraud",)))
    shop.select()
    report = give(shop, replace(CALM, injection_rate=0.5))
    assert (report.copies, report.injections > 0) == (24, comes)
    golden = {row.item_id: row for row in shop.ledger.golden.items()}
    injected = shop.ledger.tasks.where(kind=TaskKind.INJECTION)
    assert len({(task.item_id, task.assignee) for task in injected}) == len(injected) == report.injections
    for task in injected:
        row = golden[task.item_id]
        assert (task.text, task.round_id, task.parent_task_id, task.overlap) == (row.text, "r1", None, 1)
    positions = sorted(t.position for t in shop.ledger.tasks.where(assignee="ann@example.org"))
    assert positions == list(range(1, len(positions) + 1))
    assert shop.ledger.tasks.counts("r1") == {"queued": 24, "sent": 12}  # injections are nobody's business
