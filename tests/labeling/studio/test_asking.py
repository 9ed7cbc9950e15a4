from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from labeling.records import AnnotationEvent, Task, TaskKind, TaskState
from labeling.studio.asking import wanted
from labeling.studio.events import read_events
from labeling.studio.label_config import build_result
from labeling.studio.payload import EDITED
from labeling.studio.wire import StudioAnnotation, StudioTask
from tests.labeling.studio.build import ALLOWED, make_policy

POLICY = make_policy()
START = datetime(2026, 1, 1, tzinfo=UTC)
PEOPLE = {n: f"p{n}@goldfold.example" for n in range(1, 6)}
TASK = Task(
    "t", TaskKind.BLIND, "r", "i", POLICY.id, "1.0.0", "x", "h", 2, TaskState.SENT, 1, 5, None, "", START, START
)


def answered(number: int, person: int, at: int) -> StudioAnnotation:
    when = START + timedelta(seconds=at)
    return StudioAnnotation(number, person, person, False, build_result(ALLOWED), None, when, when)


def screen(*annotations: StudioAnnotation, made: int = 0) -> list[StudioTask]:
    last = max((each.updated_at for each in annotations), default=START + timedelta(seconds=made))
    return [StudioTask(5, 1, {}, 2, last, annotations, created_at=START + timedelta(seconds=made))]


def after(there: list[StudioTask], history: list[AnnotationEvent], fault: str = "") -> list[AnnotationEvent]:
    return [*history, *read_events("t", there, history, POLICY, PEOPLE, fault)]


def test_a_screen_that_was_never_lost_asks_the_tasks_overlap() -> None:
    for shown in ([], [answered(1, 1, 1)], [answered(1, 1, 1), answered(2, 2, 2), answered(3, 3, 3)]):
        there = screen(*shown)
        assert wanted(TASK, there, after(there, [])) == 2


def test_an_answer_kept_from_an_earlier_screen_is_one_less_to_ask_for() -> None:
    history = after(screen(answered(1, 1, 1)), [])
    anew = screen(made=10)
    assert wanted(TASK, anew, history) == 1
    other = screen(answered(1, 2, 11), made=10)
    assert wanted(TASK, other, after(other, history)) == 1
    same = screen(answered(1, 1, 11), made=10)
    assert wanted(TASK, same, after(same, history)) == 2


def test_answers_to_edited_content_take_up_nobodys_place() -> None:
    there = screen(answered(1, 1, 1), answered(2, 2, 2))
    assert wanted(TASK, there, after(there, [], f"data.text {EDITED}")) == 4


def test_somebody_else_at_a_desk_takes_up_nobodys_place() -> None:
    desk = replace(TASK, kind=TaskKind.COPY, overlap=1, assignee=PEOPLE[1])
    there = screen(answered(1, 2, 1))
    assert wanted(desk, there, after(there, [])) == 2
    there = screen(answered(1, 1, 1))
    assert wanted(desk, there, after(there, [])) == 1
