"""Work done by other threads while the caller goes on: bounded, in order, and over when the caller is."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from itertools import chain, islice
from threading import Event, Lock
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")
BEAT_S = 0.1  # how often the caller's thread is heard while others work


def ahead(work: Callable[[T], R], items: Iterable[T], depth: int = 1) -> Generator[R]:
    """``work`` of each item, in order; while the caller handles one, a thread of its own does the next ``depth``.

    An exception of ``work`` comes up in the caller when its turn comes. Close the iterator (or use it up) to end the
    thread: what was not begun is dropped, what runs is waited for. A single item, or a depth of 0, starts no thread.
    """
    source = iter(items)
    first = list(islice(source, depth + 1))
    if len(first) <= 1:
        yield from map(work, chain(first, source))
        return
    pool = ThreadPoolExecutor(1, thread_name_prefix="goldfold-ahead")
    try:
        waiting: deque[Future[R]] = deque(pool.submit(work, item) for item in first)
        while waiting:
            done = waiting.popleft().result()
            waiting.extend(pool.submit(work, item) for item in islice(source, 1))
            yield done
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def share(
    work: Callable[[T, int], None],
    items: Iterator[T],
    workers: int,
    finish: Callable[[int], None],
    beat: Callable[[], None],
    stop: Event,
) -> None:
    """``work(item, worker)`` of every item, each by whichever of ``workers`` threads is free, then ``finish(worker)``.

    ``beat`` is called in the caller's thread all along. The first exception, of a thread or of ``beat``, sets
    ``stop``, so that the others take no more items, and is raised here; no thread is left when this returns.
    """
    turn = Lock()

    def loop(worker: int) -> None:
        while not stop.is_set():
            with turn:
                taken = list(islice(items, 1))
            if not taken:
                finish(worker)
                return
            work(taken[0], worker)

    with ThreadPoolExecutor(workers, thread_name_prefix="goldfold-device") as pool:
        try:
            _attend([pool.submit(loop, worker) for worker in range(workers)], beat)
        finally:
            stop.set()


def _attend(running: Sequence[Future[None]], beat: Callable[[], None]) -> None:
    left = set(running)
    while left:
        done, left = wait(left, timeout=BEAT_S, return_when=FIRST_EXCEPTION)
        for future in done:
            future.result()
        beat()
