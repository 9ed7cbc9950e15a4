"""Small valid records for the contract suites; every field can be changed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from labeling.model_records import Model, ModelState
from labeling.records import (
    Adjudication,
    Annotation,
    AnnotationEvent,
    Answer,
    ApiKey,
    EventKind,
    GoldenItem,
    GoldenVersion,
    GoldState,
    How,
    Item,
    Outcome,
    Partition,
    PickRow,
    Round,
    RoundState,
    StudioProject,
    Task,
    TaskKind,
    TaskState,
    Tier,
)

T0 = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
YES = Answer(Outcome.VIOLATES, rule="slur", severity=2, confidence=4, rationale="says it plainly")
NO = Answer(Outcome.ALLOWED)
STUDIO = "http://127.0.0.1:8080"


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def item(number: int, text: str | None = None, **changes: Any) -> Item:
    text = f"text of {number}" if text is None else text
    made = Item(
        item_id=f"item-{number:06}",
        external_id=f"ext-{number}",
        text=text,
        content_hash=sha256(text.encode()).hexdigest(),
        language="pt",
        views=number,
        created_at=at(number),
        policies=("hate",),
    )
    return replace(made, **changes)


def round_(round_id: str = "round-1", **changes: Any) -> Round:
    plan: dict[str, object] = {"budget": 3, "lanes": [{"name": "risk", "share": 1.0}]}
    return replace(Round(round_id, RoundState.PLANNED, 7, plan, {}, "", (), T0, T0), **changes)


def pick(number: int, **changes: Any) -> PickRow:
    made = PickRow("round-1", f"item-{number:06}", "hate", "risk", 0.25, 0.75, f"group-{number}", ("near threshold",))
    return replace(made, **changes)


def task(number: int, **changes: Any) -> Task:
    made = Task(
        task_id=f"task-{number:06}",
        kind=TaskKind.BLIND,
        round_id="round-1",
        item_id=f"item-{number:06}",
        policy_id="hate",
        policy_version="1.0.0",
        text=f"text of {number}",
        content_hash="0" * 64,
        overlap=2,
        state=TaskState.QUEUED,
        project_id=None,
        studio_task_id=None,
        parent_task_id=None,
        error="",
        created_at=T0,
        updated_at=T0,
    )
    return replace(made, **changes)


def event(number: int, kind: EventKind = EventKind.CREATED, seconds: float = 0, **changes: Any) -> AnnotationEvent:
    answer = YES if kind in (EventKind.CREATED, EventKind.UPDATED) else None
    made = AnnotationEvent(
        task_id="task-000001",
        studio_annotation_id=number,
        kind=kind,
        annotator=f"person-{number}@example.org",
        updated_by=f"person-{number}@example.org",
        answer=answer,
        lead_time_s=1.5,
        studio_updated_at=at(seconds),
    )
    return replace(made, **changes)


def annotation(source: AnnotationEvent) -> Annotation:
    assert source.answer is not None
    return Annotation(
        source.task_id,
        source.studio_annotation_id,
        source.annotator,
        source.updated_by,
        source.answer,
        source.lead_time_s,
        source.studio_updated_at,
    )


def adjudication(number: int = 1, **changes: Any) -> Adjudication:
    made = Adjudication(
        adjudication_id=f"adjudication-{number}",
        task_id=f"task-{number:06}",
        round_id="round-1",
        item_id=f"item-{number:06}",
        policy_id="hate",
        policy_version="1.0.0",
        answer=YES,
        how=How.UNANIMOUS,
        votes={"violates/slur": 2},
        annotators=("a@example.org", "b@example.org"),
        adjudicator="",
        created_at=T0,
    )
    return replace(made, **changes)


def golden(number: int = 1, **changes: Any) -> GoldenItem:
    made = GoldenItem(
        item_id=f"item-{number:06}",
        external_id=f"ext-{number}",
        policy_id="hate",
        policy_version="1.0.0",
        text=f"text of {number}",
        content_hash="0" * 64,
        language="pt",
        outcome=Outcome.VIOLATES,
        rule="slur",
        severity=2,
        how=How.UNANIMOUS,
        votes={"violates/slur": 2},
        tier=Tier.PROVISIONAL,
        state=GoldState.ACTIVE,
        partition=Partition.TRAIN,
        group_id=f"group-{number}",
        round_id="round-1",
        lane="risk",
        pi=0.25,
        adjudication_id=f"adjudication-{number}",
        folded_at=T0,
    )
    return replace(made, **changes)


def version(name: str = "0.1.0", **changes: Any) -> GoldenVersion:
    return replace(GoldenVersion(name, None, "ab" * 32, "manifest.jsonl", {"train": 1}, T0), **changes)


def model(model_id: str = "model-1", **changes: Any) -> Model:
    made = Model(model_id, f"sha-{model_id}", "0.1.0", f"models/{model_id}", ModelState.CANDIDATE, created_at=T0)
    return replace(made, **changes)


def project(number: int = 1, **changes: Any) -> StudioProject:
    return replace(StudioProject(number, STUDIO, "hate", "1.0.0", TaskKind.BLIND, "c" * 64, None, T0), **changes)


def key(key_id: str = "key-1", **changes: Any) -> ApiKey:
    return replace(ApiKey(key_id, "laptop", "engineer", f"hash-{key_id}", T0), **changes)
