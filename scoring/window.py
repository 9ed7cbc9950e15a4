"""One window of texts: tokenized in one thread, scored in another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import numpy as np
import torch

from scoring.attempts import NOT_FINITE, Attempts, Limit
from scoring.batching import token_batches
from scoring.networks import Array, Fetch, WindowedNetwork
from scoring.tokens import Reading, Tokens


@dataclass
class Prepared:
    """Token rows of the texts at some positions; those of one text are neighbours. ``spans``: (position, first row,
    one past its last row); a text that cannot be tokenized is in ``faults`` instead."""

    rows: list[Tokens] = field(default_factory=list)
    spans: list[tuple[int, int, int]] = field(default_factory=list)
    notes: dict[int, str] = field(default_factory=dict)
    faults: dict[int, str] = field(default_factory=dict)


def prepare(network: WindowedNetwork, texts: Sequence[str], positions: Sequence[int]) -> Prepared:
    """Tokenize; a text that makes the tokenizer raise is at fault alone."""
    window = Prepared()
    readings: dict[int, Reading] = {}

    def read(part: list[int]) -> tuple[list[int], str]:
        found, reason = attempts.tried(part, lambda: network.read([texts[i] for i in part]))
        readings.update(zip(part, found or (), strict=found is not None))
        return ([], "") if found is not None else (part, reason)

    attempts = Attempts(torch.device("cpu"), len, window.faults.__setitem__, Limit())
    whole = list(positions)
    attempts.divide(whole, *read(whole), read)
    for position in positions:
        if position in readings:
            start = len(window.rows)
            window.rows += readings[position].rows
            window.spans.append((position, start, len(window.rows)))
            if readings[position].note:
                window.notes[position] = readings[position].note
    return window


class Ledger(Protocol):
    """Where a window's results go. Positions are those of the whole run."""

    @property
    def stopped(self) -> bool:
        """Whether nobody wants the rest any more."""

    def fail(self, position: int, reason: str) -> None:
        """Once or more for an item; the first reason counts."""

    def failed(self, position: int) -> bool: ...

    def batch_done(self, items: int) -> None:
        """So many items more have a result; told before its failures are tried again."""

    def keep(self, positions: Sequence[int], arrays: tuple[Array, ...]) -> None:
        """Results, row by row."""

    def keep_parts(self, position: int, parts: tuple[Array, ...], joined: tuple[Array, ...]) -> None:
        """The results of an item that was read in several rows, and what they come to."""


class Lane:
    """What is on its way on one device: each batch is started before the one before it is settled, also from one
    window to the next, so that the device never waits for the host to look at results."""

    def __init__(self) -> None:
        self.limit = Limit()
        self._behind: Callable[[], None] | None = None

    def put(self, settle: Callable[[], None]) -> None:
        """A batch that was just started; settles the one before."""
        self.flush()
        self._behind = settle

    def flush(self) -> None:
        """Settle what is on its way."""
        behind, self._behind = self._behind, None
        if behind is not None:
            behind()


@dataclass(frozen=True, slots=True)
class _Flight:
    """A batch of rows on its way; ``fetch`` is None, for ``reason``, where it could not start."""

    part: list[int]
    fetch: Fetch | None
    reason: str


class Scoring:
    """One window on one device. All numbers inside are rows of the window."""

    def __init__(self, network: WindowedNetwork, place: int, window: Prepared, ledger: Ledger, lane: Lane) -> None:
        self._network, self._place, self._window, self._ledger = network, place, window, ledger
        self._lane = lane
        self._lengths = [network.width(len(row["input_ids"])) for row in window.rows]
        self._owner = [position for position, start, stop in window.spans for _ in range(start, stop)]
        self._left = {position: stop - start for position, start, stop in window.spans}
        self._arrays = tuple(np.empty((len(window.rows), width), dtype) for width, dtype in network.columns)
        self._attempts = Attempts(network.devices[place], self._cost, self._fail, lane.limit)

    def go(self) -> None:
        """Start every batch; all but the last are settled when this returns, that one when the lane goes on."""
        if self._window.faults:
            self._lane.flush()  # first what may succeed, so that no model is called hopeless too early
        for position, reason in self._window.faults.items():
            self._ledger.fail(position, reason)
        batches = token_batches(self._lengths, self._network.batch_tokens, packed=self._network.packed)
        for number, batch in enumerate(batches, 1):
            if self._ledger.stopped:
                return
            flight = self._launch(batch)
            self._lane.put(partial(self._settle, flight, last=number == len(batches)))
            if flight.fetch is None:
                self._lane.flush()

    def _cost(self, part: Sequence[int]) -> int:
        lengths = [self._lengths[row] for row in part]
        return sum(lengths) if self._network.packed else len(lengths) * max(lengths)

    def _launch(self, part: list[int]) -> _Flight:
        if self._attempts.too_large(part):
            return _Flight(part, None, "")
        rows = [self._window.rows[row] for row in part]
        fetch, reason = self._attempts.tried(part, lambda: self._network.start(rows, self._place))
        return _Flight(part, fetch, reason)

    def _settle(self, flight: _Flight, *, last: bool) -> None:
        self._attempts.divide(flight.part, *self._land(flight), lambda part: self._land(self._launch(part)))
        if last:
            self._deliver()

    def _land(self, flight: _Flight) -> tuple[list[int], str]:
        """The rows of the flight that have no result, and why."""
        if flight.fetch is None:
            return flight.part, flight.reason
        outputs, reason = self._attempts.tried(flight.part, flight.fetch)
        if outputs is None:
            return flight.part, reason
        good = np.all([np.isfinite(output).all(axis=1) for output in outputs], axis=0)
        done = np.asarray(flight.part)[good]
        for array, output in zip(self._arrays, outputs, strict=True):
            array[done] = output[good]
        self._count(done.tolist())
        return [row for row, fine in zip(flight.part, good, strict=True) if not fine], NOT_FINITE

    def _count(self, rows: list[int]) -> None:
        whole = 0
        for row in rows:
            self._left[self._owner[row]] -= 1
            whole += self._left[self._owner[row]] == 0
        self._ledger.batch_done(whole)

    def _fail(self, row: int, reason: str) -> None:
        self._ledger.fail(self._owner[row], reason)

    def _deliver(self) -> None:
        single = []
        for position, start, stop in self._window.spans:
            if self._ledger.failed(position):
                continue
            if stop - start == 1:
                single.append((position, start))
            else:
                parts = tuple(array[start:stop].copy() for array in self._arrays)
                self._ledger.keep_parts(position, parts, self._network.join(parts))
        rows = [row for _position, row in single]
        self._ledger.keep([position for position, _row in single], tuple(array[rows] for array in self._arrays))
