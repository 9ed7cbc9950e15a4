"""The durable jobs: score, round, sync, train. Each is a thin chain of steps over the rooms' plain functions.

A step runs at least once, so each one is idempotent by itself and returns counts and ids only. DBOS keeps its
registry per process, hence the one module-level binding to the process's ``Goldfold``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dbos import DBOS

from api.composition import Goldfold
from api.jobs import steps
from labeling.errors import StudioUnreachable

Json = dict[str, Any]

HEAVY = "heavy"  # score, round and train: one at a time over all processes
SYNC = "sync"  # pulls: one at a time, beside the heavy ones

_bound: list[Goldfold] = []


def bind(goldfold: Goldfold | None) -> None:
    """Say which Goldfold the jobs of this process work on (None: no longer any)."""
    _bound[:] = [] if goldfold is None else [goldfold]


def app() -> Goldfold:
    """The bound Goldfold. Raises RuntimeError when jobs run before ``bind``."""
    if not _bound:
        raise RuntimeError("jobs were started before bind()")
    return _bound[0]


def _studio_is_away(error: BaseException) -> bool:
    return isinstance(error, StudioUnreachable)


def _say(stage: str, done: int, total: int) -> None:
    DBOS.set_event("progress", {"stage": stage, "done": done, "total": total})


@DBOS.step()
def step_score() -> Json:
    return steps.score(app(), job_id())


@DBOS.step()
def step_open(request: Json) -> Json:
    return steps.open_round(app(), request)


@DBOS.step()
def step_select(round_id: str) -> Json:
    return steps.select(app(), round_id)


@DBOS.step(retries_allowed=True, max_attempts=4, interval_seconds=2.0, should_retry=_studio_is_away)
def step_project(round_id: str, policy_id: str, kind: str) -> int:
    return steps.project(app(), round_id, policy_id, kind)


@DBOS.step(retries_allowed=True, max_attempts=4, interval_seconds=2.0, should_retry=_studio_is_away)
def step_push(round_id: str, policy_id: str, kind: str) -> Json:
    return steps.push(app(), round_id, policy_id, kind, holder=DBOS.executor_id)


@DBOS.step()
def step_opened(round_id: str) -> Json:
    return steps.opened(app(), round_id)


@DBOS.step()
def step_projects() -> list[Json]:
    return steps.projects(app())


@DBOS.step(retries_allowed=True, max_attempts=4, interval_seconds=2.0, should_retry=_studio_is_away)
def step_pull(project_id: int, full: bool) -> Json:
    return steps.pull(app(), project_id, full=full)


@DBOS.step()
def step_settle() -> Json:
    return steps.settle(app())


@DBOS.step()
def step_unpushed() -> list[Json]:
    return steps.unpushed(app())


@DBOS.step()
def step_close() -> list[str]:
    return steps.close(app())


@DBOS.step()
def step_train(model_id: str, golden_version: str, seed: int) -> Json:
    return steps.train(app(), model_id, golden_version, seed)


@DBOS.step()
def step_evaluate(model_id: str) -> Json:
    return steps.evaluate(app(), model_id)


def job_id() -> str:
    """The id of the job that runs now."""
    return str(DBOS.workflow_id)


@DBOS.workflow()
def score(request: Json) -> Json:  # noqa: ARG001 - every job takes one request
    """Score every item that has no score under the current scorer."""
    return _score_all()


def _score_all() -> Json:
    scored = failed = 0
    while True:
        chunk = step_score()
        scored, failed = scored + chunk["scored"], failed + chunk["failed"]
        total = scored + failed + chunk["left"]
        _say("score", scored + failed, total)
        if not chunk["left"]:
            return {"scored": scored, "failed": failed, "scorer": chunk["scorer"], "scorer_version": chunk["version"]}


@DBOS.workflow()
def round_(request: Json) -> Json:
    """Plan, score what is missing, pick, and push the tasks to Label Studio."""
    opened = step_open(request)
    round_id: str = opened["round_id"]
    scored = _score_all()
    _say("select", 0, 1)
    selected = step_select(round_id)
    policies: list[str] = selected["policies"]
    sent = 0
    for policy_id in policies:
        step_project(round_id, policy_id, "blind")
        while True:
            pushed = step_push(round_id, policy_id, "blind")
            sent += pushed["sent"]
            _say("push", sent, selected["tasks"])
            if not pushed["left"]:
                break
    return {**step_opened(round_id), "scored": scored["scored"], "failed": scored["failed"]}


@DBOS.workflow()
def sync(request: Json) -> Json:
    """Pull answers, settle what is decided, and send what is disputed (or went missing) to Label Studio."""
    projects = step_projects()
    events = 0
    reports = []
    for number, project in enumerate(projects):
        _say("pull", number, len(projects))
        report = step_pull(project["project_id"], bool(request.get("full")))
        events += report["events"]
        reports.append(report)
    _say("settle", 0, 1)
    settled = step_settle()
    sent = 0
    for group in step_unpushed():
        step_project(group["round_id"], group["policy_id"], group["kind"])
        while True:
            pushed = step_push(group["round_id"], group["policy_id"], group["kind"])
            sent += pushed["sent"]
            if not pushed["left"]:
                break
    return {"events": events, **settled, "sent": sent, "closed": step_close(), "projects": reports}


@DBOS.workflow()
def train(request: Json) -> Json:
    """Fit a candidate on a golden version and judge it on the version's dev partition."""
    _say("train", 0, 2)
    trained = step_train(request["model_id"], request["golden_version"], request["seed"])
    _say("evaluate", 1, 2)
    return {**trained, "evaluation": step_evaluate(request["model_id"])}


KINDS: dict[str, tuple[Callable[[Json], Json], str]] = {
    "score": (score, HEAVY),
    "round": (round_, HEAVY),
    "sync": (sync, SYNC),
    "train": (train, HEAVY),
}
