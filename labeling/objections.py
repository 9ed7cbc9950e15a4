"""Objections: what a lead decided otherwise than somebody had answered, and what that person says to it.

Somebody who answered may see that a lead decided otherwise only of gold that is used for training or calibration, and
that no injection is made of. Of everything else, sealed, dev and anchor items and injections, nothing is told: not even
whether it was decided at all, since a list of one's own answers without these tells which they are, while a list of
those that were overruled does not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from labeling.consensus import author, difference, one_each, plain
from labeling.errors import Conflict, InvalidInput, NotFound
from labeling.golden.contested import is_contested
from labeling.objection_records import Objection, ObjectionState
from labeling.records import (
    Adjudication,
    Answer,
    GoldAction,
    GoldenItem,
    GoldState,
    How,
    Partition,
    Task,
    TaskKind,
    Tier,
)
from labeling.standing import change
from labeling.store.annotator_interface import Objections
from labeling.store.interfaces import Annotations, Golden, People, Tasks

SHOWN = (Partition.TRAIN, Partition.CALIBRATION)
BY_LEADS = (How.ADJUDICATED, How.CONTESTED)
MAX_WORDS = 500  # characters


class Stores(Protocol):
    """The part of the ledger that objections need."""

    @property
    def tasks(self) -> Tasks: ...

    @property
    def annotations(self) -> Annotations: ...

    @property
    def golden(self) -> Golden: ...

    @property
    def people(self) -> People: ...

    @property
    def objections(self) -> Objections: ...


@dataclass(frozen=True, slots=True)
class Overruled:
    """An answer that a lead decided otherwise. ``said`` and ``decided``: outcome, rule, severity. ``is_contested``: the
    decision is contested itself, or names several answers that can be defended. ``project_id``, ``studio_task_id``:
    where the person answered it, None where that is gone."""

    adjudication_id: str
    item_id: str
    policy_id: str
    policy_version: str
    said: Answer
    decided: Answer
    is_contested: bool
    decided_at: datetime
    project_id: int | None
    studio_task_id: int | None


def overruled(stores: Stores, person: str) -> list[Overruled]:
    """Of somebody's answers, those that a lead decided otherwise and that may be told; the newest decision first."""
    who = person.strip().casefold()
    finals = {a.task_id: a for a in stores.golden.adjudications() if a.how in BY_LEADS and who in a.annotators}
    gold = {row.adjudication_id: row for row in stores.golden.items()}
    shown = {task_id: final for task_id, final in finals.items() if _may_be_told(gold.get(final.adjudication_id))}
    answers = stores.annotations.current(sorted(shown))
    said = {
        task_id: plain(each.answer)
        for task_id, rows in answers.items()
        for each in one_each(rows)
        if author(each) == who
    }
    differing = [t for t in sorted(said) if difference([said[t], plain(shown[t].answer)])]
    places = _places(stores.tasks, differing, who)
    found = [_overruled(shown[t], gold[shown[t].adjudication_id], said[t], places.get(t)) for t in differing]
    return sorted(found, key=lambda one: (one.decided_at, one.adjudication_id), reverse=True)


def raise_objection(
    stores: Stores, person: str, adjudication_id: str, reason: str, actor: str, now: datetime
) -> Objection:
    """Say that a decision is wrong. ``actor``: whose key it is. Raises InvalidInput, NotFound for what is not
    among the person's overruled answers, Conflict for a second time."""
    words = _words("reason", reason)
    for one in overruled(stores, person):
        if one.adjudication_id == adjudication_id:
            who = person.strip().casefold()
            digest = hashlib.sha256(f"{who}\0{adjudication_id}".encode()).hexdigest()[:16]
            made = Objection(f"obj-{digest}", who, adjudication_id, one.item_id, one.policy_id, words, now)
            stores.objections.add(made, actor)
            return made
    raise NotFound(f"there is no decision {adjudication_id!r} against an answer of yours: load your page again")


def answer_objection(
    stores: Stores, objection_id: str, state: ObjectionState, answer: str, actor: str, now: datetime
) -> Objection:
    """A lead's answer. ``reopened`` puts the decision's gold into quarantine, where a newer decision has not replaced
    it. Raises InvalidInput, NotFound, Conflict."""
    if state is ObjectionState.OPEN:
        raise InvalidInput(f"state: one of {ObjectionState.STANDS}, {ObjectionState.REOPENED}")
    words, found = _words("answer", answer), stores.objections.get(objection_id)
    if found.state is not ObjectionState.OPEN:
        raise Conflict(f"objection {objection_id!r} has an answer already: {found.state}")
    if state is ObjectionState.REOPENED:
        _quarantine(stores, found, words, actor)
    return stores.objections.close(objection_id, state, words, actor, now)


def _quarantine(stores: Stores, found: Objection, words: str, actor: str) -> None:
    rows = [row for row in stores.golden.rows_of(found.item_id) if row.adjudication_id == found.adjudication_id]
    if rows and rows[0].state in (GoldState.ACTIVE, GoldState.STALE):
        reason = f"objection {found.objection_id}: {words}"
        change(stores, found.item_id, found.policy_id, GoldAction.QUARANTINED, actor=actor, reason=reason)


def _may_be_told(row: GoldenItem | None) -> bool:
    if row is None or row.state is GoldState.ERASED:
        return False
    return row.partition in SHOWN and row.tier is not Tier.ANCHOR


def _places(tasks: Tasks, task_ids: Sequence[str], who: str) -> Mapping[str, Task]:
    """By question, the task in which somebody answered it: their copy, or the question itself."""
    found = dict(tasks.find(task_ids))
    for copy in tasks.children(task_ids, TaskKind.COPY):
        if copy.assignee == who and copy.parent_task_id is not None:
            found[copy.parent_task_id] = copy
    return found


def _overruled(final: Adjudication, row: GoldenItem, said: Answer, place: Task | None) -> Overruled:
    decided = plain(final.answer)
    return Overruled(
        adjudication_id=final.adjudication_id,
        item_id=final.item_id,
        policy_id=final.policy_id,
        policy_version=final.policy_version,
        said=Answer(said.outcome, said.rule, said.severity),
        decided=Answer(decided.outcome, decided.rule, decided.severity),
        is_contested=is_contested(row),
        decided_at=final.created_at,
        project_id=place.project_id if place else None,
        studio_task_id=place.studio_task_id if place else None,
    )


def _words(field: str, given: str) -> str:
    words = given.strip()
    if not 0 < len(words) <= MAX_WORDS:
        raise InvalidInput(f"{field}: say why, in 1 to {MAX_WORDS} characters")
    return words
