"""Texts compared by the runs of ``GRAM`` characters (shingles) of their letters: MinHash to find, Jaccard to decide.

Two texts with Jaccard similarity J share a bucket of at least one of ``BANDS`` tables with probability
``1 - (1 - J**DEPTH) ** BANDS`` (Broder 1997; banding: Leskovec, Rajaraman, Ullman, "Mining of Massive Datasets",
ch. 3): .975 at J = .7, .997 at .75, above .9999 at .85. What shares one is compared exactly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from selection.near.buckets import U32, U64
from selection.near.forest import Bool, Pairs, Rows

GRAM = 5
BANDS = 20
DEPTH = 5
PRINT_BITS = 512
_CHUNK_CHARS = 100_000  # hashed at a time: the arrays stay in the cache
_PAIR_CHARS = 1_000_000  # of pairs, compared at a time
_THREADS = 2
_PRINT_PAIRS = 2**16  # prints compared at a time
_MOST_TEXTS = 2**15  # compared at a time: 16 bits of a number say whose shingle it is
_HIGH = np.uint64(32)
_WHOSE = np.uint64(48)
_LOW48 = np.uint64(16)

_RNG = np.random.default_rng(20)
_FACTORS = _RNG.integers(0, 2**63, GRAM, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
_MASKS = _RNG.integers(0, 2**32, BANDS * DEPTH, dtype=np.uint32)
_SPREADS = _RNG.integers(0, 2**31, BANDS * DEPTH, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
_BAND_FACTORS = _RNG.integers(0, 2**63, DEPTH, dtype=np.uint64) * np.uint64(2) + np.uint64(1)


def text_hashes(forms: Sequence[str]) -> U64:
    """(n,) equal texts, equal hashes; different ones differ but for chances of 2^-64. 0: the text is empty."""
    digests = b"".join(blake2b(form.encode("utf-8", "surrogatepass"), digest_size=8).digest() for form in forms)
    hashes = np.frombuffer(digests, np.uint64).copy()
    hashes[hashes == 0] = 1
    hashes[np.fromiter(map(len, forms), np.int64, len(forms)) == 0] = 0
    return hashes


@dataclass(frozen=True, slots=True)
class Prints:
    """What tells, without looking at two texts, that they cannot share enough: of n texts ``bits`` (n, PRINT_BITS / 64)
    has a bit for each shingle, several to a bit, and ``sizes`` (n,) int32 is how many shingles there are at most."""

    bits: U64
    sizes: npt.NDArray[np.int32]

    @classmethod
    def none(cls) -> Prints:
        """Of no text."""
        return cls(np.zeros((0, PRINT_BITS // 64), np.uint64), np.zeros(0, np.int32))

    def __len__(self) -> int:
        return len(self.sizes)

    def joined(self, more: Prints) -> Prints:
        """These texts, and then those."""
        return Prints(np.concatenate([self.bits, more.bits]), np.concatenate([self.sizes, more.sizes]))

    def extend(self, more: Prints) -> None:
        """Grow by more texts, where the memory lies: for prints that nobody else looks at."""
        n = len(self)
        self.bits.resize((n + len(more), self.bits.shape[1]), refcheck=False)
        self.sizes.resize(n + len(more), refcheck=False)
        self.bits[n:], self.sizes[n:] = more.bits, more.sizes

    def of(self, rows: Rows | Bool) -> Prints:
        """Some of the texts."""
        return Prints(self.bits[rows], self.sizes[rows])

    def may_share(self, left: npt.NDArray[np.integer], right: npt.NDArray[np.integer], least: float) -> Bool:
        """(p,) False where the texts of a pair cannot have the Jaccard similarity ``least``: never for one that has.

        A bit that differs is a shingle of one text alone. So many bits are at most the symmetric difference, which is
        at most (1 - J) / (1 + J) times both sizes (Sandes, Teodoro, Melo, "Bitmap filter", 2018)."""
        found = np.empty(len(left), np.bool_)
        share = (1 - least) / (1 + least)
        for start in range(0, len(left), _PRINT_PAIRS):
            part = slice(start, start + _PRINT_PAIRS)
            one, other = left[part], right[part]
            differing = np.bitwise_count(self.bits[one] ^ self.bits[other]).sum(axis=1, dtype=np.int32)
            found[part] = differing <= share * (self.sizes[one] + self.sizes[other]) + 1e-6
        return found


def band_codes(forms: Sequence[str]) -> U32:
    """(BANDS, n) the bucket of each text in each table. No text may be empty."""
    return signatures(forms)[0]


def signatures(forms: Sequence[str]) -> tuple[U32, Prints]:
    """As ``band_codes``, and the prints of the same texts."""
    codes, n = np.empty((BANDS, len(forms)), np.uint32), len(forms)
    prints = Prints(np.empty((n, PRINT_BITS // 64), np.uint64), np.empty(n, np.int32))

    def work(part: slice) -> None:
        hashes, starts = _grams(forms[part])
        prints.sizes[part] = np.diff(np.append(starts, len(hashes)))
        prints.bits[part] = _print_bits(hashes, prints.sizes[part])
        codes[:, part] = _bands(hashes, starts)

    parts = list(_pieces(np.fromiter(map(len, forms), np.int64, n), _CHUNK_CHARS, n))
    if len(parts) == 1:
        work(parts[0])
    elif parts:
        with ThreadPoolExecutor(min(_THREADS, len(parts)), "shingles") as pool:  # numpy lets other threads run
            list(pool.map(work, parts))
    return codes, prints


def _bands(hashes: U64, starts: Rows) -> U32:
    """(BANDS, n) of texts whose shingles have these hashes."""
    codes, values = np.empty((BANDS, len(starts)), np.uint32), (hashes >> _HIGH).astype(np.uint32)
    scratch = np.empty_like(values)
    for band in range(BANDS):
        code = np.zeros(len(starts), np.uint64)
        for depth in range(DEPTH):
            number = band * DEPTH + depth
            np.bitwise_xor(values, _MASKS[number], out=scratch)
            np.multiply(scratch, _SPREADS[number], out=scratch)
            code += np.minimum.reduceat(scratch, starts) * _BAND_FACTORS[depth]
        codes[band] = (_mixed(code) >> _HIGH).astype(np.uint32)
    return codes


def _print_bits(hashes: U64, sizes: npt.NDArray[np.int32]) -> U64:
    """By bits of the 48 that ``jaccard`` compares: what is one shingle there is one bit here."""
    bits = np.zeros((len(sizes), PRINT_BITS), np.uint8)
    places = (hashes >> _LOW48).astype(np.int64) & (PRINT_BITS - 1)
    bits.reshape(-1)[np.repeat(np.arange(len(sizes), dtype=np.int64) * PRINT_BITS, sizes) + places] = 1
    return np.packbits(bits, axis=1).view(np.uint64)


def jaccard(forms: Sequence[str], pairs: Pairs) -> npt.NDArray[np.float64]:
    """(p,) shared over all distinct shingles of each pair of rows of ``forms`` (exact up to chances of 2^-48)."""
    left, right = pairs
    lengths = np.maximum(np.fromiter(map(len, forms), np.int64, len(forms)), GRAM)
    found = np.empty(len(left), np.float64)
    for part in _pieces(lengths[left] + lengths[right], _PAIR_CHARS, _MOST_TEXTS):
        rows, places = np.unique(np.concatenate([left[part], right[part]]), return_inverse=True)
        ends = places.reshape(2, -1)
        shingles, starts = _distinct_grams([forms[row] for row in rows])
        found[part] = _shared_share(shingles, starts, ends[0], ends[1])
    return found


def _shared_share(shingles: U64, starts: Rows, left: Rows, right: Rows) -> npt.NDArray[np.float64]:
    """Both sides' shingles of a pair in one row of numbers; sorted, what is shared lies twice side by side."""
    counts = np.diff(starts)
    sides = np.stack([left, right], axis=1).reshape(-1)
    sizes = counts[sides]
    ends = np.cumsum(sizes)
    index = np.arange(ends[-1]) + np.repeat(starts[sides] - (ends - sizes), sizes)
    whose = np.repeat(np.arange(len(left), dtype=np.uint64) << _WHOSE, sizes[::2] + sizes[1::2])
    both = np.sort(shingles[index] | whose)
    twice = both[1:][both[1:] == both[:-1]]
    shared = np.bincount((twice >> _WHOSE).astype(np.int64), minlength=len(left))
    return np.asarray(shared / (sizes[::2] + sizes[1::2] - shared), np.float64)


def _distinct_grams(forms: Sequence[str]) -> tuple[U64, Rows]:
    """48-bit shingles, each text's own sorted and once; text i has those from ``starts[i]`` to ``starts[i + 1]``."""
    hashes, starts = _grams(forms)
    sizes = np.diff(np.append(starts, len(hashes)))
    whose = np.repeat(np.arange(len(forms), dtype=np.uint64) << _WHOSE, sizes)
    ordered = np.sort(hashes >> _LOW48 | whose)
    fresh = np.ones(len(ordered), dtype=bool)
    fresh[1:] = ordered[1:] != ordered[:-1]
    ordered = ordered[fresh]
    counts = np.bincount((ordered >> _WHOSE).astype(np.int64), minlength=len(forms))
    return ordered << _LOW48 >> _LOW48, np.concatenate([[0], np.cumsum(counts)])


def _grams(forms: Sequence[str]) -> tuple[U64, Rows]:
    """A 64-bit hash of each shingle, text after text, and where each text starts. A text that is shorter than a
    shingle is one, filled up with a character that no text has."""
    padded = [form if len(form) >= GRAM else form.ljust(GRAM, "\0") for form in forms]
    points = np.frombuffer("".join(padded).encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)
    ends = np.cumsum(np.fromiter(map(len, padded), np.int64, len(padded)))
    count = len(points) - GRAM + 1
    hashes = points[:count] * _FACTORS[0]
    for place in range(1, GRAM):
        hashes += points[place : place + count] * _FACTORS[place]
    inside = np.ones(len(points), dtype=bool)
    for place in range(1, GRAM):
        inside[ends - place] = False  # these would reach into the next text
    sizes = np.diff(ends, prepend=0) - (GRAM - 1)
    return _mixed(hashes[inside[:count]]), np.cumsum(sizes) - sizes


def _mixed(hashes: U64) -> U64:
    """Every bit depends on all (the finisher of SplitMix64, Steele, Lea and Flood 2014)."""
    hashes = (hashes ^ (hashes >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    hashes = (hashes ^ (hashes >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return hashes ^ (hashes >> np.uint64(31))


def _pieces(weights: Rows, limit: int, most: int) -> Iterator[slice]:
    """Slices that weigh about ``limit`` each, a single heavy row alone more, and hold at most ``most`` rows."""
    totals = np.cumsum(weights)
    start = 0
    while start < len(weights):
        before = totals[start - 1] if start else 0
        end = max(start + 1, int(np.searchsorted(totals, before + limit, side="right")))
        end = min(end, start + most)
        yield slice(start, end)
        start = end
