"""Builders for these tests: a policy, a ledger with tasks, and a wire to Label Studio that can be cut."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import count

import httpx

from labeling.policies import Policy
from labeling.records import Answer, Item, Outcome, Round, RoundState, Task, TaskKind, TaskState
from labeling.store.ledger import SqlLedger

NUMBERS = count()
VIOLATES = Answer(Outcome.VIOLATES, "threats", 3, 4, "says when and where")
ALLOWED = Answer(Outcome.ALLOWED)


def make_policy(version: str = "1.0.0", **changes: object) -> Policy:
    """A policy of its own per call, so that tests sharing the server never share a project."""
    return Policy.model_validate(
        {
            "id": f"harm_{next(NUMBERS)}_{uuid.uuid4().hex[:8]}",
            "title": 'Harm <b>& "quotes"</b> for $5',
            "version": version,
            "definition": "Content that harms people: 100 % & <more>.",
            "severity": 2,
            "threshold": 0.5,
            "rules": [
                {"id": "threats", "title": "Threats", "definition": "Says it will hurt $someone."},
                {"id": "insults", "title": "Insults", "definition": "Demeans a person.", "examples": ["You are <x>"]},
            ],
        }
        | changes
    )


def make_tasks(
    ledger: SqlLedger,
    policy: Policy,
    texts: Sequence[str],
    *,
    kind: TaskKind = TaskKind.BLIND,
    overlap: int = 2,
    prompt: str = "",
    precedents: str = "",
) -> list[Task]:
    """Queued tasks in the ledger, one per text."""
    now = datetime.now(UTC)
    round_id = uuid.uuid4().hex
    ledger.rounds.create(Round(round_id, RoundState.PLANNED, 7, {}, {}, "scorer-1", (), now, now))
    tasks = []
    for text in texts:
        item = Item(uuid.uuid4().hex, uuid.uuid4().hex, text, hashlib.sha256(text.encode()).hexdigest())
        ledger.items.register([item], 1)
        tasks.append(
            Task(
                task_id=uuid.uuid4().hex,
                kind=kind,
                round_id=round_id,
                item_id=item.item_id,
                policy_id=policy.id,
                policy_version=policy.version,
                text=text,
                content_hash=item.content_hash,
                overlap=overlap,
                state=TaskState.QUEUED,
                project_id=None,
                studio_task_id=None,
                parent_task_id=None,
                error="",
                created_at=now,
                updated_at=now,
                prompt=prompt,
                precedents=precedents,
            )
        )
    ledger.tasks.add(tasks)
    return tasks


Fault = Callable[[httpx.Request, Callable[[], httpx.Response]], httpx.Response]


class Wire(httpx.BaseTransport):
    """Passes requests on; ``fault`` may answer instead, or lose the answer after passing the request on."""

    def __init__(self) -> None:
        self._inner = httpx.HTTPTransport()
        self.fault: Fault | None = None
        self.posts = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        def pass_on() -> httpx.Response:
            return self._inner.handle_request(request)

        if is_import(request):
            self.posts += 1
        return self.fault(request, pass_on) if self.fault else pass_on()

    def close(self) -> None:
        self._inner.close()


def is_import(request: httpx.Request) -> bool:
    return request.method == "POST" and request.url.path.endswith("/import")


def lose_answers(times: int) -> Fault:
    """The server does its work, and the answer is lost, for the first imports."""
    left = [times]

    def fault(request: httpx.Request, pass_on: Callable[[], httpx.Response]) -> httpx.Response:
        response = pass_on()
        if is_import(request) and left[0] > 0:
            left[0] -= 1
            response.close()
            raise httpx.ReadError("cut")
        return response

    return fault


def answer_instead(status: int, when: Callable[[bytes], bool], times: int = 10**6) -> Fault:
    """Imports whose body ``when`` likes are answered with ``status`` and do not reach the server."""
    left = [times]

    def fault(request: httpx.Request, pass_on: Callable[[], httpx.Response]) -> httpx.Response:
        if is_import(request) and left[0] > 0 and when(request.read()):
            left[0] -= 1
            return httpx.Response(status, json={"detail": "no such luck"}, request=request)
        return pass_on()

    return fault
