"""Figures that take longer than a page may: kept, shown with the time they are of, and computed anew behind the scenes.

A page asks for a figure by name. What is there is shown at once; where it is older than ``FRESH_S``, and than ``REST``
times what it took, it is computed again meanwhile, and the next look shows that. What was never computed is waited for
a moment, and then said to be on its way.
Whatever somebody changes makes all of them out of date. Quick ones are forgotten; of dear ones, which took ``DEAR_S``
or more, the last is shown as ``late`` until it is made anew, which begins at the next look.
Nothing here outlives the process: every figure can be computed anew from the ledger and the lake.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from api.errors import ROOTS

FRESH_S = 60.0
REST = 10.0  # times what a figure took: it stays fresh so long at least, or a large site would compute without end
WAIT_S = 2.0  # for a figure that nobody has seen yet
DEAR_S = 1.0
MOST = 256  # figures kept
WORKERS = 2

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Kept(Generic[T]):
    """A figure as it was ``at`` (UTC). ``value`` None: on its way, or, where ``error`` says so, not to be had.
    ``late``: something was changed since it was begun."""

    value: T | None
    at: datetime | None = None
    error: Exception | None = None
    late: bool = False

    @property
    def pending(self) -> bool:
        return self.value is None and self.error is None


@dataclass(slots=True)
class _Entry:
    kept: Kept[Any]
    made_s: float  # when it was begun
    fresh_s: float = FRESH_S
    took_s: float = 0.0
    changes: int = 0  # that had been made when it was begun
    running: Future[None] | None = None
    asked_s: float = 0.0  # when ``running`` was asked for

    def cost_s(self, now_s: float) -> float:
        """How long it took, or takes at this moment."""
        under_way = self.running is not None and not self.running.done()
        return max(self.took_s, now_s - self.asked_s if under_way else 0.0)


class Answers:
    """Kept figures of one process. Safe for threads; close it once. ``dear_s``: what takes so long is dear."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, dear_s: float = DEAR_S) -> None:
        self._clock = clock
        self.dear_s = dear_s
        self._lock = threading.Lock()
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._changes = 0
        self._workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="goldfold-console")

    def of(self, name: Hashable, compute: Callable[[], T], wait_s: float = WAIT_S) -> Kept[T]:
        """The figure of that name; ``compute`` makes it. A failure that is no error of ours is raised to who waits."""
        with self._lock:
            entry = self._entries.setdefault(name, _Entry(Kept(None), float("-inf")))
            self._entries.move_to_end(name)
            while len(self._entries) > MOST:
                self._entries.popitem(last=False)
            now_s = self._clock()
            stale = entry.changes != self._changes or now_s - entry.made_s > entry.fresh_s
            if stale and (entry.running is None or entry.running.done()):
                entry.asked_s = now_s
                entry.running = self._workers.submit(self._make, entry, compute)
            running = entry.running
        if entry.kept.pending and running is not None:
            done, _ = wait_for([running], timeout=wait_s)
            if done:
                running.result()
        with self._lock:
            late = entry.kept.value is not None and entry.changes != self._changes
            return replace(entry.kept, late=True) if late else entry.kept

    def forget(self) -> None:
        """Something changed: nothing that was begun before is fresh any more."""
        with self._lock:
            self._changes += 1
            now_s = self._clock()
            for name, entry in list(self._entries.items()):
                if entry.kept.error is not None or entry.cost_s(now_s) < self.dear_s:
                    del self._entries[name]

    def close(self) -> None:
        """Compute nothing any more; what runs is waited for."""
        self._workers.shutdown(cancel_futures=True)

    def _make(self, entry: _Entry, compute: Callable[[], object]) -> None:
        with self._lock:
            changes = self._changes
        began_s, at = self._clock(), datetime.now(UTC)
        try:
            kept = Kept(compute(), at)
        except ROOTS as error:
            kept = Kept(None, at, error)
        took_s = self._clock() - began_s
        with self._lock:
            entry.kept, entry.made_s, entry.changes = kept, began_s, changes
            entry.took_s, entry.fresh_s = took_s, max(FRESH_S, REST * took_s)
