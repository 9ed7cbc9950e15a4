from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.records import AnnotationEvent, EventKind, Origin
from labeling.store.annotations import live
from labeling.studio.events import LIFE, earlier, live_ids, origin_of, outlived, read_events, taken_back
from labeling.studio.label_config import build_result
from labeling.studio.wire import StudioAnnotation, StudioTask
from tests.labeling.studio.build import ALLOWED, VIOLATES, make_policy

POLICY = make_policy()
PEOPLE = {1: "one@goldfold.example", 2: "two@goldfold.example"}
START = datetime(2026, 1, 1, tzinfo=UTC)


def annotation(
    number: int, at: int, *, skipped: bool = False, junk: bool = False, person: int = 1, made: int | None = None
) -> StudioAnnotation:
    result: object = [{"from_name": "?"}] if junk else build_result(VIOLATES)
    created = None if made is None else after(made)
    return StudioAnnotation(number, person, person, skipped, result, 2.0, after(at), created)


def after(seconds: int) -> datetime:
    return START + timedelta(seconds=seconds)


def shown(*annotations: StudioAnnotation, at: int, made: int | None = None) -> list[StudioTask]:
    data = {"text": "x", "task_id": "t"}
    return [StudioTask(5, 1, data, 2, after(at), annotations, created_at=None if made is None else after(made))]


def seen(there: list[StudioTask], history: Sequence[AnnotationEvent] = (), fault: str = "") -> list[AnnotationEvent]:
    return read_events("t", there, history, POLICY, PEOPLE, fault)


def test_an_answers_life() -> None:
    history: list[AnnotationEvent] = []
    for there in (
        shown(annotation(7, 1), at=1),
        shown(annotation(7, 2), at=2),
        shown(annotation(7, 3, skipped=True), at=3),
        shown(annotation(7, 4, junk=True), at=4),
        shown(at=5),
        shown(annotation(7, 6, person=2), at=6),  # its number was given again
    ):
        history += seen(there, history)
        assert seen(there, history) == []
    assert [(event.kind.value, event.annotator) for event in history] == [
        ("created", PEOPLE[1]),
        ("updated", PEOPLE[1]),
        ("skipped", PEOPLE[1]),
        ("invalid", PEOPLE[1]),
        ("deleted", PEOPLE[1]),
        ("created", PEOPLE[2]),
    ]
    assert [event.answer for event in history] == [VIOLATES, VIOLATES, None, None, None, VIOLATES]
    assert "not a control" in history[3].detail
    assert [each.answer for each in live(history)] == [VIOLATES]


def test_edited_content_makes_answers_invalid_but_keeps_skips() -> None:
    events = seen(shown(annotation(7, 1), annotation(8, 1, skipped=True), at=1), fault="data.text was edited")
    assert [(event.kind, event.detail) for event in events] == [
        (EventKind.INVALID, "data.text was edited"),
        (EventKind.SKIPPED, ""),
    ]


def test_a_deleted_account_keeps_a_name() -> None:
    unknown = StudioAnnotation(7, 9, None, False, build_result(ALLOWED), None, START)
    [event] = seen(shown(unknown, at=1))
    assert (event.annotator, event.updated_by) == ("user-9", "")


def test_an_end_is_later_than_what_it_ends() -> None:
    history = seen(shown(annotation(7, 9), at=9))
    [event] = taken_back(shown(at=9), history)
    assert event.studio_updated_at > history[0].studio_updated_at
    assert live([*history, event]) == []


def test_what_was_given_to_an_earlier_screen_stays() -> None:
    """Made anew, the task is younger than the answer; its new answers may have the old one's number."""
    history = seen(shown(annotation(7, 5, made=5), at=5, made=1))
    anew = shown(at=20, made=20)
    assert seen(anew, history) == []
    assert earlier(anew, history) == history
    anew = shown(annotation(7, 30, made=30, person=2), at=30, made=20)
    history += seen(anew, history)
    assert seen(anew, history) == []
    assert [(each.annotator, each.studio_annotation_id) for each in live(history)] == [
        (PEOPLE[1], 7),
        (PEOPLE[2], 7 + LIFE),
    ]
    history += seen(shown(at=40, made=20), history)
    assert [each.annotator for each in live(history)] == [PEOPLE[1]]


def test_an_edit_is_no_other_annotation() -> None:
    history = seen(shown(annotation(7, 5, made=5), at=5, made=1))
    [event] = seen(shown(annotation(7, 9, made=5), at=9, made=1), history)
    assert (event.kind, event.studio_annotation_id) == (EventKind.UPDATED, 7)


def test_a_server_that_went_back_in_time_takes_nothing_back() -> None:
    history = seen(shown(annotation(7, 5, made=5), annotation(8, 9, made=9, person=2), at=9, made=1))
    back = shown(annotation(7, 5, made=5), at=5, made=1)
    assert seen(back, history) == []
    assert [event.studio_annotation_id for event in outlived(back, history)] == [8]
    assert [each.studio_annotation_id for each in live(history)] == [7, 8]
    again = shown(annotation(7, 5, made=5), annotation(8, 30, made=30, person=2), at=30, made=1)
    history += seen(again, history)
    assert [each.studio_annotation_id for each in live(history)] == [7, 8 + LIFE]


def test_an_older_form_of_an_answer_does_not_count_again() -> None:
    history = seen(shown(annotation(7, 5, made=5), at=5, made=1))
    history += seen(shown(annotation(7, 9, made=5, junk=True), at=9, made=1), history)
    back = shown(annotation(7, 5, made=5), at=5, made=1)
    history += [event for event in seen(back, history) if event not in history]
    assert live(history) == []
    assert [event.kind for event in outlived(back, history)] == [EventKind.INVALID]


SCREENS = st.lists(st.lists(st.sets(st.integers(1, 4), max_size=4), min_size=1, max_size=4), min_size=1, max_size=4)


@given(SCREENS)
@settings(deadline=None)
def test_however_often_the_screen_is_lost_no_answer_is(screens: list[list[set[int]]]) -> None:
    """Each screen counts from 1 and shows, step by step, the answers of some people; people take answers back only from
    the screen they gave them to. What stands last on each screen stands in the ledger."""
    history: list[AnnotationEvent] = []
    kept: set[int] = set()
    clock = 0
    for screen in screens:
        clock, made = clock + 10, clock + 10
        there: dict[int, StudioAnnotation] = {}
        given: dict[int, int] = {}
        for step in screen:
            clock += 1
            for person in step - set(given):
                given[person] = len(there) + 1
                there[person] = annotation(max((a.annotation_id for a in there.values()), default=0) + 1, clock,
                                           made=clock, person=person)  # fmt: skip
            for person in set(given) - step:
                del given[person], there[person]
            now = shown(*there.values(), at=clock, made=made)
            history += seen(now, history)
            assert seen(now, history) == []
        kept |= set(given)
    assert {each.updated_by for each in live(history)} == {PEOPLE.get(n, f"user-{n}") for n in kept}


STEPS = st.lists(st.dictionaries(st.integers(1, 3), st.sampled_from(["same", "edit", "skip", "junk"])), max_size=8)


@given(STEPS)
@settings(deadline=None)
def test_whatever_happens_the_ledger_ends_up_as_the_server(steps: list[dict[int, str]]) -> None:
    """Replay is a no-op, and the live answers are those that the server shows last."""
    history: list[AnnotationEvent] = []
    stamps: dict[int, StudioAnnotation] = {}
    for at, step in enumerate(steps, start=1):
        stamps = {
            number: stamps[number]
            if how == "same" and number in stamps
            else annotation(number, at, skipped=how == "skip", junk=how == "junk", person=number)
            for number, how in step.items()
        }
        there = shown(*stamps.values(), at=at)
        history += seen(there, history)
        assert seen(there, history) == []
    valid = {n for n, each in stamps.items() if not each.skipped and each.result == build_result(VIOLATES)}
    assert {each.studio_annotation_id for each in live(history)} == valid
    assert live_ids(history) == set(stamps)


@pytest.mark.parametrize(
    ("origins", "suggested", "expected"),
    [
        (["prediction"], True, Origin.TAKEN),
        (["prediction", "manual"], True, Origin.TAKEN),
        (["prediction-changed", "prediction"], True, Origin.CHANGED),
        (["manual"], True, Origin.ANEW),
        (["manual"], False, Origin.ANEW),
        ([None], True, Origin.ANEW),
        ([None], False, Origin.UNKNOWN),
        ([], False, Origin.UNKNOWN),
    ],
)
def test_the_origin_is_that_of_the_controls(origins: Sequence[str | None], suggested: bool, expected: Origin) -> None:
    result = [{"from_name": "outcome", **({"origin": origin} if origin else {})} for origin in origins]
    assert origin_of(replace(annotation(7, 1), result=result, suggested=suggested)) is expected


@pytest.mark.parametrize("result", [None, "prediction", [None, "prediction"], {"origin": "prediction"}])
def test_a_result_that_is_none_has_no_origin(result: object) -> None:
    assert origin_of(replace(annotation(7, 1), result=result)) is Origin.UNKNOWN
