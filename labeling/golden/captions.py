"""Captions of images beside texts: one that says what a text says gives that text away.

Two captions are not compared with each other, since the same words stand under many pictures; the pictures are. So a
caption joins its image to a text and never, by itself, to another image. Captions of fewer than ``CAPTION_LETTERS``
letters say too little to tell one text from another, and are left out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from selection.near import shingles
from selection.near.bones import letters
from selection.near.buckets import U32, U64
from selection.near.forest import Pairs, Rows

CAPTION_LETTERS = 10
_NONE = np.zeros(0, np.int64)


def caption_letters(text: str) -> str:
    """The letters that a caption is compared by; "" for one that is too short."""
    form = letters(text)
    return form if len(form) >= CAPTION_LETTERS else ""


class Captions:
    """m captions, by their letters, to hold texts against. Memory grows with the captions, not with the texts."""

    def __init__(self, forms: Sequence[str], jaccard: float) -> None:
        """``jaccard``: the share of runs of characters from which on a caption is a copy, in (0, 1]; 1: equal ones."""
        self._forms, self._jaccard = list(forms), jaccard
        self._rows = np.flatnonzero([bool(form) for form in forms]).astype(np.int64)
        said = [self._forms[row] for row in self._rows]
        self._hashes = _Sorted(shingles.text_hashes(said), self._rows)
        codes = shingles.band_codes(said) if said and jaccard < 1 else np.zeros((0, 0), np.uint32)
        self._bands = [_Sorted(codes[band], self._rows) for band in range(len(codes))]

    def __len__(self) -> int:
        return len(self._rows)

    def pairs(self, texts: Sequence[str]) -> Pairs:
        """(caption, text): which of ``texts`` (letters, "": none) which captions say, or nearly. One text of each kind
        is compared, the first: others of the same letters are found with it elsewhere."""
        worded = np.array([row for row, form in enumerate(texts) if form], np.int64)
        if not len(self) or not len(worded):
            return _NONE, _NONE
        hashes = shingles.text_hashes([texts[row] for row in worded])
        _, first = np.unique(hashes, return_index=True)
        worded, hashes = worded[first], hashes[first]
        sure = self._hashes.meet(hashes, worded)
        if not self._bands:
            return sure
        codes = shingles.band_codes([texts[row] for row in worded])
        found = [band.meet(codes[number], worded) for number, band in enumerate(self._bands)]
        likely = np.unique(np.stack([np.concatenate(ends) for ends in zip(*found, strict=True)]), axis=1)
        close = self._close(texts, (likely[0], likely[1]))
        return np.concatenate([sure[0], likely[0][close]]), np.concatenate([sure[1], likely[1][close]])

    def _close(self, texts: Sequence[str], pairs: Pairs) -> npt.NDArray[np.bool_]:
        if not len(pairs[0]):
            return np.zeros(0, np.bool_)
        mine, ours = np.unique(pairs[0], return_inverse=True)
        theirs, others = np.unique(pairs[1], return_inverse=True)
        forms = [*(self._forms[row] for row in mine), *(texts[row] for row in theirs)]
        ends = (ours.reshape(-1).astype(np.int64), others.reshape(-1).astype(np.int64) + len(mine))
        return np.asarray(shingles.jaccard(forms, ends) >= self._jaccard)


class _Sorted:
    """Rows by a number each, to be found by it."""

    def __init__(self, numbers: U32 | U64, rows: Rows) -> None:
        order = np.argsort(numbers, kind="stable")
        self._numbers, self._rows = numbers[order], rows[order]

    def meet(self, numbers: U32 | U64, rows: Rows) -> Pairs:
        """(own row, row of ``rows``) of equal numbers."""
        start = np.searchsorted(self._numbers, numbers, "left")
        sizes = np.searchsorted(self._numbers, numbers, "right") - start
        within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        return self._rows[np.repeat(start, sizes) + within], np.repeat(rows, sizes)
