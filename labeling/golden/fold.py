"""Fold a final answer into the golden set: one row an item and policy, in the partition of its near-duplicate group.

What does not become usable gold: an item whose agreed answer is ``context_missing`` is kept (its votes are data) but
``quarantined``, so that no version holds it. An answer of a single person is ``provisional``; two blind answers, or a
lead's decision, make it ``golden``. Merged groups are moved to the protected side *before* the new row is written, so
a crash between the two leaves evaluation items protected, and folding again goes on from there.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

import pyarrow as pa

from labeling.errors import BadMedia, IntegrityError, InvalidInput, UnknownItem
from labeling.golden.partition import Groups, Placement
from labeling.golden.text import caption_hash, content_hash
from labeling.records import Adjudication, Answer, GoldenItem, GoldState, Outcome, Partition, PickRow, Task, Tier

IDENTITY = ("external_id", "language")


class GoldenWriter(Protocol):
    """The part of the ledger that folding writes to."""

    def fold(self, adjudication: Adjudication, item: GoldenItem) -> bool: ...
    def regroup(self, group_ids: Sequence[str], into: str, partition: Partition) -> int: ...


class ItemReader(Protocol):
    """The part of the lake that folding reads."""

    def take(self, item_ids: Sequence[str], columns: Sequence[str]) -> pa.Table: ...


class ReadAhead:
    """An ``ItemReader`` that has read what folding asks of these items at once, the lake being read through for each
    question. Where one of them is gone it asks the lake item by item, which says so of that one alone."""

    def __init__(self, lake: ItemReader, item_ids: Sequence[str]) -> None:
        self._lake = lake
        try:
            self._read = lake.take(item_ids, IDENTITY)
            self._rows = {item_id: row for row, item_id in enumerate(item_ids)}
        except UnknownItem:
            self._rows = {}

    def take(self, item_ids: Sequence[str], columns: Sequence[str]) -> pa.Table:
        """As the lake does."""
        if self._rows and tuple(columns) == IDENTITY and all(item_id in self._rows for item_id in item_ids):
            return self._read.take([self._rows[item_id] for item_id in item_ids])
        return self._lake.take(item_ids, columns)


def fold(
    golden: GoldenWriter,
    lake: ItemReader,
    groups: Groups,
    adjudication: Adjudication,
    task: Task,
    pick: PickRow | None,
    now: datetime,
    keep: Answer | None = None,
    read: Callable[[str], bytes] | None = None,
) -> GoldenItem | None:
    """Write the golden row of an adjudicated blind ``task``; None when that adjudication was folded before.

    ``keep``: the answer that the row keeps where it is not the adjudication's, which contests it.
    ``pick`` says by which lane and with what probability the item came (None: unknown, so no population claim).
    ``read``: gives the bytes of an image's media. Raises InvalidInput when adjudication and task are not about the same
    thing, IntegrityError when the task's text, or what an image's media holds now, is not what its hash says or cannot
    be read, or an image's caption is not the item's, UnknownItem when the item is gone from the lake (erased).
    """
    _same_subject(adjudication, task, pick)
    identity = lake.take([task.item_id], IDENTITY).to_pylist()[0]
    if task.modality != "text":
        _same_bytes(task, lake, read)
    placed = groups.place(task.item_id, task.text, task.content_hash)
    item = _item(adjudication, task, pick, placed, str(identity["external_id"]), str(identity["language"]), now, keep)
    if placed.merged:
        golden.regroup(placed.merged, placed.group_id, placed.partition)
    written = golden.fold(adjudication, item)
    groups.accept(task.item_id, task.text, placed, task.content_hash)
    return item if written else None


def _item(
    adjudication: Adjudication,
    task: Task,
    pick: PickRow | None,
    placed: Placement,
    external_id: str,
    language: str,
    now: datetime,
    keep: Answer | None,
) -> GoldenItem:
    answer = keep or adjudication.answer
    unclear = answer.outcome is Outcome.CONTEXT_MISSING
    return GoldenItem(
        item_id=task.item_id,
        external_id=external_id,
        policy_id=task.policy_id,
        policy_version=task.policy_version,
        text=task.text,
        content_hash=task.content_hash,
        language=language,
        outcome=answer.outcome,
        rule=answer.rule,
        severity=answer.severity,
        how=adjudication.how,
        votes=dict(adjudication.votes),
        tier=Tier.GOLDEN if certified(adjudication) else Tier.PROVISIONAL,
        state=GoldState.QUARANTINED if unclear else GoldState.ACTIVE,
        partition=placed.partition,
        group_id=placed.group_id,
        round_id=task.round_id,
        lane=pick.lane if pick else "",
        pi=pick.pi if pick else None,
        adjudication_id=adjudication.adjudication_id,
        folded_at=now,
        verdict=adjudication.verdict,
        cause=adjudication.cause,
        modality=task.modality,
        salt=secrets.token_hex(16),
        caption_hash=caption_hash(task.modality, task.text),
    )


def certified(adjudication: Adjudication) -> bool:
    """Whether it makes its item ``golden``: two people answered blind, or a lead decided."""
    return bool(adjudication.adjudicator) or len(set(adjudication.annotators)) >= 2


def _same_subject(adjudication: Adjudication, task: Task, pick: PickRow | None) -> None:
    subject = (task.item_id, task.policy_id)
    if (adjudication.item_id, adjudication.policy_id) != subject or adjudication.task_id != task.task_id:
        raise InvalidInput(
            f"task {task.task_id}: the adjudication {adjudication.adjudication_id} is about another task"
        )
    if pick and (pick.item_id, pick.policy_id) != subject:
        raise InvalidInput(f"task {task.task_id}: the pick is about item {pick.item_id}, policy {pick.policy_id}")
    if task.modality == "text" and content_hash(task.text) != task.content_hash:
        raise IntegrityError(f"task {task.task_id}: its text does not match its content hash")


def _same_bytes(task: Task, lake: ItemReader, read: Callable[[str], bytes] | None) -> None:
    """People judged the bytes that were picked, not the place where they lay, beside the caption that the item has."""
    if read is None:
        raise InvalidInput(f"task {task.task_id}: nothing reads the media of its {task.modality}")
    held = lake.take([task.item_id], ["media", "text"]).to_pylist()[0]
    media = str(held["media"] or "")
    if str(held["text"] or "") != task.text:
        raise IntegrityError(
            f"task {task.task_id}: the caption that people saw is not the one of item {task.item_id}: cancel the "
            "round, and ask about the item anew"
        )
    try:
        found = hashlib.sha256(read(media)).hexdigest()
    except BadMedia as error:
        raise IntegrityError(f"task {task.task_id}: its {task.modality} {error}") from error
    if found != task.content_hash:
        raise IntegrityError(
            f"task {task.task_id}: its {task.modality} is not the one that people were asked about: put that file "
            "back, or cancel the round and bring the new one in under another external_id"
        )
