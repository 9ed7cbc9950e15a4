"""From a dispute to a final answer: the task a lead gets, and what may count as its answer.

A lead who labelled the blind copy is refused by data, not by etiquette: the events of the blind task say who did,
even if that answer was deleted since. One blind task has one final answer (its id is derived from the task's), so
settling it again after a crash changes nothing; a second opinion later is a new task.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from labeling.consensus import Agreed, Disputed, author, one_each, plain, vote_key, votes
from labeling.records import (
    Adjudication,
    Annotation,
    AnnotationEvent,
    Answer,
    EventKind,
    How,
    Task,
    TaskKind,
    TaskState,
    Verdict,
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer to an adjudication task that does not count, and why."""

    annotator: str
    reason: str


@dataclass(frozen=True, slots=True)
class Settlement:
    """``adjudication`` is None while no answer counts yet; ``refusals`` say which ones did not."""

    adjudication: Adjudication | None
    refusals: tuple[Refusal, ...] = ()


def adjudication_task(blind: Task, disputed: Disputed, now: datetime) -> Task:
    """The task that lets a lead decide a disputed blind task.

    Its id is a hash of the blind task's random one: as opaque, and the same if it is made twice.
    """
    task_id = adjudication_id(blind)
    return replace(
        blind,
        task_id=task_id,
        kind=TaskKind.ADJUDICATION,
        overlap=1,
        extra=0,
        state=TaskState.QUEUED,
        project_id=None,
        studio_task_id=None,
        parent_task_id=blind.task_id,
        error="",
        created_at=now,
        updated_at=now,
        prompt=prompt(task_id, disputed.answers),
    )


def adjudication_id(blind: Task) -> str:
    """The id of the task that lets a lead decide ``blind``."""
    return derived("adjudication-task", blind.task_id)


def prompt(task_id: str, answers: Sequence[Annotation]) -> str:
    """The answers as the lead reads them: "Answer A", "Answer B", ... without names or scores.

    A hash of the task id and the author orders them, so that neither the letter nor its place tells who it was at a
    glance; addresses of the authors are struck from the rationales, however they are written. A rationale is quoted
    line by line, or its writer could add an answer that nobody gave.
    """
    shuffled = sorted(answers, key=lambda a: derived("prompt-order", task_id, author(a)))
    names = sorted({name for a in answers for name in (a.annotator, a.updated_by) if name}, key=len, reverse=True)
    return "\n\n".join(f"Answer {_letter(i)}: {_told(a.answer, names)}" for i, a in enumerate(shuffled))


def agreement(task: Task, agreed: Agreed, now: datetime) -> Adjudication:
    """The final answer of a blind task whose annotators agree."""
    return _final(task, agreed.answer, agreed.how, agreed.votes, agreed.annotators, "", now)


def settle(
    blind: Task,
    answers: Sequence[Annotation],
    blind_answers: Sequence[Annotation],
    blind_events: Iterable[AnnotationEvent],
    now: datetime,
    leads: Collection[str] = (),
    barred: Collection[str] = (),
) -> Settlement:
    """The final answer of ``blind`` from the live ``answers`` to its adjudication task.

    The first answer that counts decides. Refused: anyone who labelled the blind copy (``blind_events``,
    ``blind_answers``) or is ``barred`` as if they had, and anyone not among ``leads`` when that list is given. The
    lead's answer is no vote: the votes stay those of the blind copy.
    """
    labelled = labellers(blind_events) | {name for a in blind_answers for name in _names(a)} | set(map(_person, barred))
    allowed = {_person(lead) for lead in leads}
    refusals: list[Refusal] = []
    for annotation in sorted(answers, key=lambda a: a.studio_annotation_id):
        reason = _refused(annotation, labelled, allowed)
        if reason:
            refusals.append(Refusal(annotation.annotator, reason))
            continue
        voters = one_each(blind_answers)
        people = tuple(author(a) for a in voters)
        answer = plain(annotation.answer)
        final = _final(blind, answer, _how(answer), votes(voters), people, author(annotation), now)
        return Settlement(final, tuple(refusals))
    return Settlement(None, tuple(refusals))


def _how(answer: Answer) -> How:
    """Where more than one answer can be defended, the votes say more than the one that was written down."""
    plural = answer.verdict in (Verdict.SEVERAL, Verdict.CONTESTED)
    return How.CONTESTED if plural else How.ADJUDICATED


def labellers(events: Iterable[AnnotationEvent]) -> frozenset[str]:
    """Everybody who ever answered, deleted answers included; who only skipped has not answered."""
    return frozenset(
        _person(name)
        for event in events
        if event.kind is not EventKind.SKIPPED
        for name in (event.annotator, event.updated_by)
        if name
    )


def _refused(annotation: Annotation, labelled: Collection[str], leads: Collection[str]) -> str:
    names = _names(annotation)
    if names & set(labelled):
        return "labelled the blind copy of this item; another lead must decide"
    if leads and not names <= set(leads):
        return "is not a lead; ask one to decide"
    return ""


def _final(
    task: Task,
    answer: Answer,
    how: How,
    tally: dict[str, int],
    annotators: tuple[str, ...],
    adjudicator: str,
    now: datetime,
) -> Adjudication:
    return Adjudication(
        adjudication_id=derived("adjudication", task.task_id),
        task_id=task.task_id,
        round_id=task.round_id,
        item_id=task.item_id,
        policy_id=task.policy_id,
        policy_version=task.policy_version,
        answer=answer,
        how=how,
        votes=tally,
        annotators=annotators,
        adjudicator=adjudicator,
        created_at=now,
        verdict=answer.verdict,
        cause=answer.cause,
    )


def _told(answer: Answer, names: Sequence[str]) -> str:
    parts = [vote_key(answer).replace("/", ", rule ")]
    if plain(answer).severity is not None:
        parts.append(f"severity S{answer.severity}")
    if answer.confidence is not None:
        parts.append(f"confidence {answer.confidence} of 5")
    rationale = struck(answer.rationale.strip(), names)
    return "\n".join([", ".join(parts), *([quoted(rationale)] if rationale else [])])


def struck(text: str, names: Iterable[str]) -> str:
    """The text without some people's addresses, however they are written."""
    for name in sorted(filter(None, names), key=len, reverse=True):
        text = re.sub(re.escape(name), "[name]", text, flags=re.IGNORECASE)
    return text


def quoted(text: str) -> str:
    """Line by line, so that it cannot be taken for what Goldfold says."""
    return "\n".join(f"> {line}" for line in text.splitlines())


def _letter(index: int) -> str:
    return chr(ord("A") + index) if index < 26 else f"Z{index - 25}"


def _names(annotation: Annotation) -> set[str]:
    return {_person(name) for name in (annotation.annotator, annotation.updated_by) if name}


def _person(name: str) -> str:
    return name.strip().casefold()


def derived(*parts: str) -> str:
    """An id made of others: as opaque as they are, and the same every time."""
    return hashlib.sha256("\0".join(("goldfold", *parts)).encode()).hexdigest()[:32]
