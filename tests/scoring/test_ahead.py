from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from threading import Event

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.ahead import ahead, share


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    before = threading.active_count()
    yield
    assert threading.active_count() == before


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(), max_size=20), st.integers(0, 3))
def test_results_come_in_order(items: list[int], depth: int) -> None:
    assert list(ahead(lambda item: item * 2, items, depth)) == [item * 2 for item in items]


def test_no_more_than_the_depth_is_done_ahead() -> None:
    begun: list[int] = []
    for taken, _result in enumerate(ahead(begun.append, range(20), 2), 1):
        assert len(begun) <= taken + 2


def test_another_thread_works_while_the_caller_holds_a_result() -> None:
    second = Event()

    def work(item: int) -> int:
        if item == 1:
            second.set()
        return item

    with closing(ahead(work, range(3))) as results:
        next(results)
        assert second.wait(10)


def test_a_single_item_needs_no_thread() -> None:
    assert list(ahead(lambda _item: threading.current_thread(), ["one"])) == [threading.current_thread()]


def test_an_error_comes_up_when_its_turn_comes() -> None:
    results = ahead(lambda item: 6 // item, [3, 2, 0, 1])
    assert [next(results), next(results)] == [2, 3]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_closing_drops_what_was_not_begun() -> None:
    begun: list[int] = []
    with closing(ahead(begun.append, range(100))) as results:
        next(results)
    assert len(begun) < 100


def nothing(*_args: object) -> None:
    pass


def test_every_item_is_shared_out_once_and_each_worker_finishes() -> None:
    done: list[tuple[int, int]] = []
    finished: list[int] = []
    share(lambda item, worker: done.append((item, worker)), iter(range(50)), 3, finished.append, nothing, Event())
    assert sorted(item for item, _worker in done) == list(range(50))
    assert {worker for _item, worker in done} <= {0, 1, 2}
    assert sorted(finished) == [0, 1, 2]


def test_workers_work_side_by_side() -> None:
    meeting = threading.Barrier(3, timeout=10)

    def meet(_item: int, _worker: int) -> None:
        meeting.wait()

    share(meet, iter(range(3)), 3, nothing, nothing, Event())


def test_an_error_of_one_worker_stops_all() -> None:
    stop = Event()
    done: list[int] = []

    def work(item: int, _worker: int) -> None:
        if item == 5:
            raise KeyError("five")
        done.append(item)
        stop.wait(0.001)

    with pytest.raises(KeyError, match="five"):
        share(work, iter(range(100_000)), 2, nothing, nothing, stop)
    assert stop.is_set()
    assert len(done) < 100_000


def test_an_error_of_the_caller_stops_the_workers() -> None:
    stop = Event()

    def interrupted() -> None:
        raise KeyboardInterrupt

    def work(_item: int, _worker: int) -> None:
        stop.wait(0.01)

    with pytest.raises(KeyboardInterrupt):
        share(work, iter(range(100_000)), 2, nothing, interrupted, stop)
