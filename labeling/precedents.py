"""How the nearest golden items were decided, for a lead who has to decide another one.

Only active gold of the same policy from the partitions ``train`` and ``anchor`` is shown: what judges models and people
(calibration, dev, sealed) stays unknown to everybody. Nearness is the cosine of embeddings (FAISS, exact); the number
itself is not shown, since a lead decides by what is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import faiss
import numpy as np

from labeling.adjudication import quoted, struck
from labeling.consensus import vote_key
from labeling.golden.vectors import Vectors, no_vectors, unit
from labeling.records import Adjudication, Answer, GoldenItem, GoldState, Outcome, Partition, Task

SHOWN = 3
MAX_CHARS = 400  # of a text, and of a reason
PARTITIONS = (Partition.TRAIN, Partition.ANCHOR)
DECIDED = (Outcome.VIOLATES, Outcome.ALLOWED)


class Gold(Protocol):
    """The part of the ledger that precedents are read from."""

    def items(self, *, partition: str | None = None, policy_id: str | None = None) -> list[GoldenItem]: ...
    def adjudications(self, task_id: str | None = None) -> list[Adjudication]: ...


class Precedents:
    """Finds and tells precedents; reads a policy's gold and the adjudications once, when first asked for them.
    ``vectors``: of texts; ``image_vectors``: of images, whose precedents are images, told by their captions alone."""

    def __init__(self, golden: Gold, vectors: Vectors, shown: int = SHOWN, image_vectors: Vectors = no_vectors) -> None:
        self._golden = golden
        self._vectors = {"text": vectors, "image": image_vectors}
        self._shown = shown
        self._indexes: dict[tuple[str, str], tuple[list[GoldenItem], faiss.Index | None]] = {}
        self._finals: dict[str, Adjudication] | None = None

    def __call__(self, task: Task) -> str:
        """The precedents of a task as a lead reads them; "" when there are none."""
        found = self.nearest(task.item_id, task.policy_id, task.modality)
        return "\n\n".join(self._told(number, item) for number, item in enumerate(found, 1))

    def nearest(self, item_id: str, policy_id: str, modality: str = "text") -> list[GoldenItem]:
        """The nearest first; none when the item, or all gold of the policy, has no embedding."""
        gold, index = self._index(policy_id, modality)
        own = self._vectors[modality]([item_id]).get(item_id)
        if index is None or own is None or len(own) != index.d:
            return []
        _, rows = index.search(unit(own[None, :]), self._shown + 1)  # one more: it may be there itself
        found = [gold[row] for row in rows[0] if row >= 0]
        return [item for item in found if item.item_id != item_id][: self._shown]

    def _index(self, policy_id: str, modality: str) -> tuple[list[GoldenItem], faiss.Index | None]:
        key = (policy_id, modality)
        if key not in self._indexes:
            gold = [item for item in usable(self._golden.items(policy_id=policy_id)) if item.modality == modality]
            self._indexes[key] = _build(gold, self._vectors[modality])
        return self._indexes[key]

    def _told(self, number: int, item: GoldenItem) -> str:
        final = self._final(item.adjudication_id)
        answer = vote_key(Answer(item.outcome, item.rule)).replace("/", ", rule ")
        severity = f", severity S{item.severity}" if item.severity is not None else ""
        what = "" if item.modality == "text" else f"an {item.modality}, "
        lines = [f"Precedent {number} [{item.item_id}]: {what}{answer}{severity} ({item.how})"]
        lines += [quoted(_short(item.text))] if item.text.strip() else []
        if final is not None and final.answer.rationale.strip():
            names = [*final.annotators, final.adjudicator]
            lines += ["Why:", quoted(_short(struck(final.answer.rationale.strip(), names)))]
        return "\n".join(lines)

    def _final(self, adjudication_id: str) -> Adjudication | None:
        if self._finals is None:
            self._finals = {final.adjudication_id: final for final in self._golden.adjudications()}
        return self._finals.get(adjudication_id)


def usable(gold: Iterable[GoldenItem]) -> list[GoldenItem]:
    """What may be shown as a precedent."""
    return [
        item
        for item in gold
        if item.partition in PARTITIONS
        and item.state is GoldState.ACTIVE
        and item.outcome in DECIDED
        and (item.text.strip() or item.modality != "text")
    ]


def _build(gold: Sequence[GoldenItem], vectors: Vectors) -> tuple[list[GoldenItem], faiss.Index | None]:
    found = vectors([item.item_id for item in gold])
    there = [item for item in gold if item.item_id in found]
    if not there:
        return [], None
    rows = unit(np.stack([found[item.item_id] for item in there]).astype(np.float32))
    index = faiss.IndexFlatIP(rows.shape[1])
    index.add(rows)
    return there, index


def _short(text: str) -> str:
    return text if len(text) <= MAX_CHARS else text[:MAX_CHARS].rstrip() + " ..."
