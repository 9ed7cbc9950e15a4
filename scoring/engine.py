"""Run texts through a network in batches, so that neither memory nor one bad item stops the rest.

While a device works on a window of texts, a thread tokenizes the next one, and results are fetched one batch behind.
Several devices take windows from one queue, each driven by a thread of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from threading import Event, Lock

import numpy as np

from scoring.ahead import ahead, share
from scoring.base import Failure, Note, Progress
from scoring.batching import longest_first, windows
from scoring.errors import ModelFailed
from scoring.networks import Array, Network, Plain, WindowedNetwork
from scoring.texts import check_ids, text_fault
from scoring.window import Lane, Prepared, Scoring, prepare

__all__ = ["HOPELESS", "Array", "Network", "Result", "WindowedNetwork", "run"]

WINDOW_ITEMS = 2048  # texts tokenized at a time: token rows of the others take no memory
FEW_ITEMS = 256  # several devices share windows no smaller than that
TURNS = 4  # windows a device, at least, so that a slow one does not keep the others waiting long
HOPELESS = 32  # failures in a row from the start, after which the model and not the items is at fault


@dataclass(frozen=True, slots=True)
class Result:
    """Rows of ``arrays`` belong to ``ids``, in the order asked; items in ``failures`` have none.

    ``parts``: for a row whose text was read in w rows of tokens, the (w, width) answers that it was joined from.
    """

    ids: tuple[str, ...]
    arrays: tuple[Array, ...]
    failures: tuple[Failure, ...]
    notes: tuple[Note, ...] = ()
    parts: Mapping[int, tuple[Array, ...]] = field(default_factory=dict)


def run(
    network: Network | WindowedNetwork, ids: Sequence[str], texts: Sequence[str], progress: Progress | None = None
) -> Result:
    """Every item through ``network``: a result or a failure each, in the order of ``ids``.

    Out of memory halves the batch, down to single items. An item that is no text, has nothing in it, makes the
    network raise or gives a number that is not finite fails by its id, and its batch goes on without it.
    ``progress`` hears, in the caller's thread, (items done, items in all). No thread outlives the call. Raises
    ValueError for ids and texts of different length or an id twice, DeviceError when the accelerator breaks,
    ModelFailed when nothing at all succeeds.
    """
    check_ids(ids, texts)
    task = _Run(network if isinstance(network, WindowedNetwork) else Plain(network), texts, progress or _silent)
    task.go()
    kept = [i for i in range(len(ids)) if not task.failed(i)]
    whole = len(kept) == len(ids)
    return Result(
        ids=tuple(ids[i] for i in kept),
        arrays=tuple(array if whole else array[kept] for array in task.arrays),
        failures=tuple(Failure(ids[i], task.faults[i]) for i in sorted(task.faults)),
        notes=tuple(Note(ids[i], task.notes[i]) for i in kept if i in task.notes),
        parts={row: task.parts[i] for row, i in enumerate(kept) if i in task.parts},
    )


def _silent(_done: int, _total: int) -> None:
    pass


class _Run:
    """One pass over the texts, and its ``Ledger``; positions are rows of ``texts`` and leave this room by id only."""

    def __init__(self, network: WindowedNetwork, texts: Sequence[str], progress: Progress) -> None:
        self._network, self._texts, self._progress = network, texts, progress
        self._lanes = [Lane() for _device in network.devices]
        self._lock = Lock()  # for the tallies; rows of ``arrays`` belong to one window each
        self._stop = Event()
        self._finished = 0  # items with a result
        self._broken = 0  # items that failed in the network, empty ones not counted
        self.arrays = tuple(np.empty((len(texts), width), dtype) for width, dtype in network.columns)
        self.faults: dict[int, str] = {}
        self.notes: dict[int, str] = {}
        self.parts: dict[int, tuple[Array, ...]] = {}

    def go(self) -> None:
        n, devices = len(self._texts), len(self._network.devices)
        size = WINDOW_ITEMS if devices == 1 else min(WINDOW_ITEMS, max(FEW_ITEMS, n // (devices * TURNS)))
        with closing(ahead(self._prepare, windows(self._order(), size), devices)) as prepared:
            alone = prepared if devices == 1 else islice(prepared, 1)  # one window tells whether the model is hopeless
            for window in alone:
                self._score(window, 0)
            self._flush(0)
            if devices > 1:
                share(self._score, prepared, devices, self._flush, self._tell, self._stop)
        self._progress(n, n)

    def _order(self) -> list[int]:
        """Positions of what can be read, longest first; the others fail."""
        for position, text in enumerate(self._texts):
            fault = text_fault(text)
            if fault:
                self.faults[position] = fault
        usable = [i for i in range(len(self._texts)) if i not in self.faults]
        return [usable[j] for j in longest_first([len(self._texts[i]) for i in usable])]

    def _prepare(self, positions: Sequence[int]) -> Prepared:
        return prepare(self._network, self._texts, positions)

    def _score(self, window: Prepared, place: int) -> None:
        Scoring(self._network, place, window, self, self._lanes[place]).go()
        self.notes.update(window.notes)

    def _flush(self, place: int) -> None:
        self._lanes[place].flush()

    def _tell(self) -> None:
        with self._lock:
            done = self._finished + len(self.faults)
        self._progress(done, len(self._texts))

    @property
    def stopped(self) -> bool:
        return self._stop.is_set()

    def fail(self, position: int, reason: str) -> None:
        with self._lock:
            if position in self.faults:
                return
            self.faults[position] = reason
            self._broken += 1
            hopeless = self._finished == 0 and self._broken >= HOPELESS
        if hopeless:
            raise ModelFailed(f"the model failed on each of the first {HOPELESS} items; the last time: {reason}")

    def failed(self, position: int) -> bool:
        return position in self.faults

    def batch_done(self, items: int) -> None:
        with self._lock:
            self._finished += items
        if len(self._network.devices) == 1:
            self._tell()

    def keep(self, positions: Sequence[int], arrays: tuple[Array, ...]) -> None:
        for kept, found in zip(self.arrays, arrays, strict=True):
            kept[list(positions)] = found

    def keep_parts(self, position: int, parts: tuple[Array, ...], joined: tuple[Array, ...]) -> None:
        self.parts[position] = parts
        self.keep([position], tuple(array[None] for array in joined))
