from __future__ import annotations

from dataclasses import replace

import pytest

from labeling.records import Answer, Cause, GoldState, How, Outcome, Task, TaskKind, TaskState, Verdict
from labeling.reviews import is_reviewed, lead_agreement, twice_decided
from labeling.rounds import close_round
from labeling.settle import LeadDesk, SettleReport
from tests.figures import assert_whole
from tests.labeling.shop import NO, Shop, yes

ALWAYS = LeadDesk(review_share=1.0)
LEAD = {"rationale": "by its words", "verdict": Verdict.SINGLE, "cause": Cause.A_WRONG}


def led(answer: Answer, **changes: object) -> Answer:
    return replace(answer, **{**LEAD, **changes})  # type: ignore[arg-type]


def decided(shop: Shop, first: Answer, desk: LeadDesk = ALWAYS) -> tuple[Task, Task]:
    """A disputed blind task that the lead lea has decided, and the review task of it, sent."""
    (task,) = shop.stocked(6).send("r1", 1)
    shop.answer(task, NO, yes())
    shop.settle(desk)
    shop.deliver()
    (asked,) = shop.ledger.tasks.where(kind=TaskKind.ADJUDICATION)
    shop.answer(asked, first, people=["lea"])
    assert shop.settle(desk).settled == 1
    shop.deliver()
    (review,) = shop.ledger.tasks.where(kind=TaskKind.REVIEW)
    return task, review


def test_about_the_share_of_tasks_is_reviewed_and_always_the_same_ones(shop: Shop) -> None:
    (task,) = shop.stocked(6).send("r1", 1)
    tasks = [replace(task, task_id=f"task-{n}") for n in range(4000)]
    chosen = [each.task_id for each in tasks if is_reviewed(each, 0.1)]
    assert 320 < len(chosen) < 480  # 400 expected, five standard deviations
    assert chosen == [each.task_id for each in reversed(tasks) if is_reviewed(each, 0.1)][::-1]
    assert not [each for each in tasks if is_reviewed(each, 0.0)]
    assert all(is_reviewed(each, 1.0) for each in tasks)


def test_the_second_lead_gets_the_same_question_and_no_word_of_the_first(shop: Shop) -> None:
    task, review = decided(shop, led(NO, rationale="a telling reason"))
    (asked,) = shop.ledger.tasks.where(kind=TaskKind.ADJUDICATION)
    assert (review.text, review.overlap, review.parent_task_id) == (task.text, 1, asked.task_id)
    assert review.kind.form is TaskKind.ADJUDICATION
    assert sorted(review.prompt.replace("Answer A", "Answer B").split("\n\n")) == sorted(
        asked.prompt.replace("Answer A", "Answer B").split("\n\n")
    )
    assert "telling" not in review.prompt
    assert shop.ledger.golden.items()[0].how is How.ADJUDICATED


def test_nobody_is_asked_twice_without_a_share(shop: Shop) -> None:
    (task,) = shop.stocked(6).send("r1", 1)
    shop.answer(task, NO, yes())
    shop.settle()
    shop.deliver()
    shop.answer(shop.ledger.tasks.where(kind=TaskKind.ADJUDICATION)[0], led(NO), people=["lea"])
    assert shop.settle() == SettleReport(settled=1, golden=1)
    assert shop.ledger.tasks.where(kind=TaskKind.REVIEW) == []


def test_two_leads_who_agree_leave_gold_as_it_is(shop: Shop) -> None:
    _, review = decided(shop, led(yes(severity=2)))
    before = shop.ledger.golden.items()
    shop.answer(review, led(yes(severity=3), cause=Cause.POLICY_GAP), people=["lou"])
    assert shop.settle(ALWAYS) == SettleReport(settled=1)
    assert shop.ledger.golden.items() == before
    first, second = shop.ledger.golden.adjudications()
    assert (first.adjudicator, second.adjudicator) == ("lea@example.org", "lou@example.org")
    assert (second.votes, second.annotators) == (first.votes, first.annotators)
    assert shop.ledger.tasks.get(review.task_id).state is TaskState.SETTLED
    assert shop.settle(ALWAYS) == SettleReport()


@pytest.mark.parametrize(
    "second",
    [led(yes()), led(NO, verdict=Verdict.SEVERAL), led(Answer(Outcome.CONTEXT_MISSING))],
    ids=["another outcome", "no single answer", "context missing"],
)
def test_two_leads_who_differ_leave_the_first_label_contested_with_its_soft_label(shop: Shop, second: Answer) -> None:
    _, review = decided(shop, led(NO))
    shop.answer(review, second, people=["lou"])
    assert shop.settle(ALWAYS) == SettleReport(settled=1, golden=1, contested=1)
    (gold,) = shop.ledger.golden.items()
    assert (gold.outcome, gold.how, gold.votes) == (
        Outcome.ALLOWED,
        How.CONTESTED,
        {"allowed": 1, "violates/general": 1},
    )
    assert gold.state is GoldState.ACTIVE
    finals = shop.ledger.golden.adjudications()
    assert [final.answer.outcome for final in finals] == [Outcome.ALLOWED, second.outcome]
    assert [final.how for final in finals] == [How.ADJUDICATED, How.CONTESTED]


@pytest.mark.parametrize("verdict", [Verdict.SEVERAL, Verdict.CONTESTED])
def test_an_answer_that_is_not_the_only_one_is_contested_gold(shop: Shop, verdict: Verdict) -> None:
    decided(shop, led(NO, verdict=verdict, cause=Cause.LEGITIMATELY_PLURAL))
    (gold,) = shop.ledger.golden.items()
    assert (gold.how, gold.verdict, gold.cause) == (How.CONTESTED, verdict, Cause.LEGITIMATELY_PLURAL)
    assert gold.votes == {"allowed": 1, "violates/general": 1}


@pytest.mark.parametrize("who", ["lea", "ann", "bob"])
def test_the_first_lead_and_the_annotators_do_not_count_as_the_second(shop: Shop, who: str) -> None:
    _, review = decided(shop, led(NO))
    shop.answer(review, led(NO), people=[who])
    report = shop.settle(ALWAYS)
    assert [refusal.annotator for refusal in report.refusals] == [f"{who}@example.org"]
    assert (report.settled, report.waiting) == (0, 1)
    assert shop.ledger.tasks.get(review.task_id).state is TaskState.SENT


class Killed(BaseException):
    """The process dies here."""


def test_a_process_killed_at_the_fold_skips_no_review(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    (task,) = shop.stocked(6).send("r1", 1)
    shop.answer(task, NO, yes())
    shop.settle(ALWAYS)
    shop.deliver()
    shop.answer(shop.ledger.tasks.where(kind=TaskKind.ADJUDICATION)[0], led(NO), people=["lea"])
    with monkeypatch.context() as patch:
        patch.setattr(shop.ledger.golden, "fold", lambda *_: (_ for _ in ()).throw(Killed()))
        with pytest.raises(Killed):
            shop.settle(ALWAYS)
    shop.deliver()
    (review,) = shop.ledger.tasks.where(kind=TaskKind.REVIEW)
    shop.answer(review, led(NO), people=["lou"])  # before the first is folded: it waits
    assert shop.settle(ALWAYS).settled == 2
    assert [final.adjudicator for final in shop.ledger.golden.adjudications()] == ["lea@example.org", "lou@example.org"]


def test_a_second_look_keeps_no_round_open(shop: Shop) -> None:
    _, review = decided(shop, led(NO))
    assert shop.ledger.tasks.get(review.task_id).state is TaskState.SENT
    assert close_round(shop.ledger, "r1")


def test_agreement_of_leads_is_told_with_its_interval_and_what_they_said(shop: Shop) -> None:
    told = lead_agreement(shop.ledger)
    assert (told.agreed.n, told.agreed.verdict, told.open, told.by_policy) == (0, "insufficient", 0, {})
    tasks = shop.stocked(30).send("r1", 15)
    for task in tasks:
        shop.answer(task, NO, yes())
    shop.settle(ALWAYS)
    shop.deliver()
    for asked in shop.ledger.tasks.where(kind=TaskKind.ADJUDICATION):
        shop.answer(asked, led(NO, cause=Cause.POLICY_GAP), people=["lea"])
    shop.settle(ALWAYS)
    shop.deliver()
    reviews = shop.ledger.tasks.where(kind=TaskKind.REVIEW)
    for number, review in enumerate(reviews[:14]):
        shop.answer(review, led(yes() if number < 2 else NO), people=["lou"])
    shop.settle(ALWAYS)
    told = lead_agreement(shop.ledger)
    assert (told.agreed.n, told.agreed.events, told.open) == (14, 12, 1)
    assert_whole(told.as_dict(), 2)
    assert len(twice_decided(shop.ledger)) == 14
    assert told.agreed.low < 12 / 14 < told.agreed.high
    assert sum(figure.n for figure in told.by_policy.values()) == 14
    assert sum(n for said in told.causes.values() for n in said.values()) == 15
    assert {cause for said in told.causes.values() for cause in said} == {"policy_gap"}
    assert {verdict for said in told.verdicts.values() for verdict in said} == {"single"}
