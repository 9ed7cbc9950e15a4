"""Run texts through a network in batches, so that neither memory nor one bad item stops the rest."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

from scoring.base import Failure, Progress
from scoring.batching import longest_first, token_batches, windows
from scoring.device import free_memory, is_broken, is_out_of_memory
from scoring.errors import DeviceError, ModelFailed
from scoring.tokens import Tokens

WINDOW_ITEMS = 4096  # texts tokenized at a time: token rows of the others take no memory
HOPELESS = 32  # failures in a row from the start, after which the model and not the items is at fault
Array = npt.NDArray[Any]
Forward = Callable[[Sequence[Tokens]], tuple[Array, ...]]
_ITEM_ERRORS = (ArithmeticError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)


class Network(Protocol):
    """What the engine drives. ``columns`` tells width and dtype of each array that ``forward`` returns."""

    @property
    def device(self) -> torch.device: ...

    @property
    def batch_tokens(self) -> int: ...

    @property
    def columns(self) -> tuple[tuple[int, type[np.generic]], ...]: ...

    def tokenize(self, texts: list[str]) -> list[Tokens]:
        """One row a text, in order."""

    def forward(self, rows: Sequence[Tokens]) -> tuple[Array, ...]:
        """One (n, width) array a column, row i belonging to ``rows[i]``."""


@dataclass(frozen=True, slots=True)
class Result:
    """Rows of ``arrays`` belong to ``ids``, in the order asked; items in ``failures`` have none."""

    ids: tuple[str, ...]
    arrays: tuple[Array, ...]
    failures: tuple[Failure, ...]


def run(network: Network, ids: Sequence[str], texts: Sequence[str], progress: Progress | None = None) -> Result:
    """Every item through ``network``: a result or a failure each, in the order of ``ids``.

    Out of memory halves the batch, down to single items. An item that is no text, has nothing in it, makes the
    network raise or gives a number that is not finite fails by its id, and its batch goes on without it.
    ``progress`` hears (items done, items in all). Raises ValueError for ids and texts of different length or an id
    twice, DeviceError when the accelerator breaks, ModelFailed when nothing at all succeeds.
    """
    _check(ids, texts)
    task = _Run(network, texts, progress or _silent)
    task.go()
    kept = [i for i in range(len(ids)) if i not in task.failed]
    whole = len(kept) == len(ids)
    return Result(
        ids=tuple(ids[i] for i in kept),
        arrays=tuple(array if whole else array[kept] for array in task.arrays),
        failures=tuple(Failure(ids[i], task.failed[i]) for i in sorted(task.failed)),
    )


def _check(ids: Sequence[str], texts: Sequence[str]) -> None:
    if len(ids) != len(texts):
        raise ValueError(f"{len(ids)} ids but {len(texts)} texts")
    if len(set(ids)) != len(ids):
        seen: set[str] = set()
        twice = next(item for item in ids if item in seen or seen.add(item))  # type: ignore[func-returns-value]
        raise ValueError(f"id {twice!r} comes more than once")


def _silent(_done: int, _total: int) -> None:
    pass


@dataclass
class _Run:
    """One pass over the texts; all positions are rows of ``texts`` and never leave this module."""

    network: Network
    texts: Sequence[str]
    progress: Progress
    failed: dict[int, str] = field(default_factory=dict)
    arrays: tuple[Array, ...] = ()
    finished: int = 0  # items with a result
    broken: int = 0  # items that failed in the network, empty ones not counted
    limit: float = math.inf  # padded tokens a batch; falls when memory runs out

    def go(self) -> None:
        n = len(self.texts)
        self.arrays = tuple(np.empty((n, width), dtype) for width, dtype in self.network.columns)
        usable = [i for i in range(n) if self._usable(i)]
        order = [usable[j] for j in longest_first([len(self.texts[i]) for i in usable])]
        for window in windows(order, WINDOW_ITEMS):
            self._window(list(window))
        self.progress(n, n)

    def _usable(self, position: int) -> bool:
        fault = _fault(self.texts[position])
        if fault:
            self.failed[position] = fault
        return not fault

    def _window(self, positions: list[int]) -> None:
        rows: dict[int, Tokens] = {}
        self._divide(positions, lambda part: self._tokenize(part, rows))
        held = [position for position in positions if position in rows]
        lengths = [len(rows[position]["input_ids"]) for position in held]
        for batch in token_batches(lengths, self.network.batch_tokens):
            self._divide([held[j] for j in batch], lambda part: self._forward(part, rows), rows)
            self.progress(self.finished + len(self.failed), len(self.texts))

    def _divide(
        self, batch: list[int], work: Callable[[list[int]], list[int]], rows: dict[int, Tokens] | None = None
    ) -> None:
        """Apply ``work`` to the batch, and to ever smaller parts of what it could not do; single items fail."""
        pending = [batch]
        while pending:
            part = pending.pop()
            too_large = rows is not None and _padded(part, rows) > self.limit and len(part) > 1
            left, reason = (part, "") if too_large else self._attempt(part, work, rows)
            if left and len(part) == 1:
                self._fail(part[0], reason)
            elif len(left) < len(part):
                pending += [left] if left else []
            else:
                middle = len(left) // 2
                pending += [left[middle:], left[:middle]]

    def _attempt(
        self, part: list[int], work: Callable[[list[int]], list[int]], rows: dict[int, Tokens] | None
    ) -> tuple[list[int], str]:
        """The positions that are still without a result, and why."""
        try:
            left = work(part)
        except _ITEM_ERRORS as error:
            if is_broken(error):
                raise DeviceError(f"{self.network.device} broke down, restart this process: {error}") from error
            if not is_out_of_memory(error):
                return part, f"the model cannot read this text: {type(error).__name__}: {error}"
        else:
            return left, "the model's answer is not a finite number"
        if rows is not None and len(part) > 1:
            self.limit = _padded(part, rows) / 2
        free_memory(self.network.device)
        return part, f"not enough memory on {self.network.device} for this text alone"

    def _tokenize(self, part: list[int], rows: dict[int, Tokens]) -> list[int]:
        rows.update(zip(part, self.network.tokenize([self.texts[i] for i in part]), strict=True))
        return []

    def _forward(self, part: list[int], rows: dict[int, Tokens]) -> list[int]:
        outputs = self.network.forward([rows[i] for i in part])
        good = np.all([np.isfinite(output).all(axis=1) for output in outputs], axis=0)
        done = np.asarray(part)[good]
        for array, output in zip(self.arrays, outputs, strict=True):
            array[done] = output[good]
        self.finished += len(done)
        return [i for i, fine in zip(part, good, strict=True) if not fine]

    def _fail(self, position: int, reason: str) -> None:
        self.failed[position] = reason
        self.broken += 1
        if self.finished == 0 and self.broken >= HOPELESS:
            raise ModelFailed(f"the model failed on each of the first {HOPELESS} items; the last time: {reason}")


def _fault(text: object) -> str:
    if not isinstance(text, str):
        return f"the text is a {type(text).__name__}, not a string"
    if not text.strip():
        return "the text is empty"
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return f"the text is not valid Unicode: half a surrogate pair at character {error.start}"
    return ""


def _padded(part: Sequence[int], rows: dict[int, Tokens]) -> int:
    return len(part) * max(len(rows[position]["input_ids"]) for position in part)
