"""What the steps of the jobs do: plain functions from a ``Goldfold`` and ids to counts and ids."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import date
from time import monotonic
from typing import Any

import structlog

from api.composition import Goldfold
from api.image_models import basis
from api.jobs.desks import more_people
from api.jobs.progress import forget, tick
from api.jobs.running import STEPS
from api.jobs.score_runs import SCORE_RUNS
from api.registry_mirror import mirror_registry
from api.requests import typed_round
from api.trends import judge_day
from labeling.anchoring import close_answered
from labeling.consensus import author
from labeling.erasure import finish_all
from labeling.errors import (
    FormEdited,
    InvalidInput,
    NotFound,
    NothingToDo,
    StoreError,
    StudioGone,
    StudioRefused,
)
from labeling.handout import has_roster
from labeling.media_scorer import MediaScorer
from labeling.pictures import fill
from labeling.policies import Policy
from labeling.policy_publish import withdraw_pointless
from labeling.precedents import Precedents
from labeling.records import RoundState, StudioProject, Task, TaskKind, TaskState, Unsent
from labeling.round_images import IMAGE
from labeling.rounds import close_round, select_round
from labeling.rounds import open_round as open_round_
from labeling.score_run import ScoreRun
from labeling.scorebook import FullScorer, LakeScorer, complete, failure_group, score_group
from labeling.settle import LeadDesk, settle_all
from labeling.stops import clear_studio, purge
from labeling.store.interfaces import ITEMS
from labeling.studio.findings import Finding, Found
from labeling.studio.projects import Owner, ensure_project
from labeling.studio.pull import PullReport, pull_project
from labeling.studio.push import PushReport, push_tasks
from labeling.studio.webhooks import ensure_webhook
from labeling.training import train as train_
from scoring.metering import bill
from selection.errors import SelectionError

log = structlog.get_logger(__name__)

Json = dict[str, Any]
Key = tuple[str, str, str, str, str]  # round, policy, kind of the form, assignee, modality
KEY = ("round_id", "policy_id", "kind", "assignee", "modality")
WEBHOOK = "/v1/webhooks/label-studio"
MAX_SCORE_CHUNK = 8192
# Items committed at once, least and most; a crash costs two chunks at most.
SCORE_CHUNKS = {"text": (256, MAX_SCORE_CHUNK), "image": (64, 1024), "video": (4, 16)}
SCORE_STEP_S = 10.0  # a step ends with the chunk in which it gets as old: what a cancelled job waits for
COMPACT_CHUNKS = 32  # small fragments that a step may leave before they are merged
PUSH_CHUNK = 200  # tasks a push step sends at once


def score(
    goldfold: Goldfold, job_id: str, most: int | None = None, modality: str = "text", champion: str | None = None
) -> Json:
    """Score chunks of a modality's items for about ``SCORE_STEP_S``, ``most`` items at most; ``left`` items still wait
    for a score or, where none does, for a hash that images scored before lack. ``chunks`` were committed, and ``bill``
    is what services were asked for meanwhile, if any. ``champion``: the model that the job began with, told by its
    first step, which gets None. Raises NothingToDo when the settings name no scorer for that modality any more."""
    champion = goldfold.champion_id() if champion is None else champion
    scorer, lake = _scorer(goldfold, modality, champion), goldfold.lake
    paid = bill(scorer)
    least, largest = SCORE_CHUNKS[modality]
    size = max(least, min(largest, lake.count() // 64))  # a commit is a fragment: few of them for a large lake
    run = SCORE_RUNS.of(job_id, lake, scorer, size)
    before = lake.count(score_group(scorer)) + lake.count(failure_group(scorer))
    total, until, chunks = before + run.look(), monotonic() + SCORE_STEP_S, run.chunks
    try:
        done = run.go(
            most=most,
            until=lambda: monotonic() >= until or run.chunks - chunks >= COMPACT_CHUNKS or not STEPS.is_open,
            progress=lambda done, _: tick(job_id, "score", before + done, total),
        )
    finally:
        forget(job_id)
    left = done.left
    if not left:
        _complete_golden(goldfold, scorer)
        if modality == "image":
            left = fill(lake, goldfold.media, score_group(scorer), lambda: monotonic() >= until or not STEPS.is_open)
    if not done.left or (most is not None and done.scored + done.failed >= most):
        SCORE_RUNS.forget(job_id)
    total = before + done.scored + done.failed + done.left
    said = {"scorer": scorer.name, "version": scorer.version, "done": total - done.left, "total": total}
    now = bill(scorer)
    asked = None if now is None or paid is None else asdict(now.since(paid))
    return {**asdict(done), **said, "left": left, "chunks": run.chunks - chunks, "bill": asked, "champion": champion}


def _complete_golden(goldfold: Goldfold, scorer: LakeScorer | MediaScorer) -> None:
    """Gold is trained on, and compared, by its embeddings, so it has them whatever a cascade clears: items that became
    gold under another encoder have none of this one's."""
    if isinstance(scorer, MediaScorer) or not isinstance(scorer, FullScorer):
        return
    golden = {item.item_id for item in goldfold.ledger.golden.items()}
    there = sorted(golden.intersection(goldfold.lake.ids(score_group(scorer))))
    for start in range(0, len(there), MAX_SCORE_CHUNK):
        complete(goldfold.lake, scorer, there[start : start + MAX_SCORE_CHUNK])


def media(goldfold: Goldfold) -> list[Json]:
    """The items that are no texts, by modality; ``setting``: what names their scorer, and whether it does."""
    kinds = ("image", "video")
    counts = {kind: len(goldfold.lake.gap(ITEMS, where={"modality": kind})) for kind in kinds}
    settings = {kind: f"{kind}_scorer" for kind in kinds}
    return [
        {
            "modality": kind,
            "items": counts[kind],
            "setting": settings[kind],
            "set": getattr(goldfold.settings, settings[kind]) is not None,
        }
        for kind in kinds
        if counts[kind]
    ]


def _scorer(goldfold: Goldfold, modality: str, champion: str) -> LakeScorer | MediaScorer:
    if modality == "text":
        return goldfold.scorer(champion)
    scorer = goldfold.media_scorer(modality)
    if scorer is None:
        raise NothingToDo(f"{modality}_scorer: nothing scores items of that kind; set it, or start a new job")
    return scorer


def open_round(goldfold: Goldfold, request: Mapping[str, Any]) -> Json:
    """Record the plan; ``champion``: the model that this round scores and picks with, whoever is promoted meanwhile."""
    champion, typed = goldfold.champion_id(), typed_round(request)
    policies = goldfold.operating(champion)
    round_ = open_round_(goldfold.ledger, goldfold.lake, policies, typed, goldfold.image_frame())
    return {"round_id": round_.round_id, "champion": champion}


def groups(goldfold: Goldfold, round_id: str) -> list[Json]:
    """What of a round is to be sent: (policy, kind, assignee, modality)."""
    return [_group(key) for key in sorted({_key(group) for group in _unsent(goldfold, round_id)})]


def asks_images(goldfold: Goldfold) -> bool:
    """Whether a round asks about images too, so that it scores them first."""
    return not goldfold.image_frame().missing and bool(len(goldfold.lake.gap(ITEMS, where={"modality": IMAGE})))


def select(goldfold: Goldfold, round_id: str, champion: str | None = None) -> Json:
    """Pick and commit; ``policies`` have tasks in this round. ``champion``: as ``score`` has it."""
    scorer = goldfold.scorer(champion)
    ScoreRun(goldfold.lake, scorer, MAX_SCORE_CHUNK).go()  # when the champion was calibrated since the scoring steps
    try:
        desk = goldfold.image_desk()
        select_round(goldfold.ledger, goldfold.lake, goldfold.policies, scorer, round_id, goldfold.cache_dir, desk)
    except SelectionError as error:  # its frame is frozen, so it stays that way
        goldfold.ledger.rounds.set_state(round_id, RoundState.FAILED, str(error))
        raise
    picks = goldfold.ledger.rounds.picks(round_id)
    return {"tasks": len(picks), "policies": sorted({pick.policy_id for pick in picks})}


def trends(goldfold: Goldfold, request: Json) -> Json:
    """Judge a day; counts and the alerts' ids."""
    day = date.fromisoformat(request["day"]) if request.get("day") else None
    return judge_day(goldfold, day, refit=bool(request.get("refit"))).as_dict()


def mirror(goldfold: Goldfold) -> Json:
    """Mirror the registry; ``error`` says why some models are still behind."""
    done = mirror_registry(goldfold)
    return {"mirrored": list(done.mirrored), "behind": list(done.behind), "error": done.error}


def project(
    goldfold: Goldfold, round_id: str, policy_id: str, kind: str, assignee: str = "", modality: str = "text"
) -> int:
    """Make sure the Label Studio project of a policy, or of a person's desk, is there, with its webhook when one is
    configured."""
    overlap = int(str(goldfold.ledger.rounds.get(round_id).plan["overlap"])) if kind == TaskKind.BLIND else None
    desk = goldfold.ledger.people.get(assignee).desk if assignee else 0
    found = ensure_project(
        goldfold.studio,
        goldfold.ledger.projects,
        policy_of(goldfold, policy_id, version_in(goldfold, round_id, policy_id)),
        TaskKind(kind),
        overlap=1 if assignee else overlap,
        owner=Owner(goldfold.settings.studio_owner, desk, assignee),
        modality=modality,
    )
    secret = goldfold.settings.studio_webhook_secret.get_secret_value()
    if secret:
        refused = ensure_webhook(goldfold.studio, found.project_id, f"{goldfold.settings.public_url}{WEBHOOK}", secret)
        if refused:
            log.warning("webhook_refused", project=found.project_id, reason=refused)
    return found.project_id


def push(
    goldfold: Goldfold,
    round_id: str,
    policy_id: str,
    kind: str,
    assignee: str = "",
    modality: str = "text",
    *,
    holder: str,
) -> Json:
    """Send one chunk of a round's tasks, of one desk's in their order; ``left`` still wait."""
    key = (round_id, policy_id, kind, assignee, modality)
    ledger, mine = goldfold.ledger, [group for group in _unsent(goldfold, round_id) if _key(group) == key]
    chunk = ledger.tasks.next_unsent(mine, PUSH_CHUNK)
    current = ledger.annotations.current([task.task_id for task in chunk])
    answered = {task_id: len({author(a) for a in answers}) for task_id, answers in current.items() if answers}
    done = [t.task_id for t in chunk if t.state is TaskState.QUEUED and answered.get(t.task_id, 0) >= t.overlap]
    ledger.tasks.set_state(done, TaskState.ANSWERED)  # an earlier screen was lost, its answers were not
    chunk = [task for task in chunk if task.task_id not in done]
    if not chunk:
        return {"sent": 0, "left": len(ledger.tasks.next_unsent(mine, 1)), "quarantined": 0}
    try:
        report = _push(goldfold, key, chunk, answered, holder)
    except StudioGone as error:  # deleted since it was made sure of; what had been sent to it is queued again
        log.warning("project_is_gone", policy=policy_id, error=str(error))
        project(goldfold, round_id, policy_id, kind, assignee, modality)
        report = _push(goldfold, key, chunk, answered, holder)
    return {
        "sent": report.sent + report.found,
        "quarantined": len(report.quarantined),
        "left": sum(group.tasks for group in _unsent(goldfold, round_id) if _key(group) == key),
    }


def _push(goldfold: Goldfold, key: Key, tasks: Sequence[Task], answered: Mapping[str, int], holder: str) -> PushReport:
    round_id, policy_id, kind, assignee, modality = key
    ledger, version = goldfold.ledger, version_in(goldfold, round_id, policy_id)
    found = ledger.projects.find(goldfold.studio.base_url, policy_id, version, TaskKind(kind), assignee, modality)
    if found is None:
        raise LookupError(f"the project of {policy_id} {version} is not in the ledger")
    more: dict[str, Any] = {"answered": answered, "links": goldfold.links}
    return push_tasks(goldfold.studio, ledger.tasks, ledger.projects, found, tasks, holder, **more)


def opened(goldfold: Goldfold, round_id: str) -> Json:
    """Mark the round open: its tasks are with the annotators."""
    rounds = goldfold.ledger.rounds
    if rounds.get(round_id).state is RoundState.SELECTED:
        rounds.set_state(round_id, RoundState.OPEN)
    round_ = rounds.get(round_id)
    return {
        "round_id": round_id,
        "state": str(round_.state),
        "picks": len(rounds.picks(round_id)),
        "tasks": goldfold.ledger.tasks.counts(round_id),
        "notes": list(round_.notes),
    }


def projects(goldfold: Goldfold) -> list[Json]:
    """The Label Studio projects that answers may come from."""
    base_url = goldfold.studio.base_url
    return [
        {"project_id": p.project_id, "policy_id": p.policy_id}
        for p in goldfold.ledger.projects.all()
        if p.base_url == base_url
    ]


def pull(goldfold: Goldfold, project_id: int, *, full: bool) -> Json:
    """Turn what changed in one project into events.

    A project that was deleted by hand is forgotten, so that its open tasks are sent again; one whose form was edited,
    or whose policy's file is gone, is left alone until that is undone. Each is a ``problem`` of the report, and no
    reason to skip the others.
    """
    found = project_of(goldfold, project_id)
    report, problem, amiss = PullReport(), "", None
    try:
        policy = policy_of(goldfold, found.policy_id, found.policy_version)
        report = pull_project(goldfold.studio, goldfold.ledger, found, policy, full=full, links=goldfold.links)
    except StudioGone as error:
        amiss = Finding(Found.PROJECT_DELETED, project_id, detail=str(error))
        goldfold.ledger.projects.forget(found.base_url, project_id)
        where = f"desk {found.desk}" if found.desk else found.kind
        which = f"project {project_id} ({found.policy_id} {found.policy_version}, {where})"
        problem = f"{which} was deleted in Label Studio: its open tasks are sent again to a new one ({error})"
    except FormEdited as error:
        problem = str(error)
        amiss = Finding(Found.FORM_EDITED, project_id, detail=problem)
    except (StudioRefused, NotFound, InvalidInput) as error:
        problem = str(error)
    if problem:
        log.warning("pull_problem", project=project_id, problem=problem)
    return {"project_id": project_id, **told(report, amiss), "problem": problem}


def told(report: PullReport, amiss: Finding | None = None) -> Json:
    """A pull's report, its findings as the rows of ``goldfold sync --report``."""
    findings = [*report.findings, *([amiss] if amiss else [])]
    counts = {**report.found, **({str(amiss.found): 1} if amiss else {})}
    return {**asdict(report), "found": counts, "findings": [finding.row() for finding in findings]}


def stops(goldfold: Goldfold) -> Json:
    """What a legal stop, or an erasure, leaves to be done in the lake (``stopped`` items) and in Label Studio
    (``removed`` tasks)."""
    ledger = goldfold.ledger
    stopped = purge(ledger.stops, goldfold.lake, goldfold.cache_dir)
    try:
        finish_all(ledger, goldfold.lake, goldfold.places)  # erasures that were killed half-way
    except StoreError as error:  # it is visible and goes on with the next sync; answers need not wait for it
        log.warning("erasure_waits", problem=str(error))
    waits = bool(ledger.stops.removals())
    removed = clear_studio(goldfold.studio, ledger.stops, ledger.tasks) if waits else 0
    if stopped or removed:
        log.warning("legal_stop", items=stopped, removed_from_label_studio=removed)
    return {"stopped": stopped, "removed": removed}


def settle(goldfold: Goldfold) -> Json:
    """Decide, fold, ask a lead. ``refused`` counts answers that do not count, by reason: who gave them is not told."""
    ledger, settings = goldfold.ledger, goldfold.settings
    told = Precedents(ledger.golden, lambda ids: goldfold.vectors()(ids), image_vectors=goldfold.image_vectors)
    desk = LeadDesk(told, settings.review_share)
    more = more_people(goldfold)
    withdraw_pointless(ledger)  # what a killed process may have left open when it published
    close_answered(ledger)  # nothing is folded from what was answered beside a suggestion
    report = settle_all(
        ledger,
        goldfold.lake,
        goldfold.groups,
        settings.leads,
        more,
        desk=desk,
        read=lambda media: goldfold.media.read(media),  # opened for an image alone
    )
    counts = {key: value for key, value in asdict(report).items() if key != "refusals"}
    return {**counts, "refused": dict(Counter(refusal.reason for refusal in report.refusals))}


def widen(goldfold: Goldfold) -> int:
    """Let Label Studio ask for the answers that adaptive overlap added to tasks of shared projects; how many still wait
    for one. Idempotent, so that whoever was killed between the ledger and the server does it again."""
    sent = goldfold.ledger.tasks.where(states=(TaskState.SENT,), kind=TaskKind.BLIND)
    wider = {t.task_id: (t.studio_task_id, t.overlap) for t in sent if t.extra and t.studio_task_id is not None}
    answers = goldfold.ledger.annotations.current(list(wider))
    waiting = [place for task_id, place in wider.items() if len(answers[task_id]) < place[1]]
    for studio_task_id, overlap in waiting:
        with suppress(StudioGone):  # deleted by hand: the next full sweep sends it again
            goldfold.studio.set_overlap(studio_task_id, overlap)
    return len(waiting)


def unpushed(goldfold: Goldfold) -> list[Json]:
    """Groups (round, policy, kind, assignee, modality) of rounds under way that have tasks to send. Tasks of a policy
    version that is not here any more wait for its file, and images without a secret for that; their group carries the
    ``problem`` instead of a kind."""
    under_way = {r.round_id for r in goldfold.ledger.rounds.all() if r.state is RoundState.OPEN}
    keys = {_key(group) for group in _unsent(goldfold) if _goes(group, under_way)}
    waiting: Counter[str] = Counter()
    unsent = goldfold.ledger.tasks.unsent()
    for group in unsent:
        if _goes(group, under_way) and not _is_current(goldfold, group):
            waiting[f"{group.policy_id} {group.policy_version}"] += group.tasks
    problems = [{"problem": f"{n} tasks of {p} wait: restore that policy file"} for p, n in sorted(waiting.items())]
    unseen = 0 if goldfold.links else sum(group.tasks for group in unsent if group.modality == IMAGE)
    if unseen:
        problems.append({"problem": f"{unseen} tasks about images wait: set media_link_secret to what it was"})
    return [_group(key) for key in sorted(keys)] + problems


def close(goldfold: Goldfold) -> list[str]:
    """Close the rounds whose tasks all have an end."""
    return [r.round_id for r in goldfold.ledger.rounds.all() if close_round(goldfold.ledger, r.round_id)]


def train(goldfold: Goldfold, model_id: str, golden_version: str, seed: int, modality: str = "text") -> Json:
    """Fit and register a candidate."""
    trained = train_(
        goldfold.ledger,
        goldfold.lake,
        model_id=model_id,
        golden_version=golden_version,
        basis=basis(goldfold, modality),
        folder=goldfold.models_dir,
        seed=seed,
        duplicate_cosine=goldfold.duplicate_cosine,
    )
    return {"model_id": model_id, "version": trained.model.version, "report": trained.report}


def evaluate(goldfold: Goldfold, model_id: str) -> Json:
    """Judge a model on dev; while that partition is empty there are no figures, and ``note`` says so."""
    try:
        return goldfold.evaluate(model_id)
    except NothingToDo as error:
        version = goldfold.ledger.models.get(model_id).golden_version
        return {"golden_version": version, "policies": {}, "note": str(error)}


def compact(goldfold: Goldfold) -> int:
    """Merge the small fragments that many chunks leave, which every later read would pay for."""
    goldfold.lake.compact()
    return goldfold.lake.snapshot()


def project_of(goldfold: Goldfold, project_id: int) -> StudioProject:
    base_url = goldfold.studio.base_url
    for found in goldfold.ledger.projects.all():
        if (found.base_url, found.project_id) == (base_url, project_id):
            return found
    raise LookupError(f"project {project_id} of {base_url} is not in the ledger")


def policy_of(goldfold: Goldfold, policy_id: str, version: str) -> Policy:
    """The policy as it was published: what is asked under a version is asked, and read, under it to the end."""
    if policy_id not in goldfold.shelf.files:
        where = goldfold.settings.policies_dir
        raise NotFound(f"policy {policy_id!r}, which has tasks, is not in {where} any more: restore its file")
    return goldfold.policy(policy_id, version)


def version_in(goldfold: Goldfold, round_id: str, policy_id: str) -> str:
    """The version under which a round asks about a policy."""
    planned = goldfold.ledger.rounds.get(round_id).plan.get("policies")
    if isinstance(planned, Mapping) and policy_id in planned:
        return str(planned[policy_id])
    raise NotFound(f"round {round_id!r} does not say under which version of {policy_id} it asks")


def _key(group: Unsent) -> Key:
    return (group.round_id, group.policy_id, str(group.kind.form), group.assignee, group.modality)


def _group(key: Key) -> Json:
    return dict(zip(KEY, key, strict=True)) | {"problem": ""}


def _unsent(goldfold: Goldfold, round_id: str | None = None) -> list[Unsent]:
    """What may go to Label Studio now: with a roster, a blind task waits for its copies, and an image for the secret
    that its link is signed with."""
    asks, links = not has_roster(goldfold.ledger.people), goldfold.links
    found = [g for g in goldfold.ledger.tasks.unsent(round_id) if links is not None or g.modality != IMAGE]
    return [group for group in found if _is_current(goldfold, group) and (asks or group.kind is not TaskKind.BLIND)]


def _goes(group: Unsent, under_way: Collection[str]) -> bool:
    """A second lead's blind look may come when the round is closed."""
    return group.round_id in under_way or group.kind is TaskKind.REVIEW


def _is_current(goldfold: Goldfold, group: Unsent) -> bool:
    shelf = goldfold.shelf.shelf
    known = shelf.histories.get(group.policy_id, ())
    return group.policy_id in shelf.now and any(version.version == group.policy_version for version in known)
