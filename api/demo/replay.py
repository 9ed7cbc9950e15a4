"""The demo's annotators: they replay human scores through Label Studio's own API, one account each.

Nobody invents an answer: the first and second human score of a row are the two blind answers, the third is what the
lead says where those two differ. Where the data holds one human score only, one answer is given and the task waits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import httpx

from api.composition import Goldfold
from labeling.records import Answer, Cause, Task, TaskKind, TaskState, Verdict
from labeling.studio.accounts import create_account
from labeling.studio.label_config import build_result

Answers = Mapping[tuple[str, str], tuple[Answer, ...]]  # (external_id, policy id) -> the human answers in their order
Tick = Callable[[int, int], None]
TIMEOUT_S = 60.0
LEAD = 2  # the turn of the third human


@dataclass(frozen=True, slots=True)
class Person:
    """One human of the source data: ``turn`` 0, 1 (annotators) or 2 (the lead), with an account of their own."""

    turn: int
    email: str
    token: str


def hire(base_url: str, admin_token: str, passwords: Mapping[str, str]) -> list[Person]:
    """One Label Studio account for each of the three humans (made if they are not there)."""
    people = []
    for turn, (email, password) in enumerate(passwords.items()):
        people.append(Person(turn, email, create_account(base_url, admin_token, email, password)))
    return people


def replay(goldfold: Goldfold, people: list[Person], answers: Answers, kind: TaskKind, tick: Tick) -> int:
    """Give every answer the source holds for the tasks that were sent; return how many were given now.

    Blind tasks take humans 0 and 1, adjudication tasks human 2. A task this person has answered is left alone, so a
    demo that was interrupted goes on.
    """
    tasks = goldfold.ledger.tasks.where(states=(TaskState.SENT,), kind=kind)
    external = _external_ids(goldfold, tasks)
    humans = [p for p in people if (p.turn == LEAD) == (kind is TaskKind.ADJUDICATION)]
    given = 0
    for number, person in enumerate(humans):
        with _client(goldfold.settings.studio_url, person) as client:
            me = client.get("/api/current-user/whoami").raise_for_status().json()["id"]
            for done, task in enumerate(tasks, 1):
                said = answers.get((external[task.item_id], task.policy_id), ())
                if len(said) > person.turn:
                    answer = said[person.turn]
                    given += _answer(client, me, task, _lead(answer) if person.turn == LEAD else answer)
                tick(number * len(tasks) + done, len(tasks) * len(humans))
    return given


def _lead(answer: Answer) -> Answer:
    """As a lead's form asks for it; the source tells neither a cause nor a reason."""
    why = "replayed: the data set gives a score and no reason"
    return replace(answer, verdict=Verdict.SINGLE, cause=Cause.LEGITIMATELY_PLURAL, rationale=why)


def _client(base_url: str, person: Person) -> httpx.Client:
    return httpx.Client(base_url=base_url, headers={"Authorization": f"Token {person.token}"}, timeout=TIMEOUT_S)


def _answer(client: httpx.Client, me: int, task: Task, answer: Answer) -> int:
    where = f"/api/tasks/{task.studio_task_id}/annotations/"
    if any(there["completed_by"] == me for there in client.get(where).raise_for_status().json()):
        return 0
    client.post(where, json={"result": build_result(answer)}).raise_for_status()
    return 1


def _external_ids(goldfold: Goldfold, tasks: list[Task]) -> dict[str, str]:
    known = goldfold.ledger.items.by_id(sorted({task.item_id for task in tasks}))
    return {item_id: item.external_id for item_id, item in known.items()}
