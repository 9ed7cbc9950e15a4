from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import count

import pytest

from api.console.kept import DEAR_S, FRESH_S, MOST, REST, Answers
from labeling.errors import NothingToDo


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def answers(clock: Clock) -> Iterator[Answers]:
    made = Answers(clock)
    yield made
    made.close()


def test_a_figure_is_computed_once_while_it_is_fresh(answers: Answers, clock: Clock) -> None:
    numbers = count(1)
    first = answers.of("n", lambda: next(numbers))
    assert (first.value, first.pending) == (1, False)
    clock.now_s = FRESH_S
    assert answers.of("n", lambda: next(numbers)).value == 1


def test_a_stale_figure_is_shown_while_the_new_one_is_made(answers: Answers, clock: Clock) -> None:
    assert answers.of("n", lambda: "old").value == "old"
    clock.now_s = FRESH_S + 1
    go, made = threading.Event(), threading.Event()

    def slow() -> str:
        go.wait(20)
        made.set()
        return "new"

    assert answers.of("n", slow).value == "old"
    assert answers.of("n", slow).value == "old"  # and is not made twice
    go.set()
    assert made.wait(20)
    while answers.of("n", slow).value != "new":
        pass


def test_what_took_long_stays_fresh_in_proportion(answers: Answers, clock: Clock) -> None:
    numbers = count(1)

    def slow() -> int:
        clock.now_s += 180
        return next(numbers)

    assert answers.of("n", slow).value == 1
    clock.now_s += 180 * REST - 181
    assert answers.of("n", slow).value == 1
    clock.now_s += 2
    while answers.of("n", slow).value != 2:
        pass


def test_what_takes_long_is_said_to_be_on_its_way(answers: Answers) -> None:
    go = threading.Event()
    kept = answers.of("n", lambda: go.wait(20), wait_s=0.05)
    assert (kept.value, kept.pending, kept.at) == (None, True, None)
    go.set()
    assert answers.of("n", lambda: go.wait(20), wait_s=20).value is True


def test_what_cannot_be_had_says_why(answers: Answers) -> None:
    def none() -> str:
        raise NothingToDo("no round is closed yet")

    kept = answers.of("n", none)
    assert (kept.value, kept.pending, str(kept.error)) == (None, False, "no round is closed yet")


def test_a_fault_of_ours_is_raised_to_who_waits(answers: Answers) -> None:
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            answers.of("n", lambda: 1 / 0)


def test_what_changed_is_forgotten_even_where_it_is_under_way(answers: Answers) -> None:
    go = threading.Event()
    answers.of("n", lambda: "before" if go.wait(20) else "", wait_s=0.05)
    answers.forget()
    go.set()
    assert answers.of("n", lambda: "after", wait_s=20).value == "after"


def _dear(clock: Clock, value: object) -> object:
    """Takes a while."""
    clock.now_s += DEAR_S
    return value


def test_after_a_change_what_is_dear_is_shown_late_and_made_anew(answers: Answers, clock: Clock) -> None:
    assert answers.of("dear", lambda: _dear(clock, "old")).value == "old"
    assert answers.of("quick", lambda: "old").value == "old"
    answers.forget()
    go = threading.Event()
    shown = answers.of("dear", lambda: _dear(clock, "new") if go.wait(20) else "")
    assert (shown.value, shown.late, shown.at is not None) == ("old", True, True)
    assert answers.of("quick", lambda: "new").value == "new"
    go.set()
    while (shown := answers.of("dear", lambda: "never")).late:
        pass
    assert (shown.value, shown.late) == ("new", False)


def test_what_was_begun_before_a_change_is_not_fresh(answers: Answers, clock: Clock) -> None:
    go = threading.Event()
    begun = answers.of("n", lambda: "before" if go.wait(20) else "", wait_s=0.05)
    assert begun.pending
    clock.now_s += DEAR_S  # it takes long: it is not begun again with each change, or it would never be there
    answers.forget()
    go.set()
    shown = answers.of("n", lambda: "after", wait_s=20)
    assert (shown.value, shown.late) == ("before", True)
    while (shown := answers.of("n", lambda: "after")).late:
        pass
    assert shown.value == "after"


def test_why_a_figure_cannot_be_had_is_forgotten_however_dear(answers: Answers, clock: Clock) -> None:
    def none() -> str:
        _dear(clock, "")
        raise NothingToDo("no round is closed yet")

    assert answers.of("n", none).error is not None
    answers.forget()
    assert answers.of("n", lambda: "there").value == "there"


def test_no_more_than_so_many_are_kept(answers: Answers) -> None:
    for number in range(MOST + 5):
        answers.of(number, lambda number=number: number + 1)  # type: ignore[misc]
    assert answers.of(0, lambda: "again").value == "again"
    assert answers.of(MOST + 4, lambda: 0).value == MOST + 5
