"""Which golden items is this one close to? An index for one question at a time, that grows as items are folded in.

Every item is looked at, by codes of some 270 bytes (``benchmarks.partitions`` says what that costs). So, other than the
tables of ``selection.near.index``, it passes over nothing, but one in 10^9 pairs of embeddings at the threshold.
Embeddings themselves are read again, of the few that come into question.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from labeling.golden.near import BATCH, Signals, Sources, Subject, told
from selection.near import shingles, vectors
from selection.near.buckets import U32
from selection.near.forest import Rows

Array = npt.NDArray[Any]


class Lookup:
    """Items by row, in the order they were added; an item that is added again has another row."""

    def __init__(self, sources: Sources, subjects: Sequence[Subject] = ()) -> None:
        self._sources = sources
        self._subjects: list[Subject] = []
        self._letters, self._contents, self._pictures = _Grown(np.uint64), _Grown(np.uint64), _Grown(np.uint64)
        self._bands, self._band_rows = _Grown(np.uint32, shingles.BANDS), _Grown(np.int64)
        self._print_bits, self._print_sizes = _Grown(np.uint64, shingles.PRINT_BITS // 64), _Grown(np.int32)
        self._said, self._said_bands = _Grown(np.uint64), _Grown(np.uint32, shingles.BANDS)
        self._said_rows = _Grown(np.int64)
        self._signs, self._sign_rows = _Grown(np.uint32, vectors.TABLES), _Grown(np.int64)
        self._vector_hashes = _Grown(np.uint64)
        self._last: tuple[Signals, tuple[U32, shingles.Prints]] | None = None
        for start in range(0, len(subjects), BATCH):
            part = subjects[start : start + BATCH]
            self.add(part, Signals.of(part, sources))

    def __len__(self) -> int:
        return len(self._subjects)

    def add(self, subjects: Sequence[Subject], signals: Signals) -> None:
        """Take items in, with the signals of them."""
        start = len(self)
        self._subjects += subjects
        self._letters.extend(signals.letters)
        self._contents.extend(signals.contents)
        self._pictures.extend(signals.pictures)
        worded = np.flatnonzero(signals.letters)
        if self._sources.closeness.jaccard < 1 and len(worded):
            codes, prints = self._signed(signals, worded)
            self._bands.extend(codes)
            self._print_bits.extend(prints.bits.T)
            self._print_sizes.extend(prints.sizes)
            self._band_rows.extend(worded + start)
        self._add_captions(signals, start)
        made = np.flatnonzero(signals.embeddings.any(axis=1))
        if len(made):
            self._vector_hashes.extend(vectors.row_hashes(signals.embeddings[made]))
            self._sign_rows.extend(made + start)
            if self._sources.closeness.cosine < 1:
                self._signs.extend(vectors.sign_codes(signals.embeddings, made, self._sources.closeness.cosine))

    def _add_captions(self, signals: Signals, start: int) -> None:
        rows = np.array([row for row, form in enumerate(signals.captions) if form], np.int64)
        if len(rows):
            forms = [signals.captions[row] for row in rows]
            self._said.extend(shingles.text_hashes(forms))
            self._said_bands.extend(shingles.band_codes(forms))
            self._said_rows.extend(rows + start)

    def near(self, signals: Signals) -> Rows:
        """Rising rows of the items that are close to the one item that ``signals`` tell of."""
        sure, open_ = list(self._equal(signals)), list(self._candidates(signals))
        rows = np.unique(np.concatenate([np.zeros(0, np.int64), *open_]))
        rows = rows[np.isin(rows, np.concatenate([np.zeros(0, np.int64), *sure]), invert=True)]
        return np.asarray(np.unique(np.concatenate([*sure, self._verified(signals, rows)])), np.int64)

    def _equal(self, signals: Signals) -> Iterator[Rows]:
        for known, value in (
            (self._letters, signals.letters[0]),
            (self._contents, signals.contents[0]),
        ):
            yield np.flatnonzero(known.all == value) if value else np.zeros(0, np.int64)
        picture = signals.pictures[0]
        if picture:
            close = np.bitwise_count(self._pictures.all ^ picture) <= self._sources.closeness.distance
            yield np.flatnonzero(close & (self._pictures.all != 0))

    def _candidates(self, signals: Signals) -> Iterator[Rows]:
        """Rows whose text or embedding may be close."""
        if signals.forms[0] and self._sources.closeness.jaccard < 1:
            code, mine = self._signed(signals, np.zeros(1, np.int64))
            places = np.flatnonzero(_any_equal(self._bands.all, code[:, 0]))
            theirs = shingles.Prints(self._print_bits.all[:, places].T, self._print_sizes.all[places])
            both, n = mine.joined(theirs), len(places)
            may = both.may_share(np.zeros(n, np.int64), np.arange(1, n + 1), self._sources.closeness.jaccard)
            yield self._band_rows.all[places[may]]
        yield from self._captions(signals)
        if signals.embeddings.any():
            cosine, rows = self._sources.closeness.cosine, self._sign_rows.all
            if cosine >= 1:
                yield rows[self._vector_hashes.all == vectors.row_hashes(signals.embeddings)[0]]
            else:
                code = vectors.sign_codes(signals.embeddings, np.zeros(1, np.int64), cosine)
                half = vectors.TABLES // 2  # as many bits as ``most_bits`` speaks of
                yield rows[_bits_apart(self._signs.all[:half], code[:half, 0]) <= vectors.most_bits(cosine)]

    def _captions(self, signals: Signals) -> Iterator[Rows]:
        """Images whose caption this text may say, or the texts that this image's caption may."""
        if signals.forms[0]:
            yield self._said_rows.all[self._said.all == signals.letters[0]]
        if signals.captions[0]:
            yield np.flatnonzero(self._letters.all == shingles.text_hashes(signals.captions)[0])
        if self._sources.closeness.jaccard < 1:
            if signals.forms[0] and len(self._said_rows.all):
                code, _ = self._signed(signals, np.zeros(1, np.int64))
                yield self._said_rows.all[_any_equal(self._said_bands.all, code[:, 0])]
            if signals.captions[0]:
                yield self._band_rows.all[_any_equal(self._bands.all, shingles.band_codes(signals.captions)[:, 0])]

    def _signed(self, signals: Signals, rows: Rows) -> tuple[U32, shingles.Prints]:
        """The signatures of some of their texts; an item is looked for, then added: one for both."""
        if self._last is None or self._last[0] is not signals:
            made = shingles.signatures([signals.forms[row] for row in rows])
            if len(signals.ids) > 1:
                return made
            self._last = (signals, made)
        return self._last[1]

    def _verified(self, signals: Signals, rows: Rows) -> Rows:
        if not len(rows):
            return rows
        others = Signals.of([self._subjects[row] for row in rows], self._sources)
        pairs = (np.zeros(len(rows), np.int64), np.arange(len(rows), dtype=np.int64))
        close = np.zeros(len(rows), np.bool_)
        for _, shared in told(signals, others, pairs, self._sources.closeness):
            close |= shared
        return rows[close]


class _Grown:
    """An array (n,), or (width, n), with room to grow at its end."""

    def __init__(self, dtype: npt.DTypeLike, width: int | None = None) -> None:
        self._held: Array = np.empty((0,) if width is None else (width, 0), dtype)
        self._used = 0

    @property
    def all(self) -> Array:
        return self._held[..., : self._used]

    def extend(self, more: Array) -> None:
        used, coming = self._used, more.shape[-1]
        if used + coming > self._held.shape[-1]:
            room = max(used + coming, used + used // 4)
            held = np.empty((*self._held.shape[:-1], room), self._held.dtype)
            held[..., :used] = self.all
            self._held = held
        self._held[..., used : used + coming] = more
        self._used = used + coming


def _any_equal(codes: U32, code: U32) -> npt.NDArray[np.bool_]:
    """(n,) where any table has that code."""
    found = np.zeros(codes.shape[1], np.bool_)
    for table, value in zip(codes, code, strict=True):
        found |= table == value
    return found


def _bits_apart(codes: U32, code: U32) -> npt.NDArray[np.uint16]:
    """(n,) in how many bits all tables differ."""
    bits = np.zeros(codes.shape[1], np.uint16)
    for table, value in zip(codes, code, strict=True):
        bits += np.bitwise_count(table ^ value)
    return bits
