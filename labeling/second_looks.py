"""Second looks: which labels may be looked at again, what stood behind them, and what a new answer makes of them.

Only gold of the partition ``train`` is looked at again. Whether a look is worth it depends on what a model thinks of
the label: labels that judge a model must not be chosen by that, or only those against it would ever be corrected, and
its figures would rise by themselves.

Nobody is kept from opening an item twice: the free Label Studio shows a project's tasks to all its members, and closes
a task for good once as many have answered as were asked for. So one person is asked; who answered before, or decided as
a lead, does not count; and where it was such a person, the question is sent once more, to one person more than have
judged the item, so that a new one is surely among them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

import numpy as np

from labeling.adjudication import Refusal, derived, labellers
from labeling.consensus import Agreed, Decision, Disputed, Waiting, author, difference, one_each, plain, votes
from labeling.policy_versions import parts
from labeling.records import Adjudication, Annotation, GoldenItem, How, Outcome, Task, TaskKind, TaskState
from labeling.round_labels import said, train_rows
from labeling.scorebook import F32, Judge, read_sheet
from labeling.store.interfaces import Annotations, Golden, Lake, Tasks
from labeling.training import label_matrix
from selection.hashing import F64
from selection.out_of_fold import out_of_fold
from selection.relabel import UNKNOWN, SecondLooks
from selection.strategies.pointwise import adjusted

AGAIN = "judged this item before, so a second look at it does not count; somebody else must look"
WITHDRAWN = "only people who had judged the item before have answered; it was sent once more"
Pair = tuple[str, str]  # item id, policy id
_OPEN = (TaskState.QUEUED, TaskState.SENDING, TaskState.SENT, TaskState.ANSWERED, TaskState.QUARANTINED)


class Answers(Protocol):
    """The part of the ledger that says what people have answered so far."""

    @property
    def tasks(self) -> Tasks: ...

    @property
    def annotations(self) -> Annotations: ...

    @property
    def golden(self) -> Golden: ...


@dataclass(frozen=True, slots=True)
class Earlier:
    """What was known of a pair before somebody looks again, under one policy version: the ``final`` answers, oldest
    first, and the ``answers`` behind them, one a person. ``beside``: who judged it beside a suggestion."""

    finals: tuple[Adjudication, ...]
    answers: tuple[Annotation, ...]
    beside: frozenset[str] = frozenset()

    @property
    def final(self) -> Adjudication:
        """The answer that stands."""
        return self.finals[-1]

    @property
    def leads(self) -> frozenset[str]:
        """Who decided between others' answers."""
        return frozenset(final.adjudicator for final in self.finals if final.adjudicator)

    @property
    def enough(self) -> int:
        """How many people must be asked so that one of them has not judged the item before."""
        return 1 + len({author(answer) for answer in self.answers} | self.leads | self.beside)


def earlier(stores: Answers, pairs: Collection[Pair], until: datetime | None = None) -> dict[Pair, Earlier]:
    """Of those ``pairs`` that have a final answer, given at ``until`` at the latest."""
    finals: dict[Pair, list[Adjudication]] = {}
    for final in stores.golden.adjudications():
        pair = (final.item_id, final.policy_id)
        if pair in pairs and (until is None or final.created_at <= until):
            finals.setdefault(pair, []).append(final)
    current = {pair: _of_newest_version(mine) for pair, mine in finals.items()}
    tasks = [final.task_id for mine in current.values() for final in mine]
    found, beside = stores.annotations.current(tasks), _beside(stores, tasks)
    return {
        pair: Earlier(
            tuple(mine),
            independent([found[final.task_id] for final in mine]),
            frozenset(person for final in mine for person in beside.get(final.task_id, ())),
        )
        for pair, mine in current.items()
    }


def _of_newest_version(finals: Sequence[Adjudication]) -> list[Adjudication]:
    """What was decided under the highest policy version: an older one may have been answered later."""
    newest = max((final.policy_version for final in finals), key=parts)
    return [final for final in finals if final.policy_version == newest]


def _beside(stores: Answers, task_ids: Sequence[str]) -> dict[str, frozenset[str]]:
    """By blind task: who answered its assisted one."""
    twins = stores.tasks.children(task_ids, TaskKind.ASSISTED)
    answers = stores.annotations.current([twin.task_id for twin in twins])
    return {str(t.parent_task_id): frozenset(author(answer) for answer in answers[t.task_id]) for t in twins}


def independent(copies: Sequence[Sequence[Annotation]]) -> tuple[Annotation, ...]:
    """One answer a person out of the answers to each copy of an item, oldest copy first: nobody agrees with
    themselves, so what somebody says of a later copy is left out."""
    kept: dict[str, Annotation] = {}
    for answers in copies:
        for person, answer in {author(answer): answer for answer in one_each(answers)}.items():
            kept.setdefault(person, answer)
    return tuple(kept.values())


def judges(stores: Answers, before: Earlier) -> frozenset[str]:
    """Everybody who has judged the item: who answered, even where they took it back, who decided, and who answered
    beside a suggestion."""
    events = (event for final in before.finals for event in stores.annotations.events(final.task_id))
    return labellers(events) | before.leads | before.beside


def fresh(annotations: Sequence[Annotation], known: Collection[str]) -> tuple[list[Annotation], list[Refusal]]:
    """The answers to a second look that count, and why the others do not: those of people who are ``known`` to have
    judged the item."""
    counted, refused = [], []
    for answer in one_each(annotations):
        names = {name.strip().casefold() for name in (answer.annotator, answer.updated_by) if name}
        if names.isdisjoint(known):
            counted.append(answer)
        else:
            refused.append(Refusal(answer.annotator, AGAIN))
    return counted, refused


def once_more(task: Task, people: int, now: datetime) -> Task:
    """The same question for as many ``people`` as are surely enough. Its id is a hash of the first one's random one: as
    opaque, and the same if it is made twice."""
    return replace(
        task,
        task_id=derived("second-look", task.task_id),
        overlap=people,
        extra=0,
        state=TaskState.QUEUED,
        project_id=None,
        studio_task_id=None,
        error="",
        created_at=now,
        updated_at=now,
    )


def decide_again(new: Sequence[Annotation], before: Earlier) -> Decision:
    """What ``new`` answers (those that count) make of the label that stands: it stays, with more votes, when all of
    them agree with it (same outcome, same rule, severities less than two levels apart); otherwise a lead decides."""
    if not new:
        return Waiting(have=0, need=1)
    answers = (*before.answers, *new)
    tally, people = votes(answers), tuple(author(answer) for answer in answers)
    reason = difference([before.final.answer, *(plain(answer.answer) for answer in new)])
    if reason:
        return Disputed(f"a second look: {reason}", tally, people, answers)
    how = How.UNANIMOUS if len(tally) == 1 else How.CONSENSUS
    how = How.ADJUDICATED if before.final.how is How.ADJUDICATED else how
    return Agreed(before.final.answer, how, tally, people)


@dataclass(frozen=True, slots=True)
class Question:
    """What a round asks under: policy ``versions``, and ``thresholds`` by modality; ``items``: those in its pool;
    ``until``: gold folded in later is left for the next round; ``minutes`` of one person's look at each, None where
    nobody counts."""

    versions: Mapping[str, str]
    thresholds: Mapping[str, Mapping[str, float]]
    items: Collection[str]
    until: datetime | None = None
    minutes: Callable[[Sequence[str]], F32] | None = None

    @property
    def policies(self) -> tuple[str, ...]:
        """In the order of the pool's columns."""
        return tuple(sorted(self.versions))


def second_looks(stores: Answers, lake: Lake, judges: Mapping[str, Judge], question: Question) -> SecondLooks | None:
    """``judges``: the scorer of each modality. The labels of the partition ``train`` that this round may have looked at
    again: given under the same policy version, of items in the pool, and not with somebody now. None without any."""
    until = question.until
    rows = [row for row in train_rows(stores.golden, question.policies) if until is None or row.folded_at <= until]
    waiting = {(task.item_id, task.policy_id) for task in stores.tasks.where(states=_OPEN, kind=TaskKind.BLIND)}
    same = [row for row in rows if row.policy_version == question.versions[row.policy_id]]
    behind = earlier(stores, {_pair(row) for row in same if row.item_id in question.items} - waiting, until)
    standing = [row for row in same if _pair(row) in behind]
    if not standing:
        return None
    chances: dict[str, F64] = {}
    for modality, judge in judges.items():
        mine = [row for row in rows if row.modality == modality]
        chances |= _chances(lake, judge, question, mine, question.thresholds[modality])
    standing = [row for row in standing if row.item_id in chances and row.policy_id in judges[row.modality].policies]
    return _looks(question, standing, [behind[_pair(row)] for row in standing], chances) if standing else None


def _pair(row: GoldenItem) -> Pair:
    return row.item_id, row.policy_id


def _chances(
    lake: Lake, scorer: Judge, question: Question, rows: Sequence[GoldenItem], thresholds: Mapping[str, float]
) -> dict[str, F64]:
    """Item to (k,) what a model says of it that has not learnt its label, 0.5 at the operating thresholds: heads fitted
    on the other labels; where a policy has too few, or the item no embedding, the scorer."""
    if not rows:
        return {}
    ids, answers = label_matrix(rows, question.policies)
    sheet = read_sheet(lake, scorer, ids)
    place = {item_id: row for row, item_id in enumerate(ids)}
    known = answers[[place[item_id] for item_id in sheet.ids]]
    taus = np.array([thresholds[policy] for policy in question.policies], np.float64)
    chances = adjusted(said(sheet, question.policies).astype(np.float64), taus)
    usable = np.flatnonzero(sheet.embeddings.any(axis=1))
    if len(usable):
        groups = {row.item_id: row.group_id for row in rows}
        blocks = [groups[sheet.ids[row]] for row in usable]
        chances[usable] = out_of_fold(sheet.embeddings[usable], known[usable], blocks, chances[usable])
    return dict(zip(sheet.ids, chances, strict=True))


def _looks(
    question: Question, rows: Sequence[GoldenItem], behind: Sequence[Earlier], chances: Mapping[str, F64]
) -> SecondLooks:
    numbers = {group: n for n, group in enumerate(sorted({row.group_id for row in rows}))}
    columns = [question.policies.index(row.policy_id) for row in rows]
    people: dict[str, int] = {}
    told: list[tuple[int, int, bool]] = []
    for place, (row, before) in enumerate(zip(rows, behind, strict=True)):
        for answer in before.answers:
            if answer.answer.outcome is not Outcome.CONTEXT_MISSING:
                agrees = answer.answer.outcome is row.outcome
                told.append((place, people.setdefault(author(answer), len(people)), agrees))
        if before.final.how is How.ADJUDICATED:
            told.append((place, UNKNOWN, True))  # the lead, who is never held against others: the label is theirs
    votes_ = np.array(told, np.int64).reshape(len(told), 3)
    ids = tuple(row.item_id for row in rows)
    asked = np.array([before.enough for before in behind], np.float32)
    return SecondLooks(
        ids=ids,
        policies=np.array(columns, np.int64),
        answers=np.array([row.outcome is Outcome.VIOLATES for row in rows], np.bool_),
        probabilities=np.array([chances[row.item_id][c] for row, c in zip(rows, columns, strict=True)], np.float64),
        groups=np.array([numbers[row.group_id] for row in rows], np.int64),
        pairs=votes_[:, 0],
        people=votes_[:, 1],
        agree=votes_[:, 2].astype(np.bool_),
        minutes=None if question.minutes is None else np.asarray(asked * question.minutes(ids), np.float32),
    )
