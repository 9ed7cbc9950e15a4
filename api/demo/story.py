"""The demo: the whole loop, twice, on real content, with a real Label Studio.

Every step has an id of its own, so a demo that was interrupted goes on where it stopped, and one that is done is
shown again at once.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from api.demo.pyrit import DemoSet, fetch, human_answers, read_set
from api.demo.replay import Answers, Person, Tick, replay
from api.ids import new_id
from api.jobs.errors import JobFailed
from api.jobs.runtime import Job
from api.requests import round_request
from api.service import Service
from labeling.errors import NothingToDo
from labeling.golden.publish import publish
from labeling.ingest import ingest
from labeling.judging.gate import PASS
from labeling.model_records import ModelState
from labeling.records import TaskKind
from scoring.errors import NotTrainable

UNTRAINABLE = (NotTrainable.__name__, NothingToDo.__name__)
BUDGET = 120
ROUNDS = 2
Bar = Callable[[str], AbstractContextManager[Tick]]
JobBar = Callable[[str], AbstractContextManager[Callable[[Job], None]]]


@dataclass(slots=True)
class Turn:
    """What one turn of the loop did. ``resumed``: it was done on an earlier start, and nothing was run again."""

    round_id: str
    resumed: bool
    answers: int = 0
    lead_answers: int = 0
    golden_version: str = ""
    model_id: str = ""
    notes: list[str] = field(default_factory=list)


class Story:
    """The demo on a running service."""

    def __init__(self, service: Service, people: list[Person], bar: Bar, job_bar: JobBar) -> None:
        self._service = service
        self._people = people
        self._bar = bar
        self._job_bar = job_bar
        self.demo_set: DemoSet = read_set(fetch(service.settings.data_dir))

    def run(self) -> list[Turn]:
        """Take the content in, then turn the loop."""
        self._ingest()
        return [self._turn(number) for number in range(1, ROUNDS + 1)]

    def _ingest(self) -> None:
        goldfold = self._service.goldfold
        with self._bar("ingest") as tick:
            ingest(
                [row.as_item() for row in self.demo_set.rows],
                goldfold.lake,
                goldfold.ledger.items,
                lock_path=goldfold.settings.data_dir / "ingest.lock",
                max_text_chars=goldfold.settings.max_text_chars,
                policies=goldfold.policies.keys(),
                progress=lambda _step, done, total: tick(done, total or done),
            )

    def _turn(self, number: int) -> Turn:
        round_id, model_id = f"demo-round-{number}", f"demo-model-{number}"
        ledger = self._service.goldfold.ledger
        if any(m.model_id == model_id and m.state is not ModelState.CANDIDATE for m in ledger.models.all()):
            version = ledger.models.get(model_id).golden_version
            return Turn(round_id, resumed=True, golden_version=version, model_id=model_id)
        turn = Turn(round_id, resumed=False)
        given = {"round_id": round_id, "budget": BUDGET, "seed": number, "policies": self._asked()}
        request = round_request(self._service.settings, given)
        self._job("round", round_id, request)
        turn.answers = self._replay(TaskKind.BLIND)
        self._job("sync", new_id("sync"), {"full": False})
        turn.lead_answers = self._replay(TaskKind.ADJUDICATION)
        self._job("sync", new_id("sync"), {"full": False})
        self._learn(turn, model_id)
        return turn

    def _asked(self) -> list[str]:
        """The policies under which several people scored at least one row: only there can labels be settled."""
        return sorted({row.policy_id for row in self.demo_set.rows if len(row.scores) > 1})

    def _learn(self, turn: Turn, model_id: str) -> None:
        goldfold = self._service.goldfold
        try:
            turn.golden_version = publish(goldfold.ledger.golden, goldfold.golden_dir, now=datetime.now(UTC)).version
        except NothingToDo as error:
            versions = goldfold.ledger.golden.versions()
            if not versions:
                turn.notes.append(str(error))
                return
            turn.golden_version = versions[-1].version
        request = {"model_id": model_id, "golden_version": turn.golden_version, "seed": 0}
        try:
            self._job("train", model_id, request)
        except JobFailed as error:
            if error.cause not in UNTRAINABLE:
                raise
            turn.notes.append(f"{turn.round_id}: no model was trained, the scorer before it stays: {error}")
            return
        turn.model_id = model_id
        if goldfold.ledger.models.champion() is None or self._passes(turn):
            goldfold.promote(model_id, actor="demo")

    def _passes(self, turn: Turn) -> bool:
        """Whether the model beats the champion's gate; the verdict stays in the ledger."""
        try:
            return bool(self._service.goldfold.gate(turn.model_id, "demo")["verdict"] == PASS)
        except NothingToDo as error:
            turn.notes.append(f"{turn.model_id} met no gate: {error}")
            return False

    def _replay(self, kind: TaskKind) -> int:
        label = "people answer" if kind is TaskKind.BLIND else "the lead decides"
        with self._bar(label) as tick:
            return replay(self._service.goldfold, self._people, self._answers(), kind, tick)

    def _answers(self) -> Answers:
        policies = self._service.goldfold.policies
        return {
            (row.external_id, row.policy_id): human_answers(row, policies[row.policy_id]) for row in self.demo_set.rows
        }

    def _job(self, kind: str, job_id: str, request: dict[str, Any]) -> dict[str, Any]:
        with self._job_bar(f"{kind} {job_id}" if kind == "round" else kind) as watch:
            self._service.jobs.submit(kind, job_id, request)
            return self._service.jobs.result(job_id, watch)
