"""A whole shop floor in a folder: the real ledger and lake, two policies, and a scorer that needs no weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import numpy as np

from labeling.golden.partition import Groups, Shares
from labeling.golden.vectors import LakeVectors
from labeling.policies import Policy, Rule
from labeling.records import (
    AnnotationEvent,
    Answer,
    EventKind,
    Item,
    Outcome,
    Round,
    RoundState,
    Task,
    TaskKind,
    TaskState,
)
from labeling.round_plan import RoundRequest
from labeling.rounds import open_round, select_round
from labeling.score_run import ScoreRun
from labeling.scorebook import embedding_group
from labeling.settle import LeadDesk, SettleReport, settle_all
from labeling.store.lake import LanceLake
from labeling.store.ledger import SqlLedger, open_ledger
from scoring.base import Failure, Progress
from scoring.embedding_head import EmbeddingHead
from scoring.embeddings import Embeddings
from scoring.head import Head
from scoring.prototypes import prototype_head

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NO = Answer(Outcome.ALLOWED)
UNCLEAR = Answer(Outcome.CONTEXT_MISSING)


def yes(rule: str = "general", severity: int = 2) -> Answer:
    return Answer(Outcome.VIOLATES, rule=rule, severity=severity)


def policy(policy_id: str, words: str, version: str = "1.0.0", threshold: float = 0.5) -> Policy:
    rules = (
        Rule(id="general", title=words, definition=words),
        Rule(id="other_rule", title="other", definition="other"),
    )
    return Policy(
        id=policy_id,
        title=words,
        version=version,
        definition=words,
        severity=2,
        threshold=threshold,
        rules=rules,
    )


class HashEncoder:
    """Each word has its own direction in 32 dimensions, a text is their mean; it counts what it encodes.

    A text with the word ``broken`` fails.
    """

    name = "hash"
    version = "hash-1"
    dimension = 32

    def __init__(self) -> None:
        self.encoded: list[str] = []

    def encode(self, ids: Sequence[str], texts: Sequence[str], progress: Progress | None = None) -> Embeddings:
        self.encoded += ids
        good = [i for i, text in enumerate(texts) if "broken" not in text.split()]
        rows = np.array([self._vector(texts[i]) for i in good]).reshape(len(good), self.dimension)
        failures = tuple(Failure(ids[i], "it is broken") for i in range(len(ids)) if i not in good)
        return Embeddings(tuple(ids[i] for i in good), rows.astype(np.float16), failures)

    def _vector(self, text: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        words = [np.random.default_rng(list(word.encode())).normal(size=self.dimension) for word in text.split()]
        total = np.sum(words, axis=0)
        return np.asarray(total / np.linalg.norm(total))


def items(numbers: range, text: str = "item number {n} says w{n} v{n}", **changes: object) -> list[Item]:
    made = []
    for n in numbers:
        body = text.format(n=n)
        base = Item(f"it-{n:05}", f"ext-{n}", body, sha256(body.encode()).hexdigest(), language="en")
        made.append(replace(base, **changes))  # type: ignore[arg-type]
    return made


@dataclass
class Shop:
    ledger: SqlLedger
    lake: LanceLake
    folder: Path
    policies: dict[str, Policy] = field(
        default_factory=lambda: {
            "fraud": policy("fraud", "cheat money"),
            "harm": policy("harm", "hurt people"),
        }
    )
    encoder: HashEncoder = field(default_factory=HashEncoder)
    shares: Shares = field(default_factory=Shares)
    minutes: int = 0

    @property
    def prototypes(self) -> Head:
        return prototype_head(HashEncoder(), {p.id: p.text for p in self.policies.values()})

    def scorer(self, head: Head | None = None) -> EmbeddingHead:
        return EmbeddingHead(self.encoder, head or self.prototypes)

    def ingest(self, new: Sequence[Item]) -> None:
        self.ledger.items.register(new, self.lake.append(new))

    def score(self, scorer: EmbeddingHead | None = None) -> None:
        ScoreRun(self.lake, scorer or self.scorer(), 1000).go()

    def stocked(self, count: int = 30) -> Shop:
        self.ingest(items(range(count)))
        self.score()
        return self

    def request(self, round_id: str = "r1", budget: int = 8, **changes: object) -> RoundRequest:
        base = RoundRequest(round_id, budget, 7, {"random": 0.25, "risk": 0.25, "uncertain": 0.5})
        return replace(base, **changes)  # type: ignore[arg-type]

    def open(self, request: RoundRequest | None = None) -> Round:
        return open_round(self.ledger, self.lake, self.policies, request or self.request())

    def select(self, round_id: str = "r1", scorer: EmbeddingHead | None = None) -> Round:
        return select_round(self.ledger, self.lake, self.policies, scorer or self.scorer(), round_id)

    def send(self, round_id: str = "r1", budget: int = 8, **changes: object) -> list[Task]:
        """Open, select and send a round; its tasks lie in Label Studio now."""
        self.open(self.request(round_id, budget, **changes))
        self.select(round_id)
        self.deliver()
        if self.ledger.rounds.get(round_id).state is RoundState.SELECTED:
            self.ledger.rounds.set_state(round_id, RoundState.OPEN)
        return self.ledger.tasks.where(round_id=round_id, kind=TaskKind.BLIND)

    def deliver(self) -> None:
        """Everything queued reaches Label Studio."""
        waiting = [task.task_id for task in self.ledger.tasks.where(states=(TaskState.QUEUED,))]
        self.ledger.tasks.mark_sending(waiting, 1)
        start = len(self.ledger.tasks.where())
        self.ledger.tasks.mark_sent({task_id: start * 1000 + n for n, task_id in enumerate(waiting)})

    def answer(self, task: Task, *answers: Answer | None, people: Sequence[str] = ("ann", "bob", "cat")) -> None:
        """The n-th person's answer; the same person again edits it. None: that person says nothing."""
        self.minutes += 1
        told = [
            AnnotationEvent(
                task_id=task.task_id,
                studio_annotation_id=n,
                kind=EventKind.CREATED,
                annotator=f"{who}@example.org",
                updated_by=f"{who}@example.org",
                answer=answer,
                lead_time_s=3.0,
                studio_updated_at=NOW + timedelta(minutes=self.minutes),
            )
            for n, (who, answer) in enumerate(zip(people, answers, strict=False), start=1)
            if answer is not None
        ]
        self.ledger.annotations.append(told)

    def groups(self) -> Groups:
        vectors = LakeVectors(self.lake, embedding_group(self.scorer()))
        return Groups(self.ledger.golden.items(), vectors, 0.95, self.shares)

    def settle(self, desk: LeadDesk | None = None) -> SettleReport:
        return settle_all(self.ledger, self.lake, self.groups, desk=desk)


def open_shop(folder: Path) -> Shop:
    return Shop(open_ledger(f"sqlite:///{folder}/ledger.db"), LanceLake(folder / "lake"), folder)
