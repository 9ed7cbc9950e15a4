"""Union-find that grows: which rows are joined, directly or through others."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Rows = npt.NDArray[np.int64]
Pairs = tuple[Rows, Rows]
Bool = npt.NDArray[np.bool_]

BATCH_PAIRS = 100_000  # looked at together: what one batch joins, the next need not look at


class Forest:
    """Rows 0..n-1, at first each alone. A group's root is its smallest row, whatever order it was joined in."""

    def __init__(self, parents: Rows | None = None) -> None:
        """``parents`` (n,): for each row a row of its group that is not larger."""
        self._parents: Rows = np.zeros(0, np.int64) if parents is None else parents

    def __len__(self) -> int:
        return len(self._parents)

    def grow(self, n: int) -> None:
        """``n`` more rows, each alone."""
        self._parents = np.concatenate([self._parents, np.arange(len(self), len(self) + n, dtype=np.int64)])

    def roots(self, rows: Rows) -> Rows:
        """The root of each of ``rows``."""
        found = self._parents[rows]
        while True:
            above = self._parents[found]
            if np.array_equal(above, found):
                return found
            found = above

    def labels(self) -> Rows:
        """(n,) the root of every row."""
        self._parents = self.roots(np.arange(len(self), dtype=np.int64))
        return self._parents.copy()

    def join(self, pairs: Pairs) -> None:
        """Make each pair's groups one."""
        left, right = self.roots(pairs[0]), self.roots(pairs[1])
        apart = left != right
        if not apart.any():
            return
        roots, places = np.unique(np.concatenate([left[apart], right[apart]]), return_inverse=True)
        ends = places.reshape(2, -1)
        edges = coo_array((np.ones(ends.shape[1], np.int8), (ends[0], ends[1])), shape=(len(roots), len(roots)))
        _, component = connected_components(edges, directed=False)
        smallest = np.full(component.max() + 1, roots[-1], dtype=np.int64)
        np.minimum.at(smallest, component, roots)
        self._parents[roots] = smallest[component]

    def apart(self, pairs: Pairs) -> Pairs:
        """Those pairs that are not joined yet, each once."""
        left, right = pairs
        open_ = self.roots(left) != self.roots(right)
        left, right = np.minimum(left[open_], right[open_]), np.maximum(left[open_], right[open_])
        keys = np.unique(left * np.int64(len(self)) + right)
        return np.divmod(keys, np.int64(max(1, len(self))))

    def undecided(self, candidates: Iterator[Pairs]) -> Iterator[Pairs]:
        """Candidates whose groups are apart when their turn comes, in batches of at most ``BATCH_PAIRS``; the caller
        joins what it finds close before it asks for the next."""
        held: list[Pairs] = []
        count = 0
        for pairs in candidates:
            held.append(self.apart(pairs))
            count += len(held[-1][0])
            if count >= BATCH_PAIRS:
                yield from self._batches(held)
                held, count = [], 0
        yield from self._batches(held)

    def _batches(self, held: list[Pairs]) -> Iterator[Pairs]:
        if not held:
            return
        left, right = (np.concatenate(side) for side in zip(*held, strict=True))
        for start in range(0, len(left), BATCH_PAIRS):
            part = slice(start, start + BATCH_PAIRS)
            pairs = self.apart((left[part], right[part]))
            if len(pairs[0]):
                yield pairs
