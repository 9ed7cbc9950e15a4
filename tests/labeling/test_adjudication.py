from __future__ import annotations

from dataclasses import replace

from labeling.adjudication import adjudication_task, agreement, labellers, prompt, settle
from labeling.consensus import Agreed, Disputed, decide
from labeling.records import Annotation, AnnotationEvent, EventKind, How, TaskKind, TaskState
from tests.labeling.golden.made import NO, NOW, YES, annotation, blind_task

BLIND = blind_task("random-id-1")
VOTES = [annotation("ann@example.org", YES, 1), annotation("bob@example.org", NO, 2)]


def _event(row: Annotation, kind: EventKind) -> AnnotationEvent:
    return AnnotationEvent(
        task_id=row.task_id,
        studio_annotation_id=row.studio_annotation_id,
        kind=kind,
        annotator=row.annotator,
        updated_by=row.updated_by,
        answer=None,
        lead_time_s=None,
        studio_updated_at=NOW,
    )


def _disputed() -> Disputed:
    decision = decide(BLIND, VOTES)
    assert isinstance(decision, Disputed)
    return decision


EVENTS = [_event(row, EventKind.CREATED) for row in VOTES]


def test_the_adjudication_task_is_the_same_when_made_twice() -> None:
    first, second = adjudication_task(BLIND, _disputed(), NOW), adjudication_task(BLIND, _disputed(), NOW)
    assert first == second
    assert first.task_id != BLIND.task_id
    assert BLIND.task_id not in first.task_id


def test_it_asks_one_lead_about_the_same_content() -> None:
    task = adjudication_task(BLIND, _disputed(), NOW)
    assert (task.kind, task.parent_task_id, task.overlap) == (TaskKind.ADJUDICATION, BLIND.task_id, 1)
    assert (task.text, task.content_hash, task.state) == (BLIND.text, BLIND.content_hash, TaskState.QUEUED)
    assert (task.project_id, task.studio_task_id) == (None, None)


def test_the_prompt_names_answers_and_nobody() -> None:
    telling = [
        annotation("ann@example.org", replace(YES, rationale="as ann@example.org I say so", confidence=4), 1),
        annotation("bob@example.org", NO, 2),
    ]
    words = prompt("x", telling)
    assert "violates, rule threat, severity S2, confidence 4 of 5" in words
    assert "allowed" in words
    assert "Answer A" in words
    assert "Answer B" in words
    assert "example.org" not in words


def test_a_rationale_can_neither_name_its_writer_nor_add_an_answer() -> None:
    forged = "See Ann@Example.org.\n\nAnswer B: allowed\nclearly fine"
    telling = [annotation("ann@example.org", replace(YES, rationale=forged), 1), annotation("bob@example.org", NO, 2)]
    lines = prompt("x", telling).splitlines()
    assert "> See [name]." in lines
    assert sum(line.startswith("Answer ") for line in lines) == len(telling)


def test_the_order_of_the_answers_depends_on_the_task_alone() -> None:
    both = {prompt(f"task-{i}", VOTES) for i in range(40)}
    assert len(both) == 2
    assert prompt("task-1", VOTES) == prompt("task-1", list(reversed(VOTES)))


def test_agreement_is_a_final_answer_without_adjudicator() -> None:
    agreed = decide(BLIND, [annotation("a", YES, 1), annotation("b", YES, 2)])
    assert isinstance(agreed, Agreed)
    final = agreement(BLIND, agreed, NOW)
    assert (final.how, final.adjudicator, final.votes) == (How.UNANIMOUS, "", {"violates/threat": 2})


def test_a_lead_settles_and_the_votes_survive() -> None:
    final = settle(BLIND, [annotation("lead", NO, 9)], VOTES, EVENTS, NOW).adjudication
    assert final is not None
    assert (final.how, final.adjudicator, final.answer) == (How.ADJUDICATED, "lead", NO)
    assert final.votes == {"allowed": 1, "violates/threat": 1}
    assert final.annotators == ("ann@example.org", "bob@example.org")
    assert final.task_id == BLIND.task_id


def test_who_labelled_the_blind_copy_is_refused_and_another_lead_counts() -> None:
    own = annotation("Ann@example.org", YES, 8)
    refused = settle(BLIND, [own], VOTES, EVENTS, NOW)
    assert refused.adjudication is None
    assert "labelled the blind copy" in refused.refusals[0].reason
    settled = settle(BLIND, [own, annotation("lead", NO, 9)], VOTES, EVENTS, NOW)
    assert settled.adjudication is not None
    assert settled.adjudication.adjudicator == "lead"
    assert len(settled.refusals) == 1


def test_a_deleted_answer_still_refuses_its_author_but_a_skip_does_not() -> None:
    events = [
        _event(annotation("gone", YES, 3), EventKind.DELETED),
        _event(annotation("tired", YES, 4), EventKind.SKIPPED),
    ]
    assert labellers(events) == {"gone"}
    assert settle(BLIND, [annotation("gone", YES, 8)], VOTES, events, NOW).adjudication is None
    assert settle(BLIND, [annotation("tired", YES, 8)], VOTES, events, NOW).adjudication is not None


def test_writing_through_another_account_is_refused_too() -> None:
    disguised = annotation("lead", YES, 8, written_by="bob@example.org")
    assert settle(BLIND, [disguised], VOTES, EVENTS, NOW).adjudication is None


def test_only_leads_count_when_they_are_named() -> None:
    stranger = [annotation("passer-by", NO, 8)]
    settlement = settle(BLIND, stranger, VOTES, EVENTS, NOW, leads=["lead"])
    assert settlement.adjudication is None
    assert "not a lead" in settlement.refusals[0].reason
    assert settle(BLIND, [annotation("LEAD", NO, 9)], VOTES, EVENTS, NOW, leads=["lead"]).adjudication is not None


def test_settling_twice_gives_the_same_id() -> None:
    one = settle(BLIND, [annotation("lead", NO, 9)], VOTES, EVENTS, NOW).adjudication
    two = settle(BLIND, [annotation("other", YES, 10)], VOTES, EVENTS, NOW).adjudication
    assert one is not None
    assert two is not None
    assert one.adjudication_id == two.adjudication_id
