"""The durable jobs: score, round, sync, train and others. Each is a thin chain of steps over the rooms' functions.

A step runs at least once, so each one is idempotent by itself and returns counts and ids only. DBOS keeps its
registry per process, hence the one module-level binding to the process's ``Goldfold``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import wraps
from time import monotonic
from typing import Concatenate, ParamSpec, TypeVar

import structlog
from dbos import DBOS

from api.composition import Goldfold
from api.jobs import desks, finetuning, judging, maps, screens, steps
from api.jobs.database import plain_errors
from api.jobs.records import Json
from api.jobs.running import RUNS, STEPS
from api.jobs.score_runs import SCORE_RUNS
from labeling.errors import StudioUnreachable
from scoring.metering import Bill

P = ParamSpec("P")
R = TypeVar("R")

HEAVY = "heavy"  # score, round, train, finetune, judge and trends: one at a time over all processes
REMOTE = "remote"  # remote judges are asked: one at a time, beside all others, since it is they that work
MIRROR = "mirror"  # the registry's mirror: one at a time, and whoever waits for it is nobody
MAP = "map"  # one at a time, beside all others: it takes one thread of a process of its own
SYNC = "sync"  # pulls: one at a time, beside the heavy ones
WAITS_S = (2.0, 4.0, 8.0)

log = structlog.get_logger(__name__)

_bound: list[Goldfold] = []


def bind(goldfold: Goldfold) -> None:
    """Say which Goldfold the jobs of this process work on from now on."""
    _bound[:] = [goldfold]
    RUNS.clear()
    SCORE_RUNS.clear()
    STEPS.open()


def _watched(job: Callable[[Json], Json]) -> Callable[[Json], Json]:
    """A job whose end this process knows even when it cannot be written down, as on a full disk."""

    @wraps(job)
    def watched(request: Json) -> Json:
        with RUNS.one(job_id()), plain_errors(_bound[0].jobs_url):
            return job(request)

    return watched


def _run(function: Callable[Concatenate[Goldfold, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Do a step's work, while no other step of this job runs here. Raises Stopped when the process ends its work."""
    with STEPS.one(job_id()):
        return function(_bound[0], *args, **kwargs)


def _run_patiently(function: Callable[Concatenate[Goldfold, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
    """The same, again after each of ``WAITS_S`` while Label Studio is away. DBOS' own retries would hide why it
    failed in the end, and could not be stopped while they wait."""
    for wait_s in WAITS_S:
        try:
            return _run(function, *args, **kwargs)
        except StudioUnreachable as error:
            log.warning("label_studio_is_away", job=job_id(), error=str(error), again_in_s=wait_s)
        STEPS.pause(wait_s)
    return _run(function, *args, **kwargs)


def _say(stage: str, done: int, total: int, **figures: float) -> None:
    DBOS.set_event("progress", {"stage": stage, "done": done, "total": total, **figures})


@DBOS.step()
def step_score(most: int | None, modality: str = "text", champion: str | None = None) -> Json:
    return _run(steps.score, job_id(), most, modality, champion)


@DBOS.step()
def step_media() -> list[Json]:
    return _run(steps.media)


@DBOS.step()
def step_compact() -> int:
    return _run(steps.compact)


@DBOS.step()
def step_open(request: Json) -> Json:
    return _run(steps.open_round, request)


@DBOS.step()
def step_select(round_id: str, champion: str | None = None) -> Json:
    return _run(steps.select, round_id, champion)


@DBOS.step()
def step_hand_out() -> Json:
    return _run(desks.hand_out)


@DBOS.step()
def step_injections() -> Json:
    return _run(desks.injections)


@DBOS.step()
def step_asks_images() -> bool:
    return _run(steps.asks_images)


@DBOS.step()
def step_groups(round_id: str) -> list[Json]:
    return _run(steps.groups, round_id)


@DBOS.step()
def step_project(round_id: str, policy_id: str, kind: str, assignee: str = "", modality: str = "text") -> int:
    return _run_patiently(steps.project, round_id, policy_id, kind, assignee, modality)


@DBOS.step()
def step_push(round_id: str, policy_id: str, kind: str, assignee: str = "", modality: str = "text") -> Json:
    return _run_patiently(steps.push, round_id, policy_id, kind, assignee, modality, holder=DBOS.executor_id)


@DBOS.step()
def step_widen() -> int:
    return _run_patiently(steps.widen)


@DBOS.step()
def step_opened(round_id: str) -> Json:
    return _run(steps.opened, round_id)


@DBOS.step()
def step_projects() -> list[Json]:
    return _run(steps.projects)


@DBOS.step()
def step_pull(project_id: int, full: bool) -> Json:
    return _run_patiently(steps.pull, project_id, full=full)


@DBOS.step()
def step_stops() -> Json:
    return _run_patiently(steps.stops)


@DBOS.step()
def step_settle() -> Json:
    return _run(steps.settle)


@DBOS.step()
def step_unpushed() -> list[Json]:
    return _run(steps.unpushed)


@DBOS.step()
def step_repair(project_id: int) -> Json:
    return _run_patiently(screens.repair, project_id)


@DBOS.step()
def step_forget_screens(adopt: bool) -> Json:
    return _run_patiently(screens.forget_screens, adopt=adopt)


@DBOS.step()
def step_close() -> list[str]:
    return _run(steps.close)


@DBOS.step()
def step_train(model_id: str, golden_version: str, seed: int, modality: str = "text") -> Json:
    return _run(steps.train, model_id, golden_version, seed, modality)


@DBOS.step()
def step_finetune(request: Json) -> Json:
    return _run(finetuning.finetune, job_id(), request)


@DBOS.step()
def step_judge(request: Json, began_s: float | None = None) -> Json:
    return _run(judging.judge, job_id(), request, began_s)


@DBOS.step()
def step_evaluate(model_id: str) -> Json:
    return _run(steps.evaluate, model_id)


def job_id() -> str:
    """The id of the job that runs now."""
    return str(DBOS.workflow_id)


@DBOS.workflow()
@_watched
def score(request: Json) -> Json:
    """Score the items that have no score under the current scorers: all of them, or ``max_items``. ``media`` tells the
    same of images and videos, ``waiting`` which of them have no scorer."""
    most = request.get("max_items")
    done = _score_all(most)
    tried = done["scored"] + done["failed"]
    media, waiting = {}, []
    for kind in step_media():
        if not kind["set"]:
            waiting.append(kind)
        elif most is None or tried < most:
            found = _score_all(None if most is None else most - tried, kind["modality"])
            media[kind["modality"]] = found
            tried += found["scored"] + found["failed"]
    return {**done, "media": media, "waiting": waiting}


def _score_all(most: int | None = None, modality: str = "text", champion: str | None = None) -> Json:
    """``champion``: the model that the job began with; None: that of now, and it stays so until all is scored."""
    scored = failed = passing = chunks = 0
    trouble = ""
    asked: Bill | None = None
    while True:
        chunk = step_score(None if most is None else most - scored - failed, modality, champion)
        champion = chunk.get("champion", champion)
        chunks += chunk.get("chunks", 1)  # an older version's steps were a chunk each
        if chunks >= steps.COMPACT_CHUNKS:
            step_compact()
            chunks = 0
        scored, failed = scored + chunk["scored"], failed + chunk["failed"]
        passing, trouble = passing + chunk.get("passing", 0), chunk.get("trouble") or trouble
        if chunk.get("bill") is not None:
            asked = (asked or Bill()).plus(Bill(**chunk["bill"]))
        _say("score", chunk["done"], chunk["total"])
        if not chunk["left"] or (most is not None and scored + failed >= most):
            return {
                "scored": scored,
                "failed": failed,
                "passing": passing,
                "trouble": trouble,
                "left": chunk["left"],
                "scorer": chunk["scorer"],
                "scorer_version": chunk["version"],
                "bill": None if asked is None else asdict(asked),
            }


@DBOS.workflow()
@_watched
def round_(request: Json) -> Json:
    """Plan, score what is missing, pick, hand out, and push the tasks to Label Studio."""
    opened = step_open(request)
    round_id: str = opened["round_id"]
    champion: str | None = opened.get("champion")
    scored = _score_all(champion=champion)
    seen = _score_all(modality="image", champion=champion) if step_asks_images() else {"scored": 0, "failed": 0}
    _say("select", 0, 1)
    selected = step_select(round_id, champion)
    handed = step_hand_out()
    _send(step_groups(round_id), handed["copies"] + handed["injections"] or selected["tasks"])
    bill = {"bill": scored["bill"], **{key: scored[key] + seen[key] for key in ("scored", "failed")}}
    return {**step_opened(round_id), **bill, "problems": handed["problems"]}


def _send(groups: list[Json], total: int | None = None) -> int:
    """Send what each group holds; how many tasks went."""
    sent = 0
    for group in groups:
        key = tuple(group.get(name, "text") for name in steps.KEY)  # an older version's groups name no modality
        step_project(*key)
        while True:
            pushed = step_push(*key)
            sent += pushed["sent"]
            if total is not None:
                _say("push", sent, total)
            if not pushed["left"]:
                break
    return sent


@DBOS.workflow()
@_watched
def sync(request: Json) -> Json:
    """Pull answers, settle what is decided, hand out what is open, and send it to Label Studio with what is disputed or
    went missing."""
    projects = step_projects()
    events = 0
    reports = []
    for number, project in enumerate(projects):
        _say("pull", number, len(projects))
        report = step_pull(project["project_id"], bool(request.get("full")))
        events += report["events"]
        reports.append(report)
    stopped = step_stops()
    _say("settle", 0, 1)
    settled = step_settle()
    if settled["waiting"]:
        step_widen()
    step_injections()
    handed = step_hand_out()
    groups = step_unpushed()
    sent = _send([group for group in groups if not group["problem"]])
    problems = [found["problem"] for found in (*reports, *groups) if found["problem"]]
    problems += [f"task {one['task_id']}: {one['reason']}" for one in settled["problems"]]
    problems += handed["problems"]
    done = {**settled, **stopped, "events": events, "sent": sent, "problems": problems}
    return {**done, "closed": step_close(), "projects": reports}


@DBOS.workflow()
@_watched
def repair(_request: Json) -> Json:
    """Undo what was edited by hand in Label Studio."""
    projects = step_projects()
    reports = []
    for number, project in enumerate(projects):
        _say("repair", number, len(projects))
        reports.append(step_repair(project["project_id"]))
    forms = sum(report["form"] for report in reports)
    sums = {key: sum(report[key] for report in reports) for key in ("released", "requeued")}
    problems = [report["problem"] for report in reports if report["problem"]]
    return {"forms": forms, **sums, "problems": problems, "projects": reports}


@DBOS.workflow()
@_watched
def rebuild(request: Json) -> Json:
    """Make every open project and task anew, on whatever Label Studio the settings name now."""
    lost = step_forget_screens(bool(request.get("adopt")))
    groups = step_unpushed()
    sent = _send([group for group in groups if not group["problem"]], lost["queued"])
    return {**lost, "sent": sent, "problems": [group["problem"] for group in groups if group["problem"]]}


@DBOS.workflow()
@_watched
def train(request: Json) -> Json:
    """Fit a candidate on a golden version and judge it on the version's dev partition."""
    _say("train", 0, 2)
    trained = step_train(
        request["model_id"], request["golden_version"], request["seed"], request.get("modality", "text")
    )
    _say("evaluate", 1, 2)
    return {**trained, "evaluation": step_evaluate(request["model_id"])}


@DBOS.workflow()
@_watched
def finetune(request: Json) -> Json:
    """Fine-tune a candidate on a golden version, part by part, and judge it on the version's dev partition."""
    while True:
        part = step_finetune(request)
        _say("train", part["done"], part["total"], **part["figures"])
        if part["finished"]:
            break
    _say("evaluate", part["done"], part["total"], **part["figures"])
    told = {"model_id": request["model_id"], "version": part["version"], "report": part["report"]}
    return {**told, "evaluation": step_evaluate(request["model_id"])}


@DBOS.workflow()
@_watched
def judge(request: Json) -> Json:
    """Judge a scorer by golden items: its figures, or a verdict."""
    _say("judge", 0, 1)
    told: Json = step_judge(request)["told"]
    return told


@DBOS.workflow()
@_watched
def ask(request: Json) -> Json:
    """Have a remote judge asked about golden items, part by part, and judge it by its answers."""
    began_s = monotonic()  # not of the job: what a restarted process asks has a deadline of its own
    while True:
        part = step_judge(request, began_s)
        _say("ask", part["done"], part["total"])
        if part["told"] is not None:
            told: Json = part["told"]
            return told


@DBOS.step()
def step_trends(request: Json) -> Json:
    return _run(steps.trends, request)


@DBOS.workflow()
@_watched
def trends(request: Json) -> Json:
    """Judge a day's volumes and note what stands out."""
    return step_trends(request)


@DBOS.step()
def step_mirror() -> Json:
    return _run(steps.mirror)


@DBOS.workflow()
@_watched
def mirror(_request: Json) -> Json:
    """Bring the registry's mirror in MLflow up to date."""
    return step_mirror()


@DBOS.step()
def step_map() -> Json:
    return _run(maps.draw, job_id())


@DBOS.workflow()
@_watched
def map_(_request: Json) -> Json:
    """Draw the map of the lake anew."""
    return step_map()


KINDS: dict[str, tuple[Callable[[Json], Json], str]] = {
    "score": (score, HEAVY),
    "round": (round_, HEAVY),
    "sync": (sync, SYNC),
    "repair": (repair, SYNC),
    "rebuild": (rebuild, SYNC),
    "train": (train, HEAVY),
    "finetune": (finetune, HEAVY),
    "judge": (judge, HEAVY),
    "ask": (ask, REMOTE),
    "mirror": (mirror, MIRROR),
    "map": (map_, MAP),
    "trends": (trends, HEAVY),
}
