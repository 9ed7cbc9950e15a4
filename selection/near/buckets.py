"""Hash tables that grow: rows that fall into the same bucket of any table are candidates to be alike."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from selection.near.forest import Bool, Pairs, Rows

U32 = npt.NDArray[np.uint32]
U64 = npt.NDArray[np.uint64]
I32 = npt.NDArray[np.int32]
Arrays = Mapping[str, npt.NDArray[Any]]
May = Callable[[I32, I32], Bool]

WINDOW = 48  # neighbours each row is compared with inside one bucket
_THREADS = 2
_FEW = 10_000  # rows that are sorted in no time
_SHIFT = np.uint64(32)


class Buckets:
    """``tables`` tables of rows, each kept in the order of its codes.

    In a bucket of up to ``WINDOW`` + 1 rows every pair is a candidate, whatever order they came in. In a larger one a
    row meets its nearest ``WINDOW`` neighbours on either side, by the code of the next table: likely pairs lie side by
    side, and which pairs are tried depends on what was there when a row came.
    """

    def __init__(self, tables: int) -> None:
        self.rows: Rows = np.zeros(0, np.int64)
        self._codes: list[U32] = [np.zeros(0, np.uint32)] * tables  # apart, so that growing copies one at a time
        self._orders: list[I32] = [np.zeros(0, np.int32)] * tables

    def __len__(self) -> int:
        return len(self.rows)

    def insert(self, rows: Rows, codes: U32) -> None:
        """``rows`` (m,) the caller's numbers, ``codes`` (tables, m): one bucket of each table."""
        places = np.arange(len(self), len(self) + len(rows), dtype=np.int32)

        def sort(table: int) -> None:
            coming = _sort_keys(codes, table)
            by_key = np.argsort(coming, kind="stable")
            order = self._orders[table]
            there = _sort_keys(self._codes, table)[order]  # in order: searching lies in the cache
            at = np.searchsorted(there, coming[by_key], side="right")
            self._orders[table] = np.insert(order, at, places[by_key])

        # Before the codes: a table is sorted by those of the next one, too.
        if len(rows) < _FEW:
            deque(map(sort, range(len(codes))), 0)
        else:
            with ThreadPoolExecutor(_THREADS, "buckets") as pool:  # numpy lets other threads run
                deque(pool.map(sort, range(len(codes))), 0)
        for table, more in enumerate(codes):
            self._codes[table] = np.concatenate([self._codes[table], more])
        self.rows = np.concatenate([self.rows, rows])

    def candidates(self, since: int, most_bits: int | None = None, may: May | None = None) -> Iterator[Pairs]:
        """Pairs of rows that share a bucket and of which one at least was inserted at place ``since`` or later.

        ``most_bits``: only pairs whose codes differ in at most so many bits, over the first half of the tables.
        ``may``: only pairs of places that it says may be close.
        """
        for table, order in enumerate(self._orders):
            codes = self._codes[table]
            ahead = behind = np.flatnonzero(order >= since)
            for step in range(1, WINDOW + 1):
                ahead = ahead[ahead < len(order) - step]
                ahead = ahead[codes[order[ahead + step]] == codes[order[ahead]]]
                behind = behind[behind >= step]
                behind = behind[codes[order[behind - step]] == codes[order[behind]]]
                if len(ahead) == len(behind) == 0:
                    break
                old = behind[order[behind - step] < since]  # the pairs of new rows are among those ahead
                left, right = order[np.concatenate([ahead, old - step])], order[np.concatenate([ahead + step, old])]
                if most_bits is not None:
                    left, right = self._differing_in(left, right, most_bits)
                if may is not None:
                    few = may(left, right)
                    left, right = left[few], right[few]
                yield self.rows[left], self.rows[right]

    def _differing_in(self, left: I32, right: I32, most_bits: int) -> tuple[I32, I32]:
        bits = np.zeros(len(left), np.uint16)
        for codes in self._codes[: len(self._codes) // 2]:
            bits += np.bitwise_count(codes[left] ^ codes[right])
        few = bits <= most_bits
        return left[few], right[few]

    def drop(self, kept: Bool) -> None:
        """Forget the rows where ``kept`` (over the caller's rows) is False; the others are numbered anew in order."""
        mine = kept[self.rows]
        place = (np.cumsum(mine) - 1).astype(np.int32)
        orders = [place[order[mine[order]]] for order in self._orders]
        self._orders = orders
        self._codes = [codes[mine] for codes in self._codes]
        self.rows = (np.cumsum(kept) - 1)[self.rows[mine]]

    def arrays(self, name: str) -> dict[str, npt.NDArray[Any]]:
        """What ``load`` needs, under keys that start with ``name``."""
        return {
            f"{name}-rows": self.rows,
            f"{name}-codes": np.stack(self._codes),
            f"{name}-orders": np.stack(self._orders),
        }

    def load(self, name: str, arrays: Arrays, n: int) -> None:
        """Take the state that ``arrays`` gave. Raises KeyError or ValueError where it is not whole; ``n``: how many
        rows the caller has."""
        rows, codes, orders = (arrays[f"{name}-{part}"] for part in ("rows", "codes", "orders"))
        shape = (len(self._codes), len(rows))
        types = [str(array.dtype) for array in (rows, codes, orders)] == ["int64", "uint32", "int32"]
        shapes = rows.ndim == 1 and codes.shape == orders.shape == shape
        if not (types and shapes and _within(rows, n) and _within(orders, len(rows))):
            raise ValueError(f"{name}: the tables are not whole")
        self.rows, self._codes, self._orders = rows, list(codes), list(orders)


def _sort_keys(codes: U32 | Sequence[U32], table: int) -> U64:
    following = codes[(table + 1) % len(codes)]
    return np.asarray(codes[table].astype(np.uint64) << _SHIFT | following, np.uint64)


def _within(numbers: Rows | I32, n: int) -> bool:
    return bool((numbers >= 0).all() and (numbers < n).all())


def first_of_equals(hashes: U64) -> Rows:
    """(n,) for each row the first row with the same hash; rows with hash 0 say nothing and stay alone."""
    order = np.argsort(hashes, kind="stable").astype(np.int64)
    ordered = hashes[order]
    starts = np.ones(len(order), dtype=bool)
    starts[1:] = (ordered[1:] != ordered[:-1]) | (ordered[1:] == 0)
    firsts = np.empty(len(order), dtype=np.int64)
    firsts[order] = order[starts][np.cumsum(starts) - 1]
    return firsts
