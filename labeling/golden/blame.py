"""The history of one item: how its labels came about, everything that happened to them, and the versions they are in.

What would tell a sealed answer is withheld: outcomes, rules, votes and the words of a decision.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from labeling.errors import NotFound
from labeling.golden.diff import withheld
from labeling.golden_records import Erratum, GoldEvent
from labeling.records import Adjudication, AnnotationEvent, GoldenItem, Partition, Task

HIDDEN = "withheld"
Told = dict[str, object]


class Golden(Protocol):
    """The golden set's part of it."""

    def rows_of(self, name: str) -> list[GoldenItem]: ...
    def events(self, item_id: str | None = None) -> list[GoldEvent]: ...
    def adjudications(self, *, item_id: str | None = None) -> list[Adjudication]: ...
    def memberships(self, item_id: str) -> list[tuple[str, GoldenItem]]: ...
    def errata(self, version: str | None = None, item_id: str | None = None) -> list[Erratum]: ...


class Tasks(Protocol):
    """What was asked about an item."""

    def of_item(self, item_id: str) -> list[Task]: ...


class Annotations(Protocol):
    """What was answered."""

    def history(self, task_ids: list[str]) -> dict[str, list[AnnotationEvent]]: ...


class Stores(Protocol):
    """The part of the ledger that tells an item's history."""

    @property
    def golden(self) -> Golden: ...

    @property
    def tasks(self) -> Tasks: ...

    @property
    def annotations(self) -> Annotations: ...


@dataclass(frozen=True, slots=True)
class History:
    """``golden``: what it is now, by policy; ``events`` of it, oldest first; ``annotations``, by id; ``adjudications``;
    ``versions`` that hold it; ``errata`` of those."""

    item_id: str
    external_id: str
    golden: list[Told]
    events: list[Told]
    annotations: list[Told]
    adjudications: list[Told]
    versions: list[Told]
    errata: list[Erratum]


def blame(stores: Stores, name: str) -> History:
    """Of the item with this external id, or item id. Raises NotFound when it never was gold."""
    rows = stores.golden.rows_of(name)
    if not rows:
        raise NotFound(f"{name!r} is not in the golden set; give an item's external id")
    item_id = rows[0].item_id
    held = stores.golden.memberships(item_id)
    every = [*rows, *(row for _, row in held)]
    sealed = {row.policy_id for row in every if row.partition is Partition.SEALED}
    tasks = {task.task_id: task for task in stores.tasks.of_item(item_id)}
    seen = stores.annotations.history(list(tasks))
    answered = [_annotation(tasks[task_id], event) for task_id, events in seen.items() for event in events]
    finals = stores.golden.adjudications(item_id=item_id)
    return History(
        item_id=item_id,
        external_id=rows[0].external_id,
        golden=[_label(row, hidden=row.policy_id in sealed) for row in rows],
        events=[_event(event, hidden=event.policy_id in sealed) for event in stores.golden.events(item_id)],
        annotations=answered,
        adjudications=[_final(final, hidden=final.policy_id in sealed) for final in finals],
        versions=[{"version": v} | _label(row, hidden=row.policy_id in sealed) for v, row in held],
        errata=[withheld(e, {(item_id, p) for p in sealed}) for e in stores.golden.errata(item_id=item_id)],
    )


def _label(row: GoldenItem, *, hidden: bool) -> Told:
    label: Told = {"outcome": HIDDEN, "rule": HIDDEN, "severity": HIDDEN, "votes": HIDDEN}
    if not hidden:
        label = {"outcome": str(row.outcome), "rule": row.rule, "severity": row.severity, "votes": row.votes}
    where: Told = {"tier": str(row.tier), "state": str(row.state), "partition": str(row.partition)}
    return {"policy": row.policy_id, "policy_version": row.policy_version} | where | label


def _event(event: GoldEvent, *, hidden: bool) -> Told:
    row = event.row or {}
    names = ("version", "tier", "state", "partition", *(() if hidden else ("outcome", "rule", "severity")))
    return {
        "number": event.number,
        "at": event.at,
        "policy": event.policy_id,
        "action": str(event.action),
        "actor": event.actor,
        "reason": HIDDEN if hidden and event.action == "erratum" else event.reason,
        "adjudication_id": event.adjudication_id,
        **{name: row[name] for name in names if name in row},
        "sha256": event.sha256,
    }


def _annotation(task: Task, event: AnnotationEvent) -> Told:
    """Which annotation it is, not what it says."""
    return {
        "task_id": task.task_id,
        "kind": str(task.kind),
        "policy": task.policy_id,
        "annotation_id": event.studio_annotation_id,
        "event": str(event.kind),
        "annotator": event.updated_by or event.annotator,
        "at": event.studio_updated_at,
    }


def _final(final: Adjudication, *, hidden: bool) -> Told:
    said: Told = {"outcome": HIDDEN, "votes": HIDDEN}
    if not hidden:
        said = {"outcome": str(final.answer.outcome), "rule": final.answer.rule, "votes": final.votes}
    return {
        "adjudication_id": final.adjudication_id,
        "task_id": final.task_id,
        "policy": final.policy_id,
        "how": str(final.how),
        "adjudicator": final.adjudicator,
        "annotators": list(final.annotators),
        "cause": None if final.cause is None else str(final.cause),
        "at": final.created_at,
    } | said
