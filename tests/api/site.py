"""A whole installation in a folder, with a sentence encoder that needs no weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from api.composition import Goldfold
from api.jobs.runtime import JobRuntime
from api.requests import round_request, typed_round
from configs.settings import Settings
from labeling.ingest import ingest
from labeling.model_records import Model
from labeling.policies import Policies
from labeling.records import AnnotationEvent, Answer, EventKind, Outcome, Round, RoundState, Task
from labeling.rounds import open_round, select_round
from labeling.score_run import ScoreRun
from labeling.scorebook import LakeScorer
from labeling.settle import settle_all
from scoring.base import Progress
from scoring.embedding_head import EmbeddingHead
from scoring.embeddings import Embeddings, Encoder
from scoring.head import Head
from scoring.prototypes import prototype_head

DIMENSION = 32
HARM = "hate_speech"
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class WordEncoder:
    """Each word has its own direction; a text is the unit vector of its words' sum."""

    name = "words"
    version = "words-1"
    dimension = DIMENSION

    def encode(self, ids: Sequence[str], texts: Sequence[str], progress: Progress | None = None) -> Embeddings:
        rows = np.stack([_unit(np.sum([_vector(word) for word in text.split()], axis=0)) for text in texts])
        if progress is not None:
            progress(len(ids), len(ids))
        return Embeddings(tuple(ids), rows.astype(np.float16))


class WordGoldfold(Goldfold):
    """Goldfold with that encoder; all else is real."""

    @property
    def encoder(self) -> Encoder:
        return WordEncoder()

    @property
    def prototypes(self) -> Head:
        return prototypes(self.policies)

    def _build_scorer(self, champion: Model | None) -> LakeScorer:
        return self.calibrated(EmbeddingHead(self.encoder, self.head(champion)), champion)


def prototypes(policies: Policies) -> Head:
    """The head of the cold start under the word encoder."""
    return prototype_head(WordEncoder(), {policy.id: policy.text for policy in policies.values()})


def settings(folder: Path, **more: Any) -> Settings:
    """Settings of an installation in ``folder`` whose jobs run under a name of their own."""
    given: dict[str, Any] = {"data_dir": folder, "executor_id": "test", "budget": 6, **more}
    return Settings(**given)


@contextmanager
def running(goldfold: Goldfold) -> Iterator[JobRuntime]:
    """The jobs of this process, on this Goldfold."""
    runtime = JobRuntime(goldfold)
    runtime.start()
    try:
        yield runtime
    finally:
        runtime.close()


def stock(goldfold: Goldfold, count: int = 40) -> None:
    """Ingest ``count`` items ``post-0``, ``post-1``, ...; every other one speaks of vermin."""
    texts = [f"text{n} number{n} words{n} {'vermin' if n % 2 else 'flowers'}" for n in range(count)]
    rows = [{"external_id": f"post-{n}", "text": text, "language": "en"} for n, text in enumerate(texts)]
    ingest(
        rows,
        goldfold.lake,
        goldfold.ledger.items,
        lock_path=goldfold.settings.data_dir / "ingest.lock",
        max_text_chars=1000,
        policies=goldfold.policies.keys(),
    )


def score_all(goldfold: Goldfold) -> None:
    """Score every item."""
    ScoreRun(goldfold.lake, goldfold.scorer(), 1000).go()


def select(goldfold: Goldfold, round_id: str = "week-1", budget: int = 6) -> Round:
    """A round up to its picks and tasks, as its job makes it before anything is sent."""
    given = {"round_id": round_id, "budget": budget, "policies": [HARM], "lanes": {"random": 0.5, "uncertain": 0.5}}
    request = typed_round(round_request(goldfold.settings, given))
    open_round(goldfold.ledger, goldfold.lake, goldfold.policies, request)
    return select_round(goldfold.ledger, goldfold.lake, goldfold.policies, goldfold.scorer(), round_id)


def gild(goldfold: Goldfold, round_id: str = "week-1") -> None:
    """Two people answer every task of a selected round alike, what speaks of vermin violating; then settle it."""
    ledger = goldfold.ledger
    tasks = ledger.tasks.where(round_id=round_id)
    ledger.tasks.mark_sending([task.task_id for task in tasks], 1)
    ledger.tasks.mark_sent({task.task_id: n for n, task in enumerate(tasks, 1)})
    ledger.rounds.set_state(round_id, RoundState.OPEN)
    ledger.annotations.append([event_of(goldfold, n, person) for n in enumerate(tasks) for person in (1, 2)])
    settle_all(ledger, goldfold.lake, goldfold.groups)


def event_of(goldfold: Goldfold, numbered: tuple[int, Task], person: int) -> AnnotationEvent:
    number, task = numbered
    rule = goldfold.policies[task.policy_id].rule_ids[0]
    return AnnotationEvent(
        task_id=task.task_id,
        studio_annotation_id=2 * number + person,
        kind=EventKind.CREATED,
        annotator=f"person{person}@example.com",
        updated_by=f"person{person}@example.com",
        answer=Answer(Outcome.VIOLATES, rule=rule, severity=2) if "vermin" in task.text else Answer(Outcome.ALLOWED),
        lead_time_s=4.0,
        studio_updated_at=NOW,
    )


def _vector(word: str) -> npt.NDArray[np.float64]:
    return np.random.default_rng(list(sha256(word.encode()).digest()[:8])).standard_normal(DIMENSION)


def _unit(vector: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return vector / np.linalg.norm(vector)
