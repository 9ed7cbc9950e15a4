"""Would training on these items tell the model the exam questions?

A leak is a training item that is an evaluation item (sealed, anchor, dev, calibration) or a near-duplicate of one, by
the same definition that partitions have (``labeling.golden.near``), or by the group that either was folded into.
Partition by group prevents leaks when items are folded in; this check proves it again, from the content and not from
the groups, whenever training material leaves the golden set.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from labeling.errors import LeakError
from labeling.golden.columns import COMPARED, page_of_items
from labeling.golden.kept import Kept
from labeling.golden.near import Signals, Sources, groups_of, told
from labeling.golden.partition import DUPLICATE_COSINE
from labeling.golden.vectors import Vectors, no_vectors
from labeling.pictures import Pictures, no_pictures
from labeling.records import GoldenItem, Partition
from selection.near.buckets import U64, first_of_equals
from selection.near.forest import Bool, Forest, Pairs, Rows

EVALUATION = (Partition.SEALED, Partition.ANCHOR, Partition.DEV, Partition.CALIBRATION)
PAGE = 4096  # records that are taken in at a time
MOST_PAIRS = 1_000_000  # of one answer: two large sides of one group would be more pairs than anybody reads
_NAMED = 10  # pairs named in a message
_GROUP = "same near-duplicate group"
_PARTITIONS = [partition.value for partition in Partition]
_NO_EXAM = -1
_Exams = npt.NDArray[np.int8]


@dataclass(frozen=True, slots=True, order=True)
class Leak:
    """A training item and the evaluation item it gives away; ``how`` says what they share."""

    train_id: str
    evaluation_id: str
    partition: Partition
    how: str


@dataclass(frozen=True, slots=True)
class _Mixed:
    """A near-duplicate group that has items of both sides, by their places."""

    lessons: list[int]
    exams: list[int]


class Sides:
    """All items that are compared, each once: of an item of both sides, what the evaluation side says of it."""

    def __init__(self) -> None:
        self.subjects = Kept()
        self._exams: list[_Exams] = [
            np.zeros(0, np.int8)
        ]  # of each row of ``subjects`` its partition, of a lesson ``_NO_EXAM``
        # Of each row that came: the row of ``subjects`` that speaks for it, and the hash of its group.
        self._groups: list[tuple[Rows, U64]] = [(np.zeros(0, np.int64), np.zeros(0, np.uint64))]
        self._partitions: _Exams = np.zeros(0, np.int8)  # by place, as ``_exams``

    def add(self, page: pa.RecordBatch, *, lesson: bool) -> None:
        """Rows of a side (``labeling.golden.columns.COMPARED``); of several of an item the last one speaks for it."""
        ids, last = page["item_id"], np.ones(len(page), np.bool_)  # rows of an item mostly lie side by side
        last[:-1] = pc.not_equal(ids[:-1], ids[1:]).to_numpy(zero_copy_only=False)
        hashes = np.fromiter(map(hash, page["group_id"].to_pylist()), np.int64, len(page)).view(np.uint64)
        self._groups.append((np.asarray(self.subjects.rows + np.cumsum(last) - last, np.int64), hashes))
        speaking = page.filter(pa.array(last))
        exams = pc.index_in(speaking["partition"], value_set=pa.array(_PARTITIONS)).to_numpy().astype(np.int8)
        self._exams.append(np.full_like(exams, _NO_EXAM) if lesson else exams)
        self.subjects.extend(speaking)

    def mixed(self, sources: Sources) -> list[_Mixed]:
        """The near-duplicate groups with items of both sides."""
        lessons, exams = self._sides()
        pa.default_memory_pool().release_unused()  # what reading took is room for the index
        forest = Forest(groups_of(self.subjects, sources))
        places, hashes = self._grouped_places()
        forest.join((places[first_of_equals(hashes)], places))
        roots = forest.labels()
        both = np.intersect1d(roots[lessons], roots[exams])
        groups = {int(root): _Mixed([], []) for root in both}
        for place in np.flatnonzero(np.isin(roots, both)).tolist():
            group = groups[int(roots[place])]
            if lessons[place]:
                group.lessons.append(place)
            if exams[place]:
                group.exams.append(place)
        return sorted(groups.values(), key=lambda group: min(group.lessons + group.exams))

    def partition(self, place: int) -> Partition:
        """Of an exam."""
        return Partition(_PARTITIONS[self._partitions[place]])

    def grouped(self, places: Sequence[int]) -> list[set[int]]:
        """The hashes of the groups that each of some items was folded into."""
        found: dict[int, set[int]] = {place: set() for place in places}
        held, hashes = self._grouped_places()
        wanted = np.isin(held, np.array(list(found), np.int64))
        for place, group in zip(held[wanted].tolist(), hashes[wanted].tolist(), strict=True):
            found[place].add(group)
        return [found[place] for place in places]

    def _sides(self) -> tuple[Bool, Bool]:
        """By place: is it a lesson, is it an exam?"""
        places, exams = self.subjects.places, np.concatenate(self._exams)
        is_lesson, last = np.zeros(len(self.subjects), np.bool_), np.full(len(self.subjects), -1)
        is_lesson[places[exams == _NO_EXAM]] = True
        rows = np.flatnonzero(exams != _NO_EXAM)
        np.maximum.at(last, places[rows], rows)
        self._partitions = np.where(last >= 0, exams[last], np.int8(_NO_EXAM))
        return is_lesson, last >= 0

    def _grouped_places(self) -> tuple[Rows, U64]:
        """Places of items, and the hash of a group that each was folded into."""
        rows, hashes = (np.concatenate(side) for side in zip(*self._groups, strict=True))
        return self.subjects.places[rows], hashes


def find_leaks(
    training: Iterable[GoldenItem],
    evaluation: Iterable[GoldenItem],
    vectors: Vectors = no_vectors,
    cosine: float = DUPLICATE_COSINE,
    pictures: Pictures = no_pictures,
) -> list[Leak]:
    """Pairs of items that leak, each under the strongest thing they share, sorted by ids; one that only a chain of
    others joins is told as of the same group. Each item that leaks, of either side, is in a pair, and all close pairs
    are there unless they are more than ``MOST_PAIRS``. Not all are compared with all, and of a row little is held
    (``labeling.golden.kept``)."""
    sides = Sides()
    for lesson, rows in ((True, training), (False, evaluation)):
        for page in compared(rows):
            sides.add(page, lesson=lesson)
    return _leaks(sides, Sources.at(cosine, vectors, pictures))


def compared(items: Iterable[GoldenItem]) -> Iterator[pa.RecordBatch]:
    """Records as ``Sides`` takes them."""
    rest = iter(items)
    while part := list(islice(rest, PAGE)):
        yield page_of_items(part, COMPARED)


def _leaks(sides: Sides, sources: Sources) -> list[Leak]:
    found: dict[tuple[str, str], Leak] = {}
    ids = sides.subjects.ids
    for lesson, exam, how in _named(sides.mixed(sources), sides, sources):
        pair = (ids[lesson].as_py(), ids[exam].as_py())
        found.setdefault(pair, Leak(*pair, sides.partition(exam), how))
    return sorted(found.values())


def refuse_leaks(
    training: Iterable[GoldenItem],
    evaluation: Iterable[GoldenItem],
    vectors: Vectors = no_vectors,
    cosine: float = DUPLICATE_COSINE,
    pictures: Pictures = no_pictures,
) -> None:
    """Raise LeakError naming the pairs (ids, never content), if there are any."""
    _refuse(find_leaks(training, evaluation, vectors, cosine, pictures))


def refuse_mixed(sides: Sides, vectors: Vectors, cosine: float, pictures: Pictures) -> None:
    """As ``refuse_leaks``, of sides that somebody filled while reading the rows for another reason too."""
    _refuse(_leaks(sides, Sources.at(cosine, vectors, pictures)))


def _refuse(leaks: Sequence[Leak]) -> None:
    if leaks:
        named = "; ".join(f"{x.train_id} gives away {x.evaluation_id} ({x.partition}, {x.how})" for x in leaks[:_NAMED])
        more = f"; and {len(leaks) - _NAMED} more" if len(leaks) > _NAMED else ""
        raise LeakError(
            f"training items leak evaluation items in {len(leaks)} pairs: {named}{more}. "
            "Merge their groups (goldfold golden regroup), and publish a new version"
        )


def _named(groups: Sequence[_Mixed], sides: Sides, sources: Sources) -> Iterator[tuple[int, int, str]]:
    """(place of a training item, of an evaluation item, what they share), the strongest first."""
    lessons, exams = [i for g in groups for i in g.lessons], [i for g in groups for i in g.exams]
    if not groups:
        return
    pairs = _to_try(groups)
    left, right = pairs
    paired: set[tuple[bool, int]] = set()
    for how, shared in _told(lessons, exams, pairs, sides, sources):
        for lesson, exam in zip(left[shared].tolist(), right[shared].tolist(), strict=True):
            paired |= {(True, lesson), (False, exam)}
            yield lessons[lesson], exams[exam], how
    at = [0, 0]
    for group in groups:  # whom a chain alone joins
        yield from ((i, group.exams[0], _GROUP) for n, i in enumerate(group.lessons, at[0]) if (True, n) not in paired)
        yield from ((group.lessons[0], i, _GROUP) for n, i in enumerate(group.exams, at[1]) if (False, n) not in paired)
        at = [at[0] + len(group.lessons), at[1] + len(group.exams)]


def _told(
    lessons: Sequence[int], exams: Sequence[int], pairs: Pairs, sides: Sides, sources: Sources
) -> Iterator[tuple[str, Bool]]:
    one, other = (Signals.of([sides.subjects[i] for i in side], sources) for side in (lessons, exams))
    ends = list(zip(pairs[0].tolist(), pairs[1].tolist(), strict=True))
    yield "same item", np.array([lessons[i] == exams[j] for i, j in ends], np.bool_)
    yield from told(one, other, pairs, sources.closeness)
    ours, theirs = sides.grouped(lessons), sides.grouped(exams)
    yield _GROUP, np.array([bool(ours[i] & theirs[j]) for i, j in ends], np.bool_)


def _to_try(groups: Sequence[_Mixed]) -> Pairs:
    """All pairs of each group, while they are few; then each item with the first of the other side."""
    parts, left, at = list[Pairs](), MOST_PAIRS, [0, 0]
    for group in groups:
        lessons, exams = np.arange(len(group.lessons)), np.arange(len(group.exams))
        if len(lessons) * len(exams) <= left:
            i, j = np.repeat(lessons, len(exams)), np.tile(exams, len(lessons))
            left -= len(i)
        else:
            i = np.concatenate([lessons, np.zeros(len(exams), np.int64)])
            j = np.concatenate([np.zeros(len(lessons), np.int64), exams])
        parts.append((i + at[0], j + at[1]))
        at = [at[0] + len(lessons), at[1] + len(exams)]
    return np.concatenate([i for i, _ in parts]), np.concatenate([j for _, j in parts])
