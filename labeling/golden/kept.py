"""What is compared of very many items, held small: their texts lie compressed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import overload

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from labeling.golden.near import Subject

BLOCK = 1024  # subjects that are packed together
_CODEC = pa.Codec("zstd", compression_level=1)


@dataclass(frozen=True, slots=True)
class _Block:
    """Texts and content hashes, compressed; ``ends`` (2n,) in bytes."""

    packed: bytes
    ends: npt.NDArray[np.int32]

    @classmethod
    def of(cls, subjects: Sequence[Subject]) -> _Block:
        words = chain([s.text for s in subjects], [s.content_hash for s in subjects])
        said = [word.encode("utf-8", "surrogatepass") for word in words]
        ends = np.cumsum([len(each) for each in said], dtype=np.int32)
        return cls(_CODEC.compress(b"".join(said), asbytes=True), ends)

    def subjects(self, ids: Sequence[str]) -> list[Subject]:
        plain = _CODEC.decompress(self.packed, int(self.ends[-1]), asbytes=True)
        edges = pairwise([0, *self.ends.tolist()])
        said = [plain[start:end].decode("utf-8", "surrogatepass") for start, end in edges]
        return [Subject(*each) for each in zip(ids, said[: len(ids)], said[len(ids) :], strict=True)]


class Kept(Sequence[Subject]):
    """A sequence that grows at its end, and of which single places may be replaced. Reading it in order is quick."""

    def __init__(self, subjects: Iterable[Subject] = ()) -> None:
        self.ids: list[str] = []
        self._blocks: list[_Block] = []
        self._tail: list[Subject] = []
        self._replaced: dict[int, Subject] = {}
        self._open: tuple[int, list[Subject]] = (-1, [])
        for subject in subjects:
            self.append(subject)

    def __len__(self) -> int:
        return len(self.ids)

    def append(self, subject: Subject) -> None:
        """One more."""
        self.ids.append(subject.item_id)
        self._tail.append(subject)
        if len(self._tail) == BLOCK:
            self._blocks.append(_Block.of(self._tail))
            self._tail = []

    def replace(self, place: int, subject: Subject) -> None:
        """Another subject of the same item; few are meant to be replaced."""
        self._replaced[place] = subject

    @overload
    def __getitem__(self, place: int) -> Subject: ...
    @overload
    def __getitem__(self, place: slice) -> list[Subject]: ...
    def __getitem__(self, place: int | slice) -> Subject | list[Subject]:
        if isinstance(place, slice):
            return [self._at(each) for each in range(*place.indices(len(self)))]
        if not -len(self) <= place < len(self):
            raise IndexError(f"subject {place} of {len(self)}")
        return self._at(place % len(self))

    def __iter__(self) -> Iterator[Subject]:
        return (self._at(place) for place in range(len(self)))

    def _at(self, place: int) -> Subject:
        if place in self._replaced:
            return self._replaced[place]
        number, offset = divmod(place, BLOCK)
        if number == len(self._blocks):
            return self._tail[offset]
        if number != self._open[0]:
            start = number * BLOCK
            self._open = (number, self._blocks[number].subjects(self.ids[start : start + BLOCK]))
        return self._open[1][offset]
