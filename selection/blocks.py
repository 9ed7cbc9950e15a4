"""A frame in pieces: blocks of items without their embeddings, and counts of them that add up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import compress

import numpy as np
import numpy.typing as npt

from selection.hashing import U64
from selection.sampling import I64
from selection.types import F32, QUOTA_FIELDS, Bool, Pool

BLOCK_ROWS = 65_536
_WORDS = ("languages", "markets", "modalities")  # in the order of QUOTA_FIELDS


@dataclass(frozen=True, slots=True)
class Block:
    """b items of a frame; fields as in ``Pool``. ``groups`` (b,): equal numbers from 0 up are near-duplicates, in any
    block, and a negative number says that nobody else is in the item's group; None: nobody has near-duplicates.
    ``hashes`` (b,): ``item_hashes`` of the ids, None where they are not known yet."""

    ids: Sequence[str]
    probabilities: F32
    eligible: Bool
    languages: Sequence[str]
    markets: Sequence[str] | None = None
    modalities: Sequence[str] | None = None
    groups: I64 | None = None
    hashes: U64 | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def words(self, key: str) -> Sequence[str] | None:
        """The items' values of a key of ``QUOTA_FIELDS``."""
        found: Sequence[str] | None = getattr(self, _WORDS[QUOTA_FIELDS.index(key)])
        return found

    def of(self, rows: npt.NDArray[np.int64]) -> Block:
        """Those rows alone."""
        places = rows.tolist()

        def words(values: Sequence[str] | None) -> list[str] | None:
            return None if values is None else [values[row] for row in places]

        return Block(
            ids=[self.ids[row] for row in places],
            probabilities=self.probabilities[rows],
            eligible=self.eligible[rows],
            languages=[self.languages[row] for row in places],
            markets=words(self.markets),
            modalities=words(self.modalities),
            groups=None if self.groups is None else self.groups[rows],
            hashes=None if self.hashes is None else self.hashes[rows],
        )

    def pool(self, policies: tuple[str, ...]) -> Pool:
        """As a pool whose items have no embedding. Each item of a negative group is in one of its own."""
        groups = self.groups
        if groups is not None:
            own = np.arange(len(self), dtype=np.int64) + int(groups.max(initial=-1)) + 1
            groups = np.where(groups < 0, own, groups)
        return Pool(
            ids=tuple(self.ids),
            policies=policies,
            probabilities=self.probabilities,
            embeddings=np.zeros((len(self), 1), np.float16),
            eligible=self.eligible,
            languages=tuple(self.languages),
            markets=None if self.markets is None else tuple(self.markets),
            modalities=None if self.modalities is None else tuple(self.modalities),
            groups=groups,
        )


def joined(blocks: Sequence[Block]) -> Block:
    """One block of several, at least one; a field that one lacks is lacking, words are then empty."""
    first = blocks[0]
    if len(blocks) == 1:
        return first

    def words(key: str) -> list[str] | None:
        each = [block.words(key) for block in blocks]
        if all(values is None for values in each):
            return None
        return [word for block, values in zip(blocks, each, strict=True) for word in values or [""] * len(block)]

    groups = [block.groups if block.groups is not None else np.full(len(block), -1) for block in blocks]
    return Block(
        ids=[item_id for block in blocks for item_id in block.ids],
        probabilities=np.concatenate([block.probabilities for block in blocks]),
        eligible=np.concatenate([block.eligible for block in blocks]),
        languages=words("language") or [],
        markets=words("market"),
        modalities=words("modality"),
        groups=np.concatenate(groups),
        hashes=np.concatenate([block.hashes for block in blocks if block.hashes is not None]),
    )


def blocks_of(pool: Pool, hashes: U64, rows: int = BLOCK_ROWS) -> Iterator[Block]:
    """The pool in pieces. ``hashes`` (n,) of its ids."""
    groups = None if pool.groups is None else _shared(pool.groups)
    for start in range(0, len(pool.ids), rows):
        part = slice(start, start + rows)
        yield Block(
            ids=pool.ids[part],
            probabilities=pool.probabilities[part],
            eligible=pool.eligible[part],
            languages=pool.languages[part],
            markets=None if pool.markets is None else pool.markets[part],
            modalities=None if pool.modalities is None else pool.modalities[part],
            groups=None if groups is None else groups[part],
            hashes=hashes[part],
        )


def _shared(groups: I64) -> I64:
    """(n,) the groups from 0 up, -1 where an item is alone."""
    if groups.min(initial=0) < 0 or groups.max(initial=0) > 4 * len(groups):
        groups = np.unique(groups, return_inverse=True)[1].astype(np.int64)
    return np.where(np.bincount(groups)[groups] > 1, groups, -1)


@dataclass(slots=True)
class Tally:
    """Counts of a frame's items, which add up: ``rows`` read, ``items`` and ``pairs`` that may be picked; ``seen``
    holds the words of all rows."""

    rows: int = 0
    items: int = 0
    pairs: int = 0
    policies: I64 = field(default_factory=lambda: np.zeros(0, np.int64))
    words: dict[str, Counter[str]] = field(default_factory=dict)
    seen: dict[str, set[str]] = field(default_factory=dict)

    def add(self, block: Block) -> None:
        """Count a block in."""
        each, may = block.eligible.sum(axis=0), block.eligible.sum(axis=1).tolist()
        words = {key: block.words(key) for key in QUOTA_FIELDS}
        self.merge(
            Tally(
                len(block),
                sum(map(bool, may)),
                int(each.sum()),
                each,
                {key: Counter(compress(found, may)) for key, found in words.items() if found is not None},
                {key: set(found) for key, found in words.items() if found is not None},
            )
        )

    def merge(self, other: Tally) -> None:
        """Count another part in."""
        self.rows, self.items, self.pairs = self.rows + other.rows, self.items + other.items, self.pairs + other.pairs
        self.policies = other.policies + (self.policies if len(self.policies) else 0)
        for key, seen in other.seen.items():
            self.seen.setdefault(key, set()).update(seen)
            self.words.setdefault(key, Counter()).update(other.words[key])

    def counts(self, policies: tuple[str, ...], groups: int, units: int) -> dict[str, object]:
        """As ``Frame.counts`` tells them."""
        told = {key: dict(sorted((word, n) for word, n in found.items() if word)) for key, found in self.words.items()}
        others = {"markets": "market", "modalities": "modality"}
        return {
            "items": self.items,
            "pairs": self.pairs,
            "groups": groups,
            "units": units,
            "policies": dict(zip(policies, self.policies.tolist(), strict=True)),
            "languages": told.get("language", {}),
            **{name: told[key] for name, key in others.items() if any(self.seen.get(key, ()))},
        }

    def pool(self, policies: tuple[str, ...]) -> Pool:
        """A pool of no items with the words of all, to hold a plan against."""
        nothing = np.zeros((0, len(policies)), np.float32)
        words = {key: tuple(sorted(seen)) for key, seen in self.seen.items()}
        return Pool(
            ids=(),
            policies=policies,
            probabilities=nothing,
            embeddings=nothing,
            eligible=nothing.astype(np.bool_),
            languages=words.get("language", ()),
            markets=words.get("market"),
            modalities=words.get("modality"),
        )
