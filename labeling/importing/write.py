"""Imported items and answers into the lake and the ledger, as a round of its own whose tasks nobody has to answer.

From there the ordinary rules hold: answers that agree settle and are folded into the golden set, others go to a lead.
Answers given beside a suggestion (``assisted``) are kept and never certify gold, and neither do answers of which nobody
says that they were given blind. Importing again adds nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Protocol

from labeling.importing.answers import ImportedAnswer, ImportedItem
from labeling.items import item_id_of
from labeling.policies import Policy
from labeling.records import AnnotationEvent, EventKind, Round, RoundState, Task, TaskKind, TaskState
from labeling.store.interfaces import Annotations, ItemRegistry, Lake, Rounds, Tasks

CHUNK = 5000
Progress = Callable[[int, int], None]


class Stores(Protocol):
    """The part of the ledger that an import writes to."""

    @property
    def items(self) -> ItemRegistry: ...

    @property
    def rounds(self) -> Rounds: ...

    @property
    def tasks(self) -> Tasks: ...

    @property
    def annotations(self) -> Annotations: ...


@dataclass(frozen=True, slots=True)
class ImportReport:
    """``items`` with ``answers`` came; ``unanswered`` items had none; ``judged`` ones had been picked under the policy
    by another round, so their answers were left out; ``stopped`` ones were stopped for legal reasons, so neither they
    nor their answers came; ``assisted`` answers were kept and certify nothing; ``events`` are new in the ledger."""

    items: int
    answers: int
    unanswered: int
    judged: int
    assisted: int
    events: int
    stopped: int = 0


def import_answers(
    stores: Stores,
    lake: Lake,
    policy: Policy,
    items: Sequence[ImportedItem],
    round_id: str,
    source: str,
    *,
    blind: bool,
    progress: Progress | None = None,
) -> ImportReport:
    """Write the answers of items that were ingested. ``blind``: whoever imports says that no answer was given beside
    a suggestion or another answer, but for those that the export itself shows to be. Raises Conflict when the round is
    there with another plan."""
    there = stores.items.known([str(item.fields["external_id"]) for item in items])
    kept = [item for item in items if item.fields["external_id"] in there]  # ingest left the others out: stopped
    stopped, items = len(items) - len(kept), kept
    mine = _mine(stores, policy, items, round_id)
    now = datetime.now(UTC)
    plan = _plan(policy, source, len(mine), blind=blind)
    round_ = stores.rounds.create(Round(round_id, RoundState.PLANNED, 0, plan, {}, "", (), now, now))
    tasks = _tasks(lake, policy, mine, round_id, now, blind=blind)
    stores.rounds.record_selection(
        round_id, [], tasks, {"source": source}, "", ()
    )  # nothing was picked: no lane, no pi
    if round_.state in (RoundState.PLANNED, RoundState.SELECTED):
        stores.rounds.set_state(round_id, RoundState.OPEN)
    events = [event for item in mine for event in _events(round_id, policy, item, blind=blind)]
    written = 0
    for start in range(0, len(events), CHUNK):
        written += stores.annotations.append(events[start : start + CHUNK])
        if progress is not None:
            progress(min(start + CHUNK, len(events)), len(events))
    answers = [answer for item in items for answer in item.answers]
    answered = [item for item in items if item.answers]
    assisted = sum(answer.assisted or not blind for answer in answers)
    return ImportReport(
        len(items), len(answers), len(items) - len(answered), len(answered) - len(mine), assisted, written, stopped
    )


def _mine(stores: Stores, policy: Policy, items: Sequence[ImportedItem], round_id: str) -> list[ImportedItem]:
    """Those with answers that no other round has picked under the policy."""
    own = {task.item_id for task in stores.tasks.where(round_id=round_id)}
    judged = {item_id for item_id, policy_id in stores.rounds.judged() if policy_id == policy.id} - own
    return [item for item in items if item.answers and _item_id(item) not in judged]


def _plan(policy: Policy, source: str, items: int, *, blind: bool) -> dict[str, object]:
    return {
        "budget": items,
        "lanes": {},
        "overlap": 1,
        "policies": {policy.id: policy.version},
        "thresholds": {policy.id: policy.threshold},
        "import": {"source": source, "blind": blind},
    }


def _tasks(
    lake: Lake, policy: Policy, items: Sequence[ImportedItem], round_id: str, now: datetime, *, blind: bool
) -> list[Task]:
    ids = [_item_id(item) for item in items]
    table = lake.take(ids, ["text", "content_hash"])
    hashes = dict(zip(ids, table["content_hash"].to_pylist(), strict=True))
    tasks = []
    for item in items:
        for kind in sorted({_kind(answer, blind=blind) for answer in item.answers}):
            votes = {answer.annotator for answer in item.answers if _kind(answer, blind=blind) is kind}
            tasks.append(
                Task(
                    task_id=_task_id(round_id, policy, item, kind),
                    kind=kind,
                    round_id=round_id,
                    item_id=_item_id(item),
                    policy_id=policy.id,
                    policy_version=policy.version,
                    text=str(item.fields["text"]),
                    content_hash=hashes[_item_id(item)],
                    overlap=len(votes),
                    state=TaskState.SENT if kind is TaskKind.BLIND else TaskState.SETTLED,
                    project_id=None,
                    studio_task_id=None,
                    parent_task_id=None,
                    error="",
                    created_at=now,
                    updated_at=now,
                )
            )
    return tasks


def _events(round_id: str, policy: Policy, item: ImportedItem, *, blind: bool) -> list[AnnotationEvent]:
    return [
        AnnotationEvent(
            task_id=_task_id(round_id, policy, item, _kind(answer, blind=blind)),
            studio_annotation_id=_number(item, answer),
            kind=EventKind.CREATED,
            annotator=answer.annotator,
            updated_by=answer.annotator,
            answer=answer.answer,
            lead_time_s=answer.lead_time_s,
            studio_updated_at=answer.at,
            detail="imported",
        )
        for answer in item.answers
    ]


def _kind(answer: ImportedAnswer, *, blind: bool) -> TaskKind:
    return TaskKind.BLIND if blind and not answer.assisted else TaskKind.ASSISTED


def _item_id(item: ImportedItem) -> str:
    return item_id_of(str(item.fields["external_id"]))


def _task_id(round_id: str, policy: Policy, item: ImportedItem, kind: TaskKind) -> str:
    return _derived("task", round_id, policy.id, _item_id(item), kind.value).hex()[:32]


def _number(item: ImportedItem, answer: ImportedAnswer) -> int:
    """The same answer has the same number in each import, whatever the export calls it."""
    digest = _derived("answer", _item_id(item), answer.annotator, answer.source_id, answer.at.isoformat())
    return int.from_bytes(digest[:7])  # a 64-bit column holds it


def _derived(*parts: str) -> bytes:
    return sha256("\0".join(("goldfold-import", *parts)).encode("utf-8", "surrogatepass")).digest()
