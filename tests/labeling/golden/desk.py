"""A real SQLite ledger and a real lake, and the short way from an item to gold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from labeling.adjudication import agreement
from labeling.consensus import Agreed, votes
from labeling.golden.fold import fold
from labeling.golden.partition import Groups, Shares
from labeling.golden.text import content_hash
from labeling.golden.vectors import LakeVectors
from labeling.records import Answer, GoldenItem, How, Item, PickRow, Round, RoundState, Task, TaskKind, TaskState
from labeling.store.lake import LanceLake
from labeling.store.ledger import SqlLedger, open_ledger
from tests.labeling.golden.made import NOW, annotation

EMBEDDINGS = "embeddings-test"
PEOPLE = ("ann", "bob")


@dataclass
class Desk:
    """Items get embeddings on the unit circle, by angle in degrees."""

    ledger: SqlLedger
    lake: LanceLake
    shares: Shares = field(default_factory=Shares)

    def groups(self) -> Groups:
        return Groups(self.ledger.golden.items(), self.vectors(), 0.95, self.shares)

    def vectors(self) -> LakeVectors:
        return LakeVectors(self.lake, EMBEDDINGS)

    def ingest(self, contents: dict[str, tuple[str, float]]) -> None:
        items = [
            Item(item_id, f"ext-{item_id}", text, content_hash(text), language="en")
            for item_id, (text, _) in contents.items()
        ]
        self.ledger.items.register(items, self.lake.append(items))
        turns = np.deg2rad([angle for _, angle in contents.values()])
        flat = np.stack([np.cos(turns), np.sin(turns)], axis=1).astype(np.float16).ravel()
        vectors = pa.FixedSizeListArray.from_arrays(pa.array(flat), 2)
        self.lake.add_columns(EMBEDDINGS, list(contents), {"embedding": vectors})

    def send(self, item_id: str, policy_id: str = "harm", version: str = "1.0.0", pi: float | None = 0.25) -> Task:
        """One round with one blind task that lies in Label Studio."""
        text = str(self.lake.take([item_id], ["text"]).column("text")[0].as_py())
        key = f"{item_id}-{policy_id}-{version}"
        self.ledger.rounds.create(Round(f"r-{key}", RoundState.PLANNED, 0, {}, {}, "", (), NOW, NOW))
        pick = PickRow(f"r-{key}", item_id, policy_id, "random" if pi else "uncertain", pi, 0.5, "g", ())
        task = Task(
            task_id=f"t-{key}",
            kind=TaskKind.BLIND,
            round_id=f"r-{key}",
            item_id=item_id,
            policy_id=policy_id,
            policy_version=version,
            text=text,
            content_hash=content_hash(text),
            overlap=2,
            state=TaskState.QUEUED,
            project_id=None,
            studio_task_id=None,
            parent_task_id=None,
            error="",
            created_at=NOW,
            updated_at=NOW,
        )
        self.ledger.rounds.record_selection(f"r-{key}", [pick], [task], {}, "s", [])
        self.ledger.tasks.mark_sending([task.task_id], 1)
        self.ledger.tasks.mark_sent({task.task_id: len(self.ledger.tasks.where())})
        return self.ledger.tasks.get(task.task_id)

    def label(
        self,
        item_id: str,
        answer: Answer,
        *,
        policy_id: str = "harm",
        version: str = "1.0.0",
        people: Sequence[str] = PEOPLE,
        pi: float | None = 0.25,
    ) -> GoldenItem | None:
        """Send it, let ``people`` give the same answer, fold it."""
        task = self.send(item_id, policy_id, version, pi)
        answers = [annotation(who, answer, n) for n, who in enumerate(people, start=1)]
        final = agreement(task, Agreed(answer, How.UNANIMOUS, votes(answers), tuple(people)), NOW)
        pick = self.ledger.rounds.picks(task.round_id)[0]
        return fold(self.ledger.golden, self.lake, self.groups(), final, task, pick, datetime.now(UTC))


def open_desk(folder: Path, shares: Shares | None = None) -> Desk:
    return Desk(open_ledger(f"sqlite:///{folder}/ledger.db"), LanceLake(folder / "lake"), shares or Shares())
