"""One round trip on real tweets: pool in, labels by replay, golden versions, models, gate, promotion, scores anew.

Everything is the service's own but for Label Studio, which nobody needs where no person answers: tasks are marked as
sent, and the recorded votes of real people become the events that a pull would have made. The set counts votes and
names nobody, so each item's votes are dealt in an order of chance that is the same for every arm: the first two are the
blind answers, the third is the lead's where these differ.
"""

from __future__ import annotations

import gzip
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score

from api.composition import Goldfold
from api.requests import round_request, typed_round
from benchmarks.learning_sets import SOURCES, folder, load
from configs.settings import PACKAGED_POLICIES, Settings
from labeling.artefacts import load_artefact
from labeling.errors import NothingToDo
from labeling.golden.publish import publish
from labeling.ingest import ingest
from labeling.judging.gate import PASS
from labeling.records import AnnotationEvent, Answer, Cause, EventKind, Outcome, RoundState, Task, TaskKind, Verdict
from labeling.rounds import close_round, open_round, select_round
from labeling.score_run import ScoreRun
from labeling.scorebook import score_group
from labeling.settle import settle_all
from labeling.training import Basis, train
from scoring.base import Progress
from scoring.embeddings import Embeddings, Encoder
from scoring.encoder import SentenceEncoder
from scoring.errors import NotTrainable
from scoring.head import Head
from scoring.training import train_head
from selection.replay import Split, split

POLICY, VOTE = "hate_speech", "hate"
SOURCE, HELD_OUT = "tweets", 0.5
BUDGETS = (100, 100, 200, 400, 800)
FIRST, REFUSED, UNTRAINED = "first", "refused", "untrained"  # beside the gate's own words
CHUNK = 8192
F16 = npt.NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class Arm:
    """``lanes``: None for those of the settings; ``ungated``: every model is promoted, whatever the gate says."""

    lanes: Mapping[str, float] | None = None
    ungated: bool = False


ARMS = {"auto": Arm(), "auto, ungated": Arm(ungated=True), "random": Arm({"random": 1.0})}


@dataclass(frozen=True, slots=True)
class Point:
    """After a round: ``labels`` and ``answers`` so far, ``violating`` golden items; AUPRC on the held-out test of the
    round's model and of what scores from then on; on ``dev``, None where that is refused; what became of the model."""

    labels: int
    answers: int
    violating: int
    auprc: float
    champion_auprc: float
    dev: float | None
    verdict: str
    golden_version: str


@dataclass(frozen=True, slots=True)
class Trip:
    """One arm under one seed. ``start``: AUPRC of the policies' own texts; ``full``: of a head on the whole pool."""

    arm: str
    seed: int
    pool: int
    test: int
    test_violating: int
    start: float
    full: float
    points: tuple[Point, ...]


class Tweets:
    """The set, read once: ids, texts, votes and kept embeddings by the packaged encoder."""

    def __init__(self) -> None:
        with gzip.open(folder() / SOURCES[SOURCE].file, "rt", encoding="utf-8") as lines:
            records = [json.loads(line) for line in lines]
        self.data = load(SOURCE)
        self.names = [str(record["external_id"]) for record in records]
        self.texts = [str(record["text"]) for record in records]
        self.votes: list[list[bool]] = [
            [vote == VOTE for vote, count in sorted(record["votes"].items()) for _ in range(count)]
            for record in records
        ]
        self.truth: npt.NDArray[np.bool_] = np.array([record["label"] == VOTE for record in records])
        self.vectors: F16 = self.data.embeddings.astype(np.float16)
        self.encoder = Kept(dict(zip(self.texts, self.vectors, strict=True)))

    def dealt(self, row: int, seed: int) -> list[bool]:
        """The votes on a row, in the order in which they are given."""
        votes = self.votes[row]
        return [votes[place] for place in np.random.default_rng((seed, row)).permutation(len(votes))]


class Kept:
    """The packaged encoder, which has read the tweets already."""

    def __init__(self, known: Mapping[str, F16]) -> None:
        self._known = known
        self._encoder = SentenceEncoder(device="cpu", long_text="cut", cpu_precision="bfloat16")
        self.name, self.version = self._encoder.name, self._encoder.version
        self.dimension = self._encoder.dimension

    def encode(self, ids: Sequence[str], texts: Sequence[str], progress: Progress | None = None) -> Embeddings:
        """As ``Encoder.encode``."""
        if any(text not in self._known for text in texts):
            return self._encoder.encode(ids, texts, progress)
        if len(ids) != len(texts) or len(set(ids)) != len(ids):
            raise ValueError("ids: as many as texts, and no id twice")
        rows = [self._known[text] for text in texts]
        return Embeddings(tuple(ids), np.array(rows, np.float16).reshape(len(ids), self.dimension))


class KeptGoldfold(Goldfold):
    """Goldfold with that encoder."""

    def __init__(self, settings: Settings, encoder: Encoder) -> None:
        super().__init__(settings)
        self._kept_encoder = encoder

    @property
    def encoder(self) -> Encoder:
        return self._kept_encoder


class Journey:
    """One arm under one seed, on an installation of its own in ``home``."""

    def __init__(self, tweets: Tweets, part: Split, arm: str, seed: int, home: Path) -> None:
        policies = home / "policies"
        policies.mkdir()
        (policies / f"{POLICY}.yaml").write_bytes((PACKAGED_POLICIES / f"{POLICY}.yaml").read_bytes())
        settings = Settings(data_dir=home / "data", policies_dir=policies, device="cpu")
        self.goldfold = KeptGoldfold(settings, tweets.encoder)
        self._tweets, self._part, self._name, self._arm, self._seed = tweets, part, arm, ARMS[arm], seed
        self._sent = self._answers = self._labels = 0

    def go(self, budgets: Sequence[int]) -> Trip:
        """Raises ValueError where an item of the pool was lost on the way."""
        self._take_in()
        start = self._judge(self.goldfold.prototypes)
        points = tuple(self._round(number, budget) for number, budget in enumerate(budgets, 1))
        test, pool = self._part.test, self._part.pool
        violating = int(self._tweets.truth[test].sum())
        return Trip(self._name, self._seed, len(pool), len(test), violating, start, self._full, points)

    def _take_in(self) -> None:
        goldfold, tweets = self.goldfold, self._tweets
        items = [{"external_id": tweets.names[r], "text": tweets.texts[r], "language": "en"} for r in self._part.pool]
        report = ingest(
            items,
            goldfold.lake,
            goldfold.ledger.items,
            lock_path=goldfold.settings.data_dir / "ingest.lock",
            max_text_chars=goldfold.settings.max_text_chars,
            policies=goldfold.policies.keys(),
        )
        if report.added != len(self._part.pool):
            raise ValueError(f"{len(self._part.pool)} tweets were given and {report.added} taken in")
        self._score()

    def _round(self, number: int, budget: int) -> Point:
        self._label(f"round-{number}", budget, number)
        golden = self.goldfold.ledger.golden
        version = publish(golden, self.goldfold.golden_dir, now=datetime.now(UTC)).version
        head, dev, verdict = self._learn(f"model-{number}", version)
        champion = self.goldfold.ledger.models.champion()
        served = self.goldfold.head(champion)
        self._score()
        return Point(
            labels=self._labels,
            answers=self._answers,
            violating=sum(row.outcome is Outcome.VIOLATES for row in golden.items()),
            auprc=self._judge(head or served),
            champion_auprc=self._judge(served),
            dev=dev,
            verdict=verdict,
            golden_version=version,
        )

    def _label(self, round_id: str, budget: int, number: int) -> None:
        goldfold = self.goldfold
        given: dict[str, Any] = {"round_id": round_id, "budget": budget, "seed": 1000 * self._seed + number}
        request = typed_round(round_request(goldfold.settings, given | {"lanes": self._arm.lanes}))
        policies = goldfold.operating()
        open_round(goldfold.ledger, goldfold.lake, policies, request)
        select_round(goldfold.ledger, goldfold.lake, goldfold.policies, goldfold.scorer(), round_id, goldfold.cache_dir)
        goldfold.ledger.rounds.set_state(round_id, RoundState.OPEN)
        self._labels += budget
        self._replay(round_id, TaskKind.BLIND, lambda votes: [(f"voter-{n}", vote) for n, vote in enumerate(votes[:2])])
        self._replay(round_id, TaskKind.ADJUDICATION, lambda votes: [("lead", votes[2])])
        if not close_round(goldfold.ledger, round_id):
            raise ValueError(f"{round_id}: answers were given to every task, and some are not settled")

    def _replay(self, round_id: str, kind: TaskKind, said: Callable[[list[bool]], list[tuple[str, bool]]]) -> None:
        ledger = self.goldfold.ledger
        tasks = [task for task in ledger.tasks.where(kind=kind) if task.round_id == round_id]
        ledger.tasks.mark_sending([task.task_id for task in tasks], 1)
        ledger.tasks.mark_sent({task.task_id: self._sent + n for n, task in enumerate(tasks, 1)})
        self._sent += len(tasks)
        rows = self._rows(tasks)
        events = [
            self._event(task, who, vote, is_lead=kind is TaskKind.ADJUDICATION)
            for task, row in zip(tasks, rows, strict=True)
            for who, vote in said(self._tweets.dealt(row, self._seed))
        ]
        ledger.annotations.append(events)
        settle_all(ledger, self.goldfold.lake, self.goldfold.groups)

    def _rows(self, tasks: Sequence[Task]) -> list[int]:
        known = self.goldfold.ledger.items.by_id([task.item_id for task in tasks])
        return [self._places[known[task.item_id].external_id] for task in tasks]

    @cached_property
    def _places(self) -> dict[str, int]:
        return {name: row for row, name in enumerate(self._tweets.names)}

    def _event(self, task: Task, who: str, vote: bool, *, is_lead: bool) -> AnnotationEvent:
        """The set tells neither a rule nor a severity: those of the policy stand for them, as in an import."""
        self._answers += 1
        policy = self.goldfold.policies[POLICY]
        about: dict[str, Any] = {}
        if is_lead:
            about = {"verdict": Verdict.SINGLE, "cause": Cause.LEGITIMATELY_PLURAL, "rationale": "replayed"}
        answer = (
            Answer(Outcome.VIOLATES, policy.rule_ids[0], policy.severity, **about)
            if vote
            else Answer(Outcome.ALLOWED, **about)
        )
        address = f"{who}@replay.invalid"
        return AnnotationEvent(
            task_id=task.task_id,
            studio_annotation_id=self._answers,
            kind=EventKind.CREATED,
            annotator=address,
            updated_by=address,
            answer=answer,
            lead_time_s=None,
            studio_updated_at=datetime.now(UTC),
        )

    def _learn(self, model_id: str, version: str) -> tuple[Head | None, float | None, str]:
        """The head, its AUPRC on dev, and what became of it."""
        goldfold = self.goldfold
        try:
            trained = train(
                goldfold.ledger,
                goldfold.lake,
                model_id=model_id,
                golden_version=version,
                basis=Basis.of(goldfold.prototypes),
                folder=goldfold.models_dir,
                seed=self._seed,
                duplicate_cosine=goldfold.duplicate_cosine,
            )
        except (NotTrainable, NothingToDo):
            return None, None, UNTRAINED
        head = load_artefact(trained.model)
        if not isinstance(head, Head):
            raise TypeError(f"{model_id} is no head")
        dev, verdict = self._dev(model_id), self._gate(model_id)
        if verdict in (FIRST, PASS):
            goldfold.promote(model_id, "bench")
        elif self._arm.ungated:
            goldfold.promote(model_id, "bench", without_gate="the benchmark promotes every model of this arm")
        return head, dev, verdict

    def _dev(self, model_id: str) -> float | None:
        try:
            told = self.goldfold.evaluate(model_id)
        except NothingToDo:
            return None
        value = told["policies"][POLICY]["auprc"]["value"]
        return None if value is None else float(value)

    def _gate(self, model_id: str) -> str:
        if self.goldfold.ledger.models.champion() is None:
            return FIRST
        try:
            return str(self.goldfold.gate(model_id, "bench")["verdict"])
        except NothingToDo:
            return REFUSED

    def _score(self) -> None:
        """Every item by what scores now."""
        scorer, lake = self.goldfold.scorer(), self.goldfold.lake
        ScoreRun(lake, scorer, CHUNK).go()
        scored = lake.count(score_group(scorer))
        if scored != len(self._part.pool):
            raise ValueError(f"{scored} of {len(self._part.pool)} items have a score of {scorer.version}")

    def _judge(self, head: Head) -> float:
        test, column = self._part.test, head.policies.index(POLICY)
        scores = head.probabilities(self._tweets.vectors[test])[:, column]
        return float(average_precision_score(self._tweets.truth[test], scores))

    @cached_property
    def _full(self) -> float:
        pool, prototypes = self._part.pool, self.goldfold.prototypes
        labels = self._tweets.truth[pool].astype(np.float32)[:, None]
        made = train_head(
            self._tweets.vectors[pool], labels, (POLICY,), self._tweets.encoder.version, prototypes, self._seed
        )
        return self._judge(made.head)


def travel(tweets: Tweets, arm: str, seed: int, budgets: Sequence[int] = BUDGETS) -> Trip:
    """One whole trip in a folder that goes afterwards."""
    part = split(tweets.data, seed, HELD_OUT)
    with tempfile.TemporaryDirectory() as home:
        journey = Journey(tweets, part, arm, seed, Path(home))
        try:
            return journey.go(budgets)
        finally:
            journey.goldfold.close()
