"""What the ledger tells of the golden set row by row, without holding it all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import pyarrow as pa

from labeling.golden_records import GoldChain
from labeling.records import GoldenItem


class GoldenStreams(Protocol):
    """Golden rows and events that are read through; ``items``, ``members`` and ``chain`` hold theirs."""

    def walk(self) -> AbstractContextManager[GoldChain]:
        """As ``chain``, to be read once from end to end, without holding it all."""

    def stream(self, version: str, partition: str | None = None, *, unreleased: bool = False) -> Iterator[GoldenItem]:
        """``members``, or those of them that are in a partition, in the same order, without holding them all."""

    def columns(self, version: str, partition: str, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """``stream`` of a partition of a released version as columns, a page of rows at a time
        (``labeling.golden.columns``): the fields ``names``, ``item_id`` and ``policy_id`` first."""

    def differing(self, before: str, after: str) -> Iterator[tuple[GoldenItem | None, GoldenItem | None]]:
        """Each item and policy whose rows may differ in two versions, proposed ones too, with its row in either (None:
        it has none), in the order of ``members``, without holding them all; what is alike is left out. Raises
        NotFound."""

    def drifted(self, version: str) -> Iterator[GoldenItem]:
        """The golden items as they are now that a released version does not hold just so: it lacks them, or holds
        another policy version, state, partition, group or content; and all that are out of use. Sorted as ``items``,
        without holding them all."""

    def placed(self, places: Sequence[str], after: str, limit: int, **having: str | None) -> tuple[list[str], int, int]:
        """Items with a row whose columns say what ``having`` does (None: anything): by id, the ``limit`` behind
        ``after`` that lie in the partitions ``places``; how many lie there; and how many lie elsewhere."""
