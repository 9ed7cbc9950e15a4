"""Try a batch; of what fails try the halves, until single items fail by themselves."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch

from scoring.device import free_memory, is_broken, is_out_of_memory
from scoring.errors import DeviceError

ITEM_ERRORS = (ArithmeticError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)
NOT_FINITE = "the model's answer is not a finite number"
R = TypeVar("R")


@dataclass
class Limit:
    """The most that a batch may cost on one device, as far as its memory troubles have told."""

    cost: float = math.inf


@dataclass(frozen=True, slots=True)
class Attempts:
    """``cost`` of a batch is what memory is counted in; batches above ``limit``, which falls when memory runs out, are
    halved before they are tried."""

    device: torch.device
    cost: Callable[[Sequence[int]], float]
    fail: Callable[[int, str], None]
    limit: Limit

    def tried(self, part: Sequence[int], work: Callable[[], R]) -> tuple[R | None, str]:
        """What ``work`` returns, or None and why not. Raises DeviceError when the accelerator broke down."""
        try:
            return work(), ""
        except ITEM_ERRORS as error:
            if is_broken(error):
                raise DeviceError(f"{self.device} broke down, restart this process: {error}") from error
            if not is_out_of_memory(error):
                return None, f"the model cannot read this text: {type(error).__name__}: {error}"
        if len(part) > 1:
            self.limit.cost = self.cost(part) / 2
        free_memory(self.device)
        return None, f"not enough memory on {self.device} for this text alone"

    def too_large(self, part: Sequence[int]) -> bool:
        """Whether ``part`` should be halved without a try."""
        return len(part) > 1 and self.cost(part) > self.limit.cost

    def divide(
        self, part: list[int], left: list[int], reason: str, work: Callable[[list[int]], tuple[list[int], str]]
    ) -> None:
        """After a first try of ``part``, which left ``left`` undone for ``reason``: try what is left in ever smaller
        parts by ``work``, which returns what it could not do, and why. Items that fail alone are failed by reason."""
        pending = self._next(part, left, reason)
        while pending:
            part = pending.pop()
            left, reason = (part, "") if self.too_large(part) else work(part)
            pending += self._next(part, left, reason)

    def _next(self, part: list[int], left: list[int], reason: str) -> list[list[int]]:
        if left and len(part) == 1:
            self.fail(part[0], reason)
            return []
        if len(left) < len(part):
            return [left] if left else []
        middle = len(left) // 2
        return [left[middle:], left[:middle]]
