"""When two golden items are near-duplicates: said once, for partitions (``labeling.golden.partition``) and for the
proof that training gives no evaluation item away (``labeling.golden.leaks``).

Two items are close when any signal says so, and near-duplicates when a chain of close ones joins them:

- the same content (hash), or texts of the same letters (``selection.near.bones``);
- texts that share most runs of characters (``selection.near.shingles``: MinHash to find, Jaccard to decide);
- pictures whose perceptual hashes differ in few bits; an image that has a hash is compared with images by it, and with
  texts by its caption (``labeling.golden.captions``);
- embeddings by cosine.

From where on is ``Closeness``, as a round groups its items (``labeling.near_duplicates``). At a cosine of 1 only equal
embeddings, texts of the same letters and close pictures count.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import cast

import numpy as np

from labeling.golden.captions import Captions, caption_letters
from labeling.golden.text import content_hash
from labeling.golden.vectors import F32, Vectors
from labeling.near_duplicates import closeness_of
from labeling.pictures import Pictures
from labeling.records import GoldenItem
from selection.near import shingles, vectors
from selection.near.bones import letters
from selection.near.buckets import U64, first_of_equals
from selection.near.forest import Bool, Forest, Pairs, Rows
from selection.near.grouping import Closeness, Contents, Grouping

BATCH = 65_536  # items whose embeddings are read at a time
_EMPTY = content_hash("")
_NOTHING = (np.zeros(0, np.uint64), np.zeros(0, np.uint64))


@dataclass(frozen=True, slots=True)
class Subject:
    """What is compared of an item. ``text``: "" where it is gone; ``content_hash`` (hex, "": none) speaks for it then.
    Of an image, ``text`` is its caption."""

    item_id: str
    text: str
    content_hash: str

    @classmethod
    def of(cls, item: GoldenItem) -> Subject:
        """That of a golden row; the rows of an item have one."""
        return cls(item.item_id, item.text, item.content_hash)


@dataclass(frozen=True, slots=True)
class Sources:
    """Where signals come from that a golden row does not hold, and from where on they count."""

    vectors: Vectors
    pictures: Pictures
    closeness: Closeness

    @classmethod
    def at(cls, cosine: float, vectors: Vectors, pictures: Pictures) -> Sources:
        """``cosine`` above 0, as the setting ``duplicate_cosine``."""
        return cls(vectors, pictures, closeness_of(cosine))


@dataclass(frozen=True, slots=True)
class Signals:
    """Of n items: ``forms`` are the letters compared ("": none); ``letters``, ``contents`` and ``pictures`` (n,) say
    the same where they are equal and not 0, pictures also where few bits differ; ``embeddings`` (n, d), a zero row
    where there is none; ``captions``: the letters of what is said of an image that has a picture's hash."""

    ids: Sequence[str]
    forms: list[str]
    letters: U64
    contents: U64
    pictures: U64
    embeddings: F32
    captions: list[str]

    @classmethod
    def of(cls, subjects: Sequence[Subject], sources: Sources) -> Signals:
        """Read and hash what is known of these items, each of them once."""
        ids = [subject.item_id for subject in subjects]
        seen = _hashes(sources.pictures, ids)
        forms = ["" if picture else letters(s.text) for s, picture in zip(subjects, seen.tolist(), strict=True)]
        contents, rows = _contents(subjects), _matrix(sources.vectors, ids)
        said = [caption_letters(s.text) if picture else "" for s, picture in zip(subjects, seen.tolist(), strict=True)]
        return cls(ids, forms, shingles.text_hashes(forms), contents, seen, rows, said)

    def one(self, row: int) -> Signals:
        """Those of one item."""
        part = slice(row, row + 1)
        return Signals(
            self.ids[part],
            self.forms[part],
            self.letters[part],
            self.contents[part],
            self.pictures[part],
            self.embeddings[part],
            self.captions[part],
        )

    def founder(self, row: int) -> str:
        """The name of the group that this item founds when it is near nobody: the same for equal letters or pictures,
        whoever of them comes first."""
        if self.forms[row]:
            said = f"text\0{self.forms[row]}"
        elif self.pictures[row]:
            said = f"picture\0{int(self.pictures[row])}"
        else:
            said = f"item\0{self.ids[row]}"
        return sha256(said.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def groups_of(subjects: Sequence[Subject], sources: Sources) -> Rows:
    """(n,) equal numbers for near-duplicates, without comparing all with all. No item may come twice.

    Where more than 49 different texts share a bucket, or more than 4,096 embeddings are compared, a pair right at the
    threshold may be passed over (``selection.near.index``); what is joined is always close."""
    index, earlier = Grouping(sources.closeness), _Earlier(subjects, sources)
    read = [_grow(index, subjects[start : start + BATCH], earlier) for start in range(0, len(subjects), BATCH)]
    forest, rows = Forest(index.roots()), np.arange(len(subjects))
    del index  # its room is for what follows
    contents, pictured = (np.concatenate(side) for side in zip(_NOTHING, *read, strict=True))
    forest.join((first_of_equals(contents), rows))
    for pairs in _captioned(subjects, np.flatnonzero(pictured), sources.closeness.jaccard):
        forest.join(pairs)
    return forest.labels()


def _grow(index: Grouping, part: Sequence[Subject], earlier: _Earlier) -> tuple[U64, U64]:
    """Take items in; their contents' hashes, and those of their pictures."""
    ids, sources = [subject.item_id for subject in part], earlier.sources
    seen = _hashes(sources.pictures, ids)
    texts = ["" if picture else subject.text for subject, picture in zip(part, seen.tolist(), strict=True)]
    index.grow(Contents(len(ids), texts, _matrix(sources.vectors, ids), seen), earlier)
    return _contents(part), seen


def _captioned(subjects: Sequence[Subject], images: Rows, jaccard: float) -> Iterator[Pairs]:
    """Pairs of an image (a row of ``images``) and the text that its caption says."""
    captions, shown = Captions([caption_letters(subjects[row].text) for row in images], jaccard), set(images.tolist())
    for start in range(0, len(subjects), BATCH) if len(captions) else ():
        part = range(start, min(start + BATCH, len(subjects)))
        said, told_ = captions.pairs(["" if row in shown else letters(subjects[row].text) for row in part])
        yield images[said], told_ + start


def told(one: Signals, other: Signals, pairs: Pairs, closeness: Closeness) -> Iterator[tuple[str, Bool]]:
    """What two items may share, the strongest first, and (p,) which pairs (row of ``one``, row of ``other``) do."""
    left, right = pairs
    for how, mine, theirs in (
        ("same text", one.contents, other.contents),
        ("same text after normalisation", one.letters, other.letters),
    ):
        yield how, (mine[left] == theirs[right]) & (mine[left] != 0)
    yield f"pictures that differ in at most {closeness.distance} bits", _few_bits(one, other, pairs, closeness.distance)
    yield (
        f"texts that share {closeness.jaccard:.0%} of their runs of characters",
        _share_runs(one, other, pairs, closeness),
    )
    yield (
        f"a caption and a text that share {closeness.jaccard:.0%} of their runs of characters",
        _captions_say(one, other, pairs, closeness) | _captions_say(other, one, (right, left), closeness),
    )
    yield f"embeddings closer than {closeness.cosine:g}", close_embeddings(one, other, pairs, closeness.cosine)


def close_embeddings(one: Signals, other: Signals, pairs: Pairs, cosine: float) -> Bool:
    """(p,) which pairs have embeddings that are at least ``cosine`` similar; from 1 on: equal."""
    left, right = pairs
    mine, theirs = (np.asarray(side.embeddings.any(axis=1)) for side in (one, other))
    made: Bool = mine[left] & theirs[right]
    if not made.any() or one.embeddings.shape[1] != other.embeddings.shape[1]:
        return np.zeros(len(left), np.bool_)
    if cosine >= 1:
        same: Bool = vectors.row_hashes(one.embeddings)[left] == vectors.row_hashes(other.embeddings)[right]
        return made & same
    both = np.concatenate([one.embeddings, other.embeddings])
    return made & vectors.close(both, (left, right + len(one.ids)), cosine)


def _few_bits(one: Signals, other: Signals, pairs: Pairs, distance: int) -> Bool:
    mine, theirs = one.pictures[pairs[0]], other.pictures[pairs[1]]
    return np.asarray((mine != 0) & (theirs != 0) & (np.bitwise_count(mine ^ theirs) <= distance))


def _share_runs(one: Signals, other: Signals, pairs: Pairs, closeness: Closeness) -> Bool:
    found = np.zeros(len(pairs[0]), np.bool_)
    both = (one.letters[pairs[0]] != 0) & (other.letters[pairs[1]] != 0)
    if closeness.jaccard >= 1 or not both.any():
        return found
    ends = (pairs[0][both], pairs[1][both] + len(one.forms))
    found[both] = shingles.jaccard([*one.forms, *other.forms], ends) >= closeness.jaccard
    return found


def _captions_say(one: Signals, other: Signals, pairs: Pairs, closeness: Closeness) -> Bool:
    """(p,) where the caption of ``one`` says what the text of ``other`` does."""
    found, (left, right) = np.zeros(len(pairs[0]), np.bool_), pairs
    both = np.array([bool(form) for form in one.captions], np.bool_)[left] & (other.letters[right] != 0)
    if both.any():
        ends = (left[both], right[both] + len(one.captions))
        found[both] = shingles.jaccard([*one.captions, *other.forms], ends) >= closeness.jaccard
    return found


@dataclass(frozen=True, slots=True)
class _Earlier:
    """What ``selection.near.grouping`` reads of rows that it was given before."""

    subjects: Sequence[Subject]
    sources: Sources

    def texts(self, rows: Rows) -> list[str]:
        found = [self.subjects[row] for row in rows.tolist()]
        hashes = self.sources.pictures([subject.item_id for subject in found])
        return ["" if hashes.get(subject.item_id) else subject.text for subject in found]

    def vectors(self, rows: Rows) -> F32:
        return _matrix(self.sources.vectors, [self.subjects[row].item_id for row in rows.tolist()])


def _hashes(source: Pictures, ids: Sequence[str]) -> U64:
    found = source(ids)
    return np.array([found.get(item_id, 0) for item_id in ids], np.uint64)


def _contents(subjects: Iterable[Subject]) -> U64:
    """64 bits of each content hash, the same within this process; 0 where there is no content."""
    held = ("" if subject.content_hash == _EMPTY else subject.content_hash for subject in subjects)
    return np.fromiter(map(hash, held), np.int64).view(np.uint64)  # Python's hash of "" is 0


def _matrix(source: Vectors, ids: Sequence[str]) -> F32:
    """(len(ids), d) float32, zero rows for items without an embedding; d = 1 where none has one."""
    found = source(ids)
    if not found:
        return np.zeros((len(ids), 1), np.float32)
    rows = np.zeros((len(ids), len(next(iter(found.values())))), np.float32)
    for place, item_id in enumerate(ids):
        if item_id in found:
            rows[place] = found[item_id]
    return cast(F32, rows)
