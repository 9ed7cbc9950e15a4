"""Near-duplicate groups of rows that come in batches, each row known by its number.

What is kept of a row are hashes and codes, never content: whoever adds rows can read those that came earlier
(``Reader``). ``selection.near.index`` says what is found, and knows rows by ids.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from selection.errors import BadPool
from selection.near import pictures, shingles, vectors
from selection.near.bones import letters
from selection.near.buckets import I32, U64, Buckets, first_of_equals
from selection.near.forest import Bool, Forest, Pairs, Rows
from selection.types import F16, F32

JACCARD = 0.7
DISTANCE = 4
EXACT_ROWS = 4096  # up to so many different embeddings all are compared with all
SIGNALS = ("texts", "vectors", "pictures")


class Reader(Protocol):
    """Reads content of rows that were added before."""

    def texts(self, rows: Rows) -> Sequence[str]:
        """The texts of these rows, in order."""

    def vectors(self, rows: Rows) -> F16 | F32:
        """(len(rows), d) the embeddings of these rows, in order."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What is known of ``n`` rows; a signal may be left out for all. ``texts``: an empty one says nothing; ``vectors``
    (n, d) float16 or float32, as zero rows do; ``pictures`` (n,) uint64 perceptual hashes, as 0 does."""

    n: int
    texts: Sequence[str] | None = None
    vectors: F16 | F32 | None = None
    pictures: U64 | None = None

    def __post_init__(self) -> None:
        """Raises BadPool for signals that are not so."""
        n = self.n
        if self.texts is not None and len(self.texts) != n:
            raise BadPool(f"texts: expected {n}, found {len(self.texts)}")
        if self.pictures is not None and (self.pictures.shape != (n,) or self.pictures.dtype != np.uint64):
            raise BadPool(f"pictures: expected ({n},) uint64, found {self.pictures.dtype} {self.pictures.shape}")
        if self.vectors is not None:
            good = self.vectors.ndim == 2 and len(self.vectors) == n and np.issubdtype(self.vectors.dtype, np.floating)
            if not good:
                raise BadPool(f"vectors: expected ({n}, d) floats, found {self.vectors.dtype} {self.vectors.shape}")
            if not np.isfinite(self.vectors).all():
                raise BadPool("vectors: a row holds NaN or infinity")


@dataclass(frozen=True, slots=True)
class Closeness:
    """From where on two items are near-duplicates. ``cosine`` of embeddings in (0, 1], 1: equal ones only; ``jaccard``
    share of common shingles in (0, 1], 1: texts equal after normalisation only; ``distance`` in bits, 0..8."""

    cosine: float = 0.95
    jaccard: float = JACCARD
    distance: int = DISTANCE

    def __post_init__(self) -> None:
        for name in ("cosine", "jaccard"):
            if not 0 < getattr(self, name) <= 1:
                raise BadPool(f"{name}: must be above 0 and at most 1, found {getattr(self, name)}")
        if not 0 <= self.distance <= 8:
            raise BadPool(f"distance: must be 0 to 8 bits, found {self.distance}")


class Grouping:
    """The groups of all rows added so far."""

    def __init__(self, closeness: Closeness | None = None) -> None:
        self.closeness = closeness or Closeness()
        self._forest = Forest()
        self._hashes: dict[str, U64] = {signal: np.zeros(0, np.uint64) for signal in SIGNALS}
        counts = (shingles.BANDS, vectors.TABLES, pictures.tables(self.closeness.distance))
        self._buckets = {signal: Buckets(tables) for signal, tables in zip(SIGNALS, counts, strict=True)}
        self._prints = shingles.Prints.none()  # of the rows of the texts' buckets

    def __len__(self) -> int:
        return len(self._forest)

    def roots(self) -> Rows:
        """(n,) a number for each row's group, its smallest row: equal for rows of one group."""
        return self._forest.labels()

    def grow(self, contents: Contents, earlier: Reader) -> None:
        """Take rows in; groups only merge by it."""
        start, n, made = len(self), contents.n, contents.vectors
        self._forest.grow(n)
        forms = [letters(text) for text in contents.texts] if contents.texts is not None else [""] * n
        nothing = np.zeros(n, np.uint64)
        self._take("texts", shingles.text_hashes(forms))
        self._take("vectors", vectors.row_hashes(made) if made is not None else nothing)
        self._take("pictures", contents.pictures if contents.pictures is not None else nothing)
        self._join_texts(start, forms, earlier)
        self._join_pictures(start)
        if made is not None:
            self._join_vectors(start, made, earlier)

    def _take(self, signal: str, hashes: U64) -> None:
        self._hashes[signal] = np.concatenate([self._hashes[signal], hashes.astype(np.uint64)])

    def _first_seen(self, signal: str, start: int) -> Rows:
        """Join the new rows that equal another one; the new rows (from ``start``) that are the first of their kind."""
        hashes = self._hashes[signal]
        if not hashes[start:].any():
            return np.zeros(0, np.int64)
        firsts = first_of_equals(hashes)
        rows = np.arange(start, len(self), dtype=np.int64)
        self._forest.join((firsts[start:], rows))
        fresh: Rows = rows[(firsts[start:] == rows) & (hashes[start:] != 0)]
        return fresh

    def _join_texts(self, start: int, forms: Sequence[str], earlier: Reader) -> None:
        fresh = self._first_seen("texts", start)
        if self.closeness.jaccard >= 1 or len(fresh) == 0:
            return
        buckets = self._buckets["texts"]
        since = len(buckets)
        codes, prints = shingles.signatures([forms[row - start] for row in fresh])
        buckets.insert(fresh, codes)
        self._prints.extend(prints)
        for pairs in self._forest.undecided(buckets.candidates(since, may=self._may_share)):
            rows, places = _compact(pairs)
            old = rows[rows < start]
            known = [letters(text) for text in earlier.texts(old)] if len(old) else []
            known += [forms[row - start] for row in rows[rows >= start]]
            self._keep(pairs, shingles.jaccard(known, places) >= self.closeness.jaccard)

    def _may_share(self, left: I32, right: I32) -> Bool:
        return self._prints.may_share(left, right, self.closeness.jaccard)

    def _join_pictures(self, start: int) -> None:
        fresh, distance = self._first_seen("pictures", start), self.closeness.distance
        if len(fresh) == 0 or distance == 0:
            return
        buckets = self._buckets["pictures"]
        since = len(buckets)
        buckets.insert(fresh, pictures.block_codes(self._hashes["pictures"][fresh], distance))
        for pairs in self._forest.undecided(buckets.candidates(since)):
            self._keep(pairs, pictures.close(self._hashes["pictures"], pairs, distance))

    def _join_vectors(self, start: int, given: F16 | F32, earlier: Reader) -> None:
        fresh, cosine = self._first_seen("vectors", start), self.closeness.cosine
        if cosine >= 1 or len(fresh) == 0:
            return
        buckets = self._buckets["vectors"]
        since = len(buckets)
        buckets.insert(fresh, vectors.sign_codes(given, fresh - start, cosine))
        if len(buckets) <= EXACT_ROWS:
            found = self._all_pairs(since, start, given, earlier)
        else:
            found = buckets.candidates(since, vectors.most_bits(cosine))
        for pairs in self._forest.undecided(found):
            rows, places = _compact(pairs)
            self._keep(pairs, vectors.close(self._vectors(rows, start, given, earlier), places, cosine))

    def _all_pairs(self, since: int, start: int, given: F16 | F32, earlier: Reader) -> Iterator[Pairs]:
        rows = self._buckets["vectors"].rows
        known = self._vectors(rows, start, given, earlier)
        for left, right in vectors.block_pairs(known[since:], known, self.closeness.cosine):
            yield rows[since:][left], rows[right]

    def _vectors(self, rows: Rows, start: int, given: F16 | F32, earlier: Reader) -> F16 | F32:
        """The embeddings of ``rows`` (rising): those before ``start`` are read, the others were given."""
        old, new = rows[rows < start], given[rows[rows >= start] - start]
        return np.concatenate([earlier.vectors(old), new]) if len(old) else new

    def _keep(self, pairs: Pairs, close: Bool) -> None:
        self._forest.join((pairs[0][close], pairs[1][close]))


def _compact(pairs: Pairs) -> tuple[Rows, Pairs]:
    """The rows that pairs are made of, rising, and the pairs as places among them."""
    rows, places = np.unique(np.concatenate(pairs), return_inverse=True)
    ends = places.reshape(2, -1).astype(np.int64)
    return rows, (ends[0], ends[1])
