"""Near-duplicate groups that grow with the lake.

Items come in batches. Each signal is optional: a text (equal, equal after normalisation, or shingles that overlap), an
embedding (cosine), a picture's perceptual hash (bits that differ). What any signal finds close shares a group, and
groups are connected components: if a is close to b and b to c, all three are one.

The index keeps hashes and codes, never content: whoever adds items can read those that came earlier (``Earlier``).
A pair is found through tables and then verified, so what is joined is always close enough. Texts and pictures are
grouped the same in whatever batches and order they come, but where more than 49 different ones share a bucket; a pair
of embeddings is found with probability .95 at the threshold, and practically always far above it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from selection.errors import BadPool
from selection.near import shingles, vectors
from selection.near.buckets import U64, Arrays
from selection.near.forest import Bool, Forest, Rows
from selection.near.grouping import SIGNALS, Closeness, Contents, Grouping
from selection.types import F16, F32

_FORMAT = 3  # of ``arrays``, and of everything that decides what is found


class Earlier(Protocol):
    """Reads content of items that an index was given before."""

    def texts(self, ids: Sequence[str]) -> Sequence[str]:
        """The texts of these items, in order."""

    def vectors(self, ids: Sequence[str]) -> F16 | F32:
        """(len(ids), d) the embeddings of these items, in order."""


@dataclass(frozen=True, slots=True)
class Items:
    """n items with what is known of them; a signal may be left out for all. ``texts``: an empty one says nothing;
    ``vectors`` (n, d) float16 or float32, as zero rows do; ``pictures`` (n,) uint64 perceptual hashes, as 0 does."""

    ids: Sequence[str]
    texts: Sequence[str] | None = None
    vectors: F16 | F32 | None = None
    pictures: U64 | None = None

    def __len__(self) -> int:
        return len(self.ids)


class NearDuplicates(Grouping):
    """The groups of all items added so far, by their ids."""

    def __init__(self, closeness: Closeness | None = None) -> None:
        super().__init__(closeness)
        self._ids: list[str] = []
        self._rows: dict[str, int] = {}

    def __contains__(self, item_id: object) -> bool:
        return item_id in self._rows

    @property
    def ids(self) -> Sequence[str]:
        """In the order they came."""
        return tuple(self._ids)

    def add(self, items: Items, earlier: Earlier) -> None:
        """Take items in; groups only merge by it. Raises BadPool for an id that is there already, or comes twice, and
        for signals that are not as ``Items`` says. What ``earlier`` raises leaves the index half-way: drop it then."""
        _check(items.ids, self._rows)
        contents = Contents(len(items), items.texts, items.vectors, items.pictures)
        start = len(self)
        self._ids += items.ids
        self._rows |= {item_id: start + place for place, item_id in enumerate(items.ids)}
        self.grow(contents, _ByRow(self._ids, earlier))

    def remove(self, ids: Sequence[str], earlier: Earlier) -> None:
        """Let items go. Those that shared a group with them are grouped anew, so the answer is that of an index which
        never saw the removed ones; ``earlier`` reads these others. Raises BadPool for an id that is not there."""
        gone = np.zeros(len(self), dtype=bool)
        gone[self.places(ids)] = True
        if not gone.any():
            return
        roots = self._forest.labels()
        touched = np.isin(roots, roots[gone])
        again = np.flatnonzero(touched & ~gone)
        back = self._read(again, earlier)
        self._forget(~touched)
        if len(back):
            self.add(back, earlier)

    def labels(self, ids: Sequence[str]) -> Rows:
        """(len(ids),) a number for each item's group: equal for items of one group. It names the group until the next
        change. Raises BadPool for an id that is not there."""
        return self._forest.roots(self.places(ids))

    def names(self, ids: Sequence[str]) -> list[str]:
        """Each item's group by name: the smallest id in it, whatever order the items came in."""
        smallest: dict[int, str] = {}
        for item_id, root in zip(self._ids, self._forest.labels().tolist(), strict=True):
            if root not in smallest or item_id < smallest[root]:
                smallest[root] = item_id
        return [smallest[root] for root in self.labels(ids).tolist()]

    def changed(self, ids: Sequence[str], embeddings: F16 | F32, pictures: U64 | None = None) -> list[str]:
        """Those of ``ids``, all of them there, whose embedding, or picture where these are given, is not the one they
        were added with."""
        places = self.places(ids)
        other = self._hashes["vectors"][places] != vectors.row_hashes(embeddings)
        if pictures is not None:
            other |= self._hashes["pictures"][places] != pictures
        return [ids[place] for place in np.flatnonzero(other)]

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """The whole state as plain arrays, none of objects, for ``from_arrays``."""
        state: dict[str, npt.NDArray[Any]] = {
            "settings": _settings(self.closeness),
            "ids": np.array([item_id.encode() for item_id in self._ids], dtype=np.bytes_),
            "groups": self._forest.labels(),
        }
        for signal in SIGNALS:
            state[f"{signal}-hashes"] = self._hashes[signal]
            state |= self._buckets[signal].arrays(signal)
        return state | {"texts-prints": self._prints.bits.copy(), "texts-sizes": self._prints.sizes.copy()}

    @classmethod
    def from_arrays(cls, arrays: Arrays, closeness: Closeness) -> NearDuplicates:
        """The index that gave ``arrays``. Raises BadPool where they are not whole, of an earlier format, or made with
        another closeness."""
        made = cls(closeness)
        try:
            if not np.array_equal(arrays["settings"], _settings(closeness)):
                raise ValueError("settings: they are of another closeness or format")
            made._load(arrays)
        except (KeyError, ValueError) as error:
            raise BadPool(f"near-duplicate index: {error}; build it anew") from error
        return made

    def _load(self, arrays: Arrays) -> None:
        self._ids = [bytes(item_id).decode() for item_id in arrays["ids"].tolist()]
        self._rows = {item_id: row for row, item_id in enumerate(self._ids)}
        n, groups = len(self._ids), arrays["groups"]
        if len(self._rows) != n or groups.shape != (n,) or groups.dtype != np.int64:
            raise ValueError("groups: they do not fit the ids")
        if n and ((groups < 0) | (groups > np.arange(n))).any():
            raise ValueError("groups: a row's root lies behind it")
        self._forest = Forest(groups)
        for signal in SIGNALS:
            hashes = arrays[f"{signal}-hashes"]
            if hashes.shape != (n,) or hashes.dtype != np.uint64:
                raise ValueError(f"{signal}: the hashes do not fit the ids")
            self._hashes[signal] = hashes
            self._buckets[signal].load(signal, arrays, n)
        self._prints = _loaded_prints(arrays, len(self._buckets["texts"]))

    def places(self, ids: Sequence[str]) -> Rows:
        """(len(ids),) how many items came before each. Raises BadPool for an id that is not there."""
        try:
            return np.fromiter((self._rows[item_id] for item_id in ids), np.int64, len(ids))
        except KeyError as error:
            raise BadPool(f"ids: {error.args[0]!r} is not in the near-duplicate index; add it first") from error

    def _read(self, rows: Rows, earlier: Earlier) -> Items:
        """What ``rows`` were added with; a signal that an item lacks is not asked for."""
        ids = [self._ids[row] for row in rows]
        texts = [""] * len(rows)
        having = np.flatnonzero(self._hashes["texts"][rows])
        for place, text in zip(having, earlier.texts([ids[place] for place in having]), strict=True):
            texts[place] = text
        made = np.flatnonzero(self._hashes["vectors"][rows])
        embeddings = None
        if len(made):
            found = earlier.vectors([ids[place] for place in made])
            embeddings = np.zeros((len(rows), found.shape[1]), found.dtype)
            embeddings[made] = found
        return Items(ids, texts, embeddings, self._hashes["pictures"][rows])

    def _forget(self, kept: Bool) -> None:
        places = np.cumsum(kept) - 1
        self._forest = Forest(places[self._forest.labels()[kept]])
        self._ids = [self._ids[row] for row in np.flatnonzero(kept)]
        self._rows = {item_id: row for row, item_id in enumerate(self._ids)}
        self._prints = self._prints.of(kept[self._buckets["texts"].rows])
        for signal in SIGNALS:
            self._hashes[signal] = self._hashes[signal][kept]
            self._buckets[signal].drop(kept)


def _loaded_prints(arrays: Arrays, n: int) -> shingles.Prints:
    bits, sizes = arrays["texts-prints"], arrays["texts-sizes"]
    shapes = bits.shape == (n, shingles.PRINT_BITS // 64) and sizes.shape == (n,)
    if not shapes or bits.dtype != np.uint64 or sizes.dtype != np.int32:
        raise ValueError("texts: the prints do not fit the tables")
    return shingles.Prints(bits.copy(), sizes.copy())  # of our own: they grow


def _check(ids: Sequence[str], known: Mapping[str, int]) -> None:
    if len(set(ids)) < len(ids):
        raise BadPool("ids: an item comes twice in one batch")
    twice = next((item_id for item_id in ids if item_id in known), None)
    if twice is not None:
        raise BadPool(f"ids: {twice!r} is in the near-duplicate index already; remove it first")


@dataclass(frozen=True, slots=True)
class _ByRow:
    """Reads what an ``Earlier`` holds by id."""

    ids: Sequence[str]
    earlier: Earlier

    def texts(self, rows: Rows) -> Sequence[str]:
        return self.earlier.texts([self.ids[row] for row in rows])

    def vectors(self, rows: Rows) -> F16 | F32:
        return self.earlier.vectors([self.ids[row] for row in rows])


def _settings(closeness: Closeness) -> npt.NDArray[np.float64]:
    return np.array([_FORMAT, closeness.cosine, closeness.jaccard, closeness.distance], np.float64)
