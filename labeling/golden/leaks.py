"""Would training on these items tell the model the exam questions?

A leak is a training item that is an evaluation item (sealed, anchor, dev, calibration) or a near-duplicate of one, by
the same definition that partitions have (``labeling.golden.near``), or by the group that either was folded into.
Partition by group prevents leaks when items are folded in; this check proves it again, from the content and not from
the groups, whenever training material leaves the golden set.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from labeling.errors import LeakError
from labeling.golden.near import Signals, Sources, Subject, groups_of, told
from labeling.golden.partition import DUPLICATE_COSINE
from labeling.golden.vectors import Vectors, no_vectors
from labeling.pictures import Pictures, no_pictures
from labeling.records import GoldenItem, Partition
from selection.near.forest import Bool, Forest, Pairs

EVALUATION = (Partition.SEALED, Partition.ANCHOR, Partition.DEV, Partition.CALIBRATION)
MOST_PAIRS = 1_000_000  # of one answer: two large sides of one group would be more pairs than anybody reads
_NAMED = 10  # pairs named in a message
_GROUP = "same near-duplicate group"
Rows = Mapping[str, GoldenItem]  # by item


@dataclass(frozen=True, slots=True, order=True)
class Leak:
    """A training item and the evaluation item it gives away; ``how`` says what they share."""

    train_id: str
    evaluation_id: str
    partition: Partition
    how: str


@dataclass(frozen=True, slots=True)
class _Mixed:
    """A near-duplicate group that has items of both sides."""

    lessons: list[str]
    exams: list[str]


def find_leaks(
    training: Iterable[GoldenItem],
    evaluation: Iterable[GoldenItem],
    vectors: Vectors = no_vectors,
    cosine: float = DUPLICATE_COSINE,
    pictures: Pictures = no_pictures,
) -> list[Leak]:
    """Pairs of items that leak, each under the strongest thing they share, sorted by ids; one that only a chain of
    others joins is told as of the same group. Each item that leaks, of either side, is in a pair, and all close pairs
    are there unless they are more than ``MOST_PAIRS``. Not all are compared with all."""
    sources = Sources.at(cosine, vectors, pictures)
    ours = {item.item_id: item for item in training}
    theirs = {item.item_id: item for item in evaluation}
    found: dict[tuple[str, str], Leak] = {}
    for lesson, exam, how in _named(_mixed(ours, theirs, sources), ours, theirs, sources):
        found.setdefault((lesson, exam), Leak(lesson, exam, theirs[exam].partition, how))
    return sorted(found.values())


def refuse_leaks(
    training: Iterable[GoldenItem],
    evaluation: Iterable[GoldenItem],
    vectors: Vectors = no_vectors,
    cosine: float = DUPLICATE_COSINE,
    pictures: Pictures = no_pictures,
) -> None:
    """Raise LeakError naming the pairs (ids, never content), if there are any."""
    leaks = find_leaks(training, evaluation, vectors, cosine, pictures)
    if leaks:
        named = "; ".join(f"{x.train_id} gives away {x.evaluation_id} ({x.partition}, {x.how})" for x in leaks[:_NAMED])
        more = f"; and {len(leaks) - _NAMED} more" if len(leaks) > _NAMED else ""
        raise LeakError(
            f"training items leak evaluation items in {len(leaks)} pairs: {named}{more}. "
            "Merge their groups (goldfold golden regroup), and publish a new version"
        )


def _mixed(ours: Rows, theirs: Rows, sources: Sources) -> list[_Mixed]:
    items = list({**ours, **theirs}.values())  # an item of both sides is there once
    rows = {item.item_id: row for row, item in enumerate(items)}
    forest = Forest(groups_of([Subject.of(item) for item in items], sources))
    folded, first = [*ours.values(), *theirs.values()], dict[str, int]()
    left = [first.setdefault(item.group_id, rows[item.item_id]) for item in folded]
    forest.join((np.array(left, np.int64), np.array([rows[item.item_id] for item in folded], np.int64)))
    groups: dict[int, _Mixed] = {}
    for item, root in zip(items, forest.labels().tolist(), strict=True):
        group = groups.setdefault(root, _Mixed([], []))
        if item.item_id in ours:
            group.lessons.append(item.item_id)
        if item.item_id in theirs:
            group.exams.append(item.item_id)
    return [group for group in groups.values() if group.lessons and group.exams]


def _named(groups: Sequence[_Mixed], ours: Rows, theirs: Rows, sources: Sources) -> Iterator[tuple[str, str, str]]:
    """(training item, evaluation item, what they share), the strongest first."""
    lessons, exams = [i for g in groups for i in g.lessons], [i for g in groups for i in g.exams]
    if not groups:
        return
    one = Signals.of([Subject.of(ours[i]) for i in lessons], sources)
    other = Signals.of([Subject.of(theirs[i]) for i in exams], sources)
    pairs = _to_try(groups)
    left, right = pairs
    paired: set[tuple[bool, int]] = set()
    for how, shared in _told(one, other, pairs, [ours[i] for i in lessons], [theirs[i] for i in exams], sources):
        for lesson, exam in zip(left[shared].tolist(), right[shared].tolist(), strict=True):
            paired |= {(True, lesson), (False, exam)}
            yield lessons[lesson], exams[exam], how
    at = [0, 0]
    for group in groups:  # whom a chain alone joins
        yield from ((i, group.exams[0], _GROUP) for n, i in enumerate(group.lessons, at[0]) if (True, n) not in paired)
        yield from ((group.lessons[0], i, _GROUP) for n, i in enumerate(group.exams, at[1]) if (False, n) not in paired)
        at = [at[0] + len(group.lessons), at[1] + len(group.exams)]


def _told(
    one: Signals,
    other: Signals,
    pairs: Pairs,
    lessons: Sequence[GoldenItem],
    exams: Sequence[GoldenItem],
    sources: Sources,
) -> Iterator[tuple[str, Bool]]:
    ends = list(zip(pairs[0].tolist(), pairs[1].tolist(), strict=True))
    yield "same item", np.array([lessons[i].item_id == exams[j].item_id for i, j in ends], np.bool_)
    yield from told(one, other, pairs, sources.closeness)
    yield _GROUP, np.array([lessons[i].group_id == exams[j].group_id for i, j in ends], np.bool_)


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
