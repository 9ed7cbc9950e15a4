"""What every ledger promises about the roster, desks and copies."""

from __future__ import annotations

from dataclasses import replace

import pytest

from labeling.errors import Conflict, NotFound
from labeling.floor import Floor, Handout
from labeling.records import EventKind, Person, RoundState, Task, TaskKind, TaskState
from labeling.store.interfaces import Ledger
from tests.contracts.ledger import LedgerFixtures, select, together
from tests.contracts.records import NO, STUDIO, T0, YES, adjudication, at, event, golden, project, task

ANN, BOB = "ann@example.org", "bob@example.org"


def person(email: str = ANN, **changes: object) -> Person:
    made = Person(email, "Ann", 0, True, ("en", "pt"), ("hate",), 12.5, None, False, "", None, T0)
    return replace(made, **changes)  # type: ignore[arg-type]


def copy(root: int, number: int, who: str = ANN, **changes: object) -> Task:
    made = task(root, task_id=f"copy-{number}", kind=TaskKind.COPY, parent_task_id=f"task-{root:06}", overlap=1)
    return replace(made, assignee=who, position=number, exposure=2.0, **changes)  # type: ignore[arg-type]


def at_work(ledger: Ledger, *emails: str) -> None:
    """A round of three questions, under way, and these people."""
    select(ledger)
    ledger.rounds.set_state("round-1", RoundState.OPEN)
    for email in emails:
        ledger.people.add(person(email), "test")


def handed(*tasks: Task) -> Handout:
    return Handout(tasks, {str(each.parent_task_id): 2.0 for each in tasks})


def floor(ledger: Ledger, *, anchors: bool = False) -> Floor:
    seen: list[Floor] = []

    def look(found: Floor) -> Handout:
        seen.append(found)
        return Handout()

    ledger.desks.assign(look, T0, anchors=anchors)
    return seen[0]


class PeopleContract(LedgerFixtures):
    def test_people_have_desks_by_number(self, ledger: Ledger) -> None:
        assert ledger.people.all() == []
        first, second = ledger.people.add(person(), "lead"), ledger.people.add(person(BOB), "lead")
        assert (first.desk, second.desk) == (1, 2)
        assert ledger.people.all() == [first, second]
        assert ledger.people.get(" ANN@example.org ") == first
        with pytest.raises(Conflict, match=r"ann@example\.org is on the roster"):
            ledger.people.add(person(), "lead")
        with pytest.raises(NotFound, match=r"'eve@example\.org'"):
            ledger.people.get("eve@example.org")
        assert [row["action"] for row in ledger.audit.latest()] == ["roster.add"] * 2

    def test_changes_are_audited_and_leave_the_rest(self, ledger: Ledger) -> None:
        before = ledger.people.add(person(), "lead")
        after = ledger.people.change(ANN, {"languages": ("de",), "paused": True}, "key-1")
        assert after == ledger.people.get(ANN) == replace(before, languages=("de",), paused=True)
        ledger.people.change(ANN, {"paused": True}, "key-1")  # nothing new: no event
        newest, *rest = ledger.audit.latest()
        assert (newest["actor"], newest["action"], newest["target"]) == ("key-1", "roster.change", ANN)
        assert len(rest) == 1
        with pytest.raises(NotFound, match="eve"):
            ledger.people.change("eve@example.org", {"paused": True}, "key-1")

    def test_each_desk_has_a_project_of_its_own(self, ledger: Ledger) -> None:
        shared, mine = project(1), project(2, assignee=ANN, desk=1)
        ledger.projects.add(shared)
        ledger.projects.add(mine)
        assert ledger.projects.find(STUDIO, "hate", "1.0.0", TaskKind.BLIND) == shared
        assert ledger.projects.find(STUDIO, "hate", "1.0.0", TaskKind.BLIND, ANN) == mine
        assert ledger.projects.find(STUDIO, "hate", "1.0.0", TaskKind.BLIND, BOB) is None
        with pytest.raises(Conflict, match="project 3"):
            ledger.projects.add(project(3, assignee=ANN, desk=1))

    def test_images_lie_in_projects_of_their_own_and_what_was_looked_through_is_kept(self, ledger: Ledger) -> None:
        texts, images = project(1), project(2, modality="image")
        ledger.projects.add(texts)
        ledger.projects.add(images)
        assert ledger.projects.find(STUDIO, "hate", "1.0.0", TaskKind.BLIND) == texts
        assert ledger.projects.find(STUDIO, "hate", "1.0.0", TaskKind.BLIND, modality="image") == images
        with pytest.raises(Conflict, match="project 3"):
            ledger.projects.add(project(3, modality="image"))
        ledger.projects.set_relinked(STUDIO, 2, T0)
        assert [one.relinked_at for one in ledger.projects.all()] == [None, T0]
        with pytest.raises(NotFound, match="no project 9"):
            ledger.projects.set_relinked(STUDIO, 9, T0)

    def test_a_hand_out_is_written_whole_and_its_questions_are_sent(self, ledger: Ledger) -> None:
        at_work(ledger, ANN, BOB)
        found = floor(ledger)
        assert [(q.task.task_id, q.have, q.wanted, q.probability) for q in found.questions] == [
            (f"task-{n:06}", 0, 2, 0.75) for n in range(3)
        ]
        both = (copy(0, 1), copy(0, 2, BOB))
        assert ledger.desks.assign(lambda _: handed(*both), T0).tasks == both
        root = ledger.tasks.get("task-000000")
        assert (root.state, root.exposure, root.project_id) == (TaskState.SENT, 2.0, None)
        assert [each.task_id for each in ledger.tasks.where(kind=TaskKind.COPY)] == ["copy-1", "copy-2"]
        assert ledger.tasks.children(["task-000000"], TaskKind.COPY) == ledger.tasks.where(kind=TaskKind.COPY)
        assert [each.task_id for each in ledger.tasks.where(assignee=BOB)] == ["copy-2"]
        assert [q.task.task_id for q in floor(ledger).questions] == ["task-000001", "task-000002"]
        ledger.desks.assign(lambda _: handed(copy(0, 9)), T0)  # the same person again: there already
        assert len(ledger.tasks.where(kind=TaskKind.COPY)) == 2

    def test_desks_show_what_lies_on_them(self, ledger: Ledger) -> None:
        at_work(ledger, ANN, BOB)
        ledger.desks.assign(lambda _: handed(copy(0, 1), copy(1, 2), copy(2, 3)), T0)
        ledger.annotations.append([event(1, task_id="copy-1", annotator=ANN, updated_by=ANN, seconds=60)])
        old = event(2, EventKind.SKIPPED, -60, task_id="copy-3", annotator=ANN, updated_by=ANN)
        ledger.annotations.append([replace(old, kind=EventKind.INVALID)])
        ann, bob = floor(ledger).desks
        assert (ann.spent, ann.waiting, ann.open_tasks, ann.last_position) == (2.0, 2.0, 1, 3)
        assert ann.rows == {"hate": (2.0, 2.0)}
        assert (bob.spent, bob.waiting, bob.rows, bob.met) == (0.0, 0.0, {}, frozenset())
        assert ("hate", "item-000000") in ann.met
        assert ("hate", "group-0") in ann.met
        assert ledger.desks.units_since(T0) == {ANN: 2.0}
        assert ledger.desks.units_since(at(3600)) == {}
        assert ledger.desks.looks_of(f" {ANN.upper()} ", T0) == [("copy-1", at(60), 2.0)]
        assert ledger.desks.looks_of(ANN, at(61)) == ledger.desks.looks_of(BOB, T0) == []

    def test_two_who_hand_out_at_once_do_so_in_turn(self, ledger: Ledger) -> None:
        at_work(ledger, ANN)

        def plan(found: Floor) -> Handout:
            start = found.desks[0].last_position
            return handed(*(copy(n, start + 1 + n) for n in range(3) if not found.desks[0].last_position))

        def hand_out(_: int) -> None:
            ledger.desks.assign(plan, T0)

        together(hand_out)
        assert len(ledger.tasks.where(kind=TaskKind.COPY)) == 3

    def test_what_nobody_will_answer_is_taken_back(self, ledger: Ledger) -> None:
        at_work(ledger, ANN, BOB)
        ledger.desks.assign(lambda _: handed(copy(0, 1), copy(1, 2), copy(0, 3, BOB), copy(1, 4, BOB)), T0)
        ledger.annotations.append(
            [
                event(1, task_id="copy-1", annotator=ANN, updated_by=ANN),
                event(2, EventKind.SKIPPED, task_id="copy-3", annotator=BOB, updated_by=BOB),
                event(3, EventKind.SKIPPED, task_id="copy-4", annotator=ANN, updated_by=ANN),  # not hers to skip
            ]
        )
        ledger.people.change(ANN, {"active": False}, "lead")
        assert ledger.desks.assign(lambda _: Handout(), T0).released == 2
        states = {each.task_id: each.state for each in ledger.tasks.where(kind=TaskKind.COPY)}
        gone = {name for name, state in states.items() if state is TaskState.WITHDRAWN}
        assert gone == {"copy-2", "copy-3"}
        assert {q.task.task_id: q.have for q in floor(ledger).questions}["task-000000"] == 1
        assert [desk.person.email for desk in floor(ledger).desks] == [BOB]

    def test_a_withdrawn_question_takes_its_copies_back_and_one_sent_elsewhere_gets_none(self, ledger: Ledger) -> None:
        at_work(ledger, ANN)
        ledger.desks.assign(lambda _: handed(copy(0, 1)), T0)
        ledger.tasks.set_state(["task-000000"], TaskState.WITHDRAWN)
        imported = task(9, item_id="item-000001", state=TaskState.SENT)  # answered in another tool
        ledger.tasks.add([imported])
        assert ledger.desks.assign(lambda _: Handout(), T0).released == 1
        assert ledger.tasks.get("copy-1").state is TaskState.WITHDRAWN
        assert [q.task.task_id for q in floor(ledger).questions] == ["task-000001", "task-000002"]

    def test_a_question_is_answered_by_its_copies(self, ledger: Ledger) -> None:
        at_work(ledger, ANN, BOB)
        ledger.desks.assign(lambda _: handed(copy(0, 1), copy(0, 2, BOB), copy(1, 3)), T0)
        root = "task-000000"
        mine = event(7, task_id="copy-1", annotator=ANN, updated_by=ANN)
        theirs = event(7, task_id="copy-2", annotator=BOB, updated_by=BOB, answer=NO)  # a server that counted anew
        foreign = event(8, task_id="copy-2", annotator=BOB, updated_by=ANN, answer=YES, seconds=9)
        broken = event(
            9, EventKind.INVALID, task_id="copy-2", annotator="eve@example.org", updated_by="eve@example.org"
        )
        ledger.annotations.append([mine, theirs, foreign, broken])
        live = ledger.annotations.current([root, "copy-2", "task-000001"])
        assert [(a.task_id, a.annotator, a.answer) for a in live[root]] == [("copy-1", ANN, YES), ("copy-2", BOB, NO)]
        assert [a.annotator for a in live["copy-2"]] == [BOB]
        assert live["task-000001"] == []
        assert [e.studio_annotation_id for e in ledger.annotations.events(root)] == [7, 7, 8, 9]
        assert [e.studio_annotation_id for e in ledger.annotations.events("copy-1")] == [7]
        assert ledger.annotations.invalid([root]) == []
        assert [(e.task_id, e.studio_annotation_id) for e in ledger.annotations.strangers([root])] == [("copy-2", 8)]
        for state, counted in ((TaskState.QUARANTINED, 1), (TaskState.WITHDRAWN, 1)):
            ledger.tasks.set_state(["copy-1"], state)
            assert len(ledger.annotations.current([root])[root]) == counted

    def test_folding_a_question_settles_its_copies(self, ledger: Ledger) -> None:
        at_work(ledger, ANN, BOB)
        ledger.desks.assign(lambda _: handed(copy(1, 1), copy(1, 2, BOB)), T0)
        ledger.tasks.set_state(["copy-2"], TaskState.WITHDRAWN)
        assert ledger.golden.fold(adjudication(1), golden(1))
        assert ledger.tasks.get("task-000001").state is TaskState.SETTLED
        states = [each.state for each in ledger.tasks.where(kind=TaskKind.COPY)]
        assert states == [TaskState.SETTLED, TaskState.WITHDRAWN]

    def test_one_more_is_asked_about_what_is_sent(self, ledger: Ledger) -> None:
        at_work(ledger, ANN)
        ledger.desks.assign(lambda _: handed(copy(0, 1)), T0)
        ledger.tasks.widen(["task-000000", "task-000001"])
        found = {each.task_id: (each.overlap, each.extra) for each in ledger.tasks.where(kind=TaskKind.BLIND)}
        assert (found["task-000000"], found["task-000001"]) == ((3, 1), (2, 0))

    def test_nobody_meets_an_injected_item_twice(self, ledger: Ledger) -> None:
        at_work(ledger, ANN)
        injected = [
            replace(copy(n, n), task_id=f"injection-{n}", kind=TaskKind.INJECTION, parent_task_id=None,
                    item_id="item-000002") for n in (1, 2)
        ]  # fmt: skip
        ledger.desks.assign(lambda _: Handout((injected[0],)), T0)
        ledger.desks.assign(lambda _: Handout((injected[1],)), T0)
        assert [each.task_id for each in ledger.tasks.where(kind=TaskKind.INJECTION)] == ["injection-1"]
        assert ledger.tasks.counts("round-1") == {"queued": 3}
        assert floor(ledger).desks[0].last_position == 1
