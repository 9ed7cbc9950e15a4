"""Rows for tests: real records with sensible defaults."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

from labeling.records import (
    Annotation,
    Answer,
    GoldenItem,
    GoldState,
    How,
    Outcome,
    Partition,
    Task,
    TaskKind,
    TaskState,
    Tier,
)

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
YES = Answer(Outcome.VIOLATES, rule="threat", severity=2)
NO = Answer(Outcome.ALLOWED)
UNCLEAR = Answer(Outcome.CONTEXT_MISSING)


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def blind_task(task_id: str = "t1", text: str = "some words", overlap: int = 2, item_id: str = "i1") -> Task:
    return Task(
        task_id=task_id,
        kind=TaskKind.BLIND,
        round_id="r1",
        item_id=item_id,
        policy_id="harm",
        policy_version="1.0.0",
        text=text,
        content_hash=sha(text),
        overlap=overlap,
        state=TaskState.SENT,
        project_id=1,
        studio_task_id=7,
        parent_task_id=None,
        error="",
        created_at=NOW,
        updated_at=NOW,
    )


def annotation(who: str, answer: Answer, number: int, *, written_by: str = "", minute: int = 0) -> Annotation:
    return Annotation(
        task_id="t1",
        studio_annotation_id=number,
        annotator=who,
        updated_by=written_by or who,
        answer=answer,
        lead_time_s=3.0,
        studio_updated_at=NOW + timedelta(minutes=minute),
    )


def golden_item(
    item_id: str,
    text: str = "",
    partition: Partition = Partition.TRAIN,
    *,
    policy_id: str = "harm",
    policy_version: str = "1.0.0",
    outcome: Outcome = Outcome.VIOLATES,
    rule: str | None = "threat",
    group_id: str = "",
    state: GoldState = GoldState.ACTIVE,
    pi: float | None = 0.25,
) -> GoldenItem:
    body = text or f"{sha(item_id)[:16]} are the words of {item_id}"  # no near-duplicate of another item's
    return GoldenItem(
        item_id=item_id,
        external_id=f"ext-{item_id}",
        policy_id=policy_id,
        policy_version=policy_version,
        text=body,
        content_hash=sha(body),
        language="en",
        outcome=outcome,
        rule=rule if outcome is Outcome.VIOLATES else None,
        severity=2 if outcome is Outcome.VIOLATES else None,
        how=How.UNANIMOUS,
        votes={f"violates/{rule}" if outcome is Outcome.VIOLATES else str(outcome): 2},
        tier=Tier.GOLDEN,
        state=state,
        partition=partition,
        group_id=group_id or f"g-{item_id}",
        round_id="r1",
        lane="random" if pi is not None else "uncertain",
        pi=pi,
        adjudication_id=f"a-{item_id}-{policy_id}",
        folded_at=NOW,
    )
