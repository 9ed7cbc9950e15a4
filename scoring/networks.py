"""What the engine drives: networks that take token rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import torch

from scoring.tokens import Reading, Tokens

Array = npt.NDArray[Any]
Fetch = Callable[[], tuple[Array, ...]]  # waits for a batch that was started, and returns its arrays


class Network(Protocol):
    """The least of a network. ``columns`` tells width and dtype of each array that ``forward`` returns."""

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


@runtime_checkable
class WindowedNetwork(Network, Protocol):
    """A network that may read one text in several rows, work while the caller does, and live on several devices.

    Calls for different places, and ``read``, may run side by side.
    """

    @property
    def devices(self) -> tuple[torch.device, ...]:
        """Where a copy of the network lives; a copy is named by its place in here."""

    @property
    def packed(self) -> bool:
        """Whether a batch costs the sum of its rows' lengths, and not the longest times their number."""

    def read(self, texts: list[str]) -> list[Reading]:
        """One reading a text, in order."""

    def width(self, length: int) -> int:
        """The tokens that a row of ``length`` takes up in a batch: more than that where shapes are few."""

    def start(self, rows: Sequence[Tokens], place: int) -> Fetch:
        """Begin what ``forward`` does, on the device at ``place``."""

    def join(self, parts: tuple[Array, ...]) -> tuple[Array, ...]:
        """The (width,) answers for one text, one a column, from those (w, width) for its w rows."""


class Plain:
    """A ``Network`` as a ``WindowedNetwork``: one row a text, one device, nothing begun ahead."""

    packed = False

    def __init__(self, network: Network) -> None:
        self._network = network
        self.device, self.devices = network.device, (network.device,)
        self.batch_tokens, self.columns = network.batch_tokens, network.columns
        self.tokenize, self.forward = network.tokenize, network.forward

    def read(self, texts: list[str]) -> list[Reading]:
        return [Reading((row,)) for row in self._network.tokenize(texts)]

    def width(self, length: int) -> int:
        return length

    def start(self, rows: Sequence[Tokens], place: int) -> Fetch:  # noqa: ARG002 - there is one place
        found = self._network.forward(rows)
        return lambda: found

    def join(self, parts: tuple[Array, ...]) -> tuple[Array, ...]:
        return tuple(part[0] for part in parts)
