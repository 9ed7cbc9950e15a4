"""The micro-batching queue of online scoring: callers on the event loop, one thread that owns the model.

What waits while a batch runs becomes the next batch; an idle worker starts at once. Every caller gets a verdict or an
error by its deadline, whatever becomes of the worker.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic

import structlog

from api.errors import ROOTS, BatchFailed, DeadlinePassed, QueueFull, ScorerDown, ScorerLoading
from api.online.figures import Figures, Outcome
from api.online.halves import crashed, score_batch
from api.online.pace import Pace
from api.online.tickets import J, Line, Row, Ticket, Verdict, cost_of
from scoring.errors import DeviceError

FIRST_TOKENS = 256  # of the first batch, whose pace is not known yet
LOADING_RETRY_S = 5
DOWN_RETRY_S = 1
STALLED_S = 300.0  # no batch takes so long; loading a model may
PRELOAD_S = 3600.0
WARM_UP = "a text to load everything with"
FAILED = "the scorer failed on this request; the service's log says why"
OUTCOMES: dict[type[BaseException], Outcome] = {
    QueueFull: Outcome.REJECTED,
    DeadlinePassed: Outcome.LATE,
    ScorerDown: Outcome.UNAVAILABLE,
    ScorerLoading: Outcome.UNAVAILABLE,
    DeviceError: Outcome.UNAVAILABLE,
    asyncio.CancelledError: Outcome.GONE,
}

Flight = list[tuple[Ticket[J], int]]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """``queue_items``: texts that may wait in all; ``queue_s``: seconds of work that may lie before a newcomer;
    ``batch_s``: seconds that a batch may take; ``max_tokens``: what the model reads of a text."""

    queue_items: int
    queue_s: float
    batch_s: float
    max_tokens: int


class MicroBatcher(Generic[J]):
    """``source`` gives the judge of the next batch; it is called on the worker's thread and may take long the first
    time. The worker starts with the first request, and again with the next one after it died."""

    def __init__(self, source: Callable[[], J], limits: Limits, figures: Figures | None = None) -> None:
        self.figures = figures or Figures()
        self._source = source
        self._limits = limits
        self._changed = threading.Condition()  # guards everything below
        self._line: Line[J] = Line()
        self._flight: Flight[J] = []
        self._took_off_s = 0.0
        self._pace = Pace()
        self._worker: threading.Thread | None = None
        self._loaded = False
        self._broken: str | None = None
        self._closing = False

    async def score(self, texts: Sequence[str], deadline_s: float) -> Verdict[J]:
        """A row for each text, within ``deadline_s`` seconds. A caller that is cancelled leaves the queue.

        Raises QueueFull, DeadlinePassed, ScorerLoading, ScorerDown, DeviceError, BatchFailed, and whatever error of a
        room the scorer raises.
        """
        began_s, outcome = time.monotonic(), Outcome.SCORED
        try:
            return await self._wait(texts, deadline_s)
        except BaseException as error:
            outcome = OUTCOMES.get(type(error), Outcome.FAILED)
            raise
        finally:
            self.figures.ended(outcome, time.monotonic() - began_s)

    def turn_away(self) -> QueueFull | None:
        """The refusal, counted, that any request would meet now, however small it is; None when there is room."""
        with self._changed:
            refusal = self._refusal(1, math.inf)
        if refusal is not None:
            self.figures.ended(Outcome.REJECTED, 0.0)
        return refusal

    def preload(self) -> None:
        """Load the model and score a first text, in the background; a failure is logged, and met again by the first
        request."""
        self._admit((WARM_UP,), PRELOAD_S)

    def check(self) -> None:
        """Raises DeviceError after the accelerator broke, ScorerDown when the worker does not come back from a batch.
        A model that is not loaded, or cannot be, is no failure of the service."""
        with self._changed:
            if self._broken is not None:
                raise DeviceError(self._broken)
            if self._flight and self._loaded and time.monotonic() - self._took_off_s > STALLED_S:
                raise ScorerDown(f"the scorer has been at one batch for over {STALLED_S:g} s; start the service again")

    def close(self, drain_s: float) -> None:
        """Take nothing more, finish what waits within ``drain_s`` seconds, and fail the rest."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            worker = self._worker
        if worker is not None:
            worker.join(drain_s)
        with self._changed:
            self._fail_all(ScorerDown("the service is ending", DOWN_RETRY_S))

    async def _wait(self, texts: Sequence[str], deadline_s: float) -> Verdict[J]:
        ticket = self._admit(texts, deadline_s)
        try:
            async with asyncio.timeout(max(0.0, deadline_s)):
                return await asyncio.wrap_future(ticket.future)
        except TimeoutError:
            raise self._late() from None
        finally:
            with self._changed:
                self._line.leave(ticket)
                self._show()

    def _late(self) -> DeadlinePassed | ScorerLoading:
        if self._loaded:
            return DeadlinePassed("the deadline passed before all was scored; send fewer items or a longer deadline_ms")
        return ScorerLoading("the scorer is being loaded; send the request again later", LOADING_RETRY_S)

    def _admit(self, texts: Sequence[str], deadline_s: float) -> Ticket[J]:
        costs = [cost_of(text, self._limits.max_tokens) for text in texts]
        with self._changed:
            if self._broken is not None:
                raise DeviceError(self._broken)
            if self._closing:
                raise ScorerDown("the service is ending", DOWN_RETRY_S)
            refusal = self._refusal(len(texts), deadline_s)
            if refusal is not None:
                raise refusal
            self._ensure_worker()
            ticket: Ticket[J] = Ticket(texts, costs, time.monotonic() + deadline_s)
            self._line.join(ticket)
            self._show()
            self._changed.notify_all()
        return ticket

    def _refusal(self, items: int, deadline_s: float) -> QueueFull | None:
        """Nobody is refused while nothing waits: however slow the scorer seemed, the next batch will tell."""
        if not len(self._line):
            return None
        flying = sum(ticket.costs[position] for ticket, position in self._flight)
        ahead_s = self._pace.seconds(self._line.ahead(items) + flying)
        if self._line.items + items <= self._limits.queue_items and ahead_s <= min(self._limits.queue_s, deadline_s):
            return None
        drained_s = max(1, math.ceil(self._pace.seconds(self._line.tokens + flying)))
        return QueueFull(
            f"the scorer has more to do than it can in time; send the request again in {drained_s} s", drained_s
        )

    def _ensure_worker(self) -> None:
        if self._worker is None or not self._worker.is_alive():
            self._flight = []
            self._worker = threading.Thread(target=self._run, name="goldfold-online", daemon=True)
            self._worker.start()

    def _show(self) -> None:
        self.figures.queue_items.set(self._line.items)

    def _run(self) -> None:
        """The worker's life."""
        try:
            while flight := self._take_off():
                self._fly(flight)
        except BaseException as error:  # whatever ends this thread, nobody may go on waiting for it
            self.figures.died()
            with self._changed:
                self._worker = None
                self._fail_all(ScorerDown("the scorer's worker died and is started again", DOWN_RETRY_S))
            log.exception("the online worker died", error=type(error).__name__)

    def _take_off(self) -> Flight[J]:
        """Wait for the next batch; empty when there will be none."""
        with self._changed:
            while not self._flight:
                self._changed.wait_for(lambda: len(self._line) or self._closing)
                if not len(self._line):
                    break
                most = self._pace.tokens(self._limits.batch_s, FIRST_TOKENS)
                self._took_off_s = time.monotonic()
                self._flight, late = self._line.take(most, self._took_off_s)
                for ticket in late:
                    ticket.fail(self._late())
                self._show()
            return self._flight

    def _fly(self, flight: Flight[J]) -> None:
        """Score the batch. A room's error is the batch's own and the next one goes on, but memory that ran out even
        after the engine made its batches small, like anything that is no Exception, ends the worker."""
        try:
            judge = self._source()
            self._loaded = True
            flight = self._flight = [one for one in flight if not one[0].future.done()]  # loading may have taken long
            if not flight:
                return
            began_s = time.monotonic()
            rows = score_batch(judge, [ticket.texts[position] for ticket, position in flight])
        except MemoryError:
            raise
        except Exception as error:  # becomes the answer of its callers
            self._crash(flight, error)
        else:
            self._land(flight, judge, rows, time.monotonic() - began_s)

    def _land(self, flight: Flight[J], judge: J, rows: list[Row], seconds: float) -> None:
        """Hand the rows out; who waits for more goes back to the line."""
        found: dict[int, tuple[Ticket[J], dict[int, Row]]] = {}
        for (ticket, position), row in zip(flight, rows, strict=True):
            found.setdefault(id(ticket), (ticket, {}))[1][position] = row
        self.figures.batch(len(flight), seconds)
        with self._changed:
            self._flight = []
            if not any(map(crashed, rows)):  # what was scored again and again tells no pace
                self._pace.saw(sum(ticket.costs[position] for ticket, position in flight), seconds)
            for ticket, kept in found.values():
                self._line.leave(ticket)
                if not ticket.future.done():
                    ticket.keep(judge, kept)
                    self._answer(ticket)
            self._show()

    def _answer(self, ticket: Ticket[J]) -> None:
        """Give the caller its rows if they are complete. Nothing scored at all is an error of the request, whichever
        other texts its own were scored with."""
        done = len(ticket.rows) == len(ticket.texts)
        if done and all(map(crashed, ticket.rows.values())):
            ticket.fail(BatchFailed(FAILED))
        elif not ticket.answer():
            self._line.join(ticket)

    def _crash(self, flight: Flight[J], error: Exception) -> None:
        """The batch's callers get the error; after a broken accelerator everybody does, from now on."""
        known = isinstance(error, ROOTS)
        log.warning("online batch failed", error=type(error).__name__, exc_info=not known)
        told = error if known else BatchFailed(FAILED)
        with self._changed:
            self._flight = []
            for ticket, _position in flight:
                self._line.leave(ticket)
                ticket.fail(told)
            if isinstance(error, DeviceError):
                self._broken = str(error)
                self._fail_all(error)
            self._show()

    def _fail_all(self, error: Exception) -> None:
        for ticket, _position in self._flight:
            ticket.fail(error)
        self._flight = []
        for ticket in self._line.clear():
            ticket.fail(error)
        self._show()
