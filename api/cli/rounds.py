"""Commands on rounds: start one, list them, pull answers, see what waits for a lead."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any

import typer

from api.cli.output import err, out, show_json, table
from api.cli.session import JsonFlag, given, goldfold, run_job
from api.cli.yields import show_yields
from api.ids import new_id
from api.jobs.errors import JobFailed
from api.requests import AUTO, check_round, check_round_here, round_request, typed_round
from labeling.policies import read_policies
from labeling.records import TaskKind, TaskState
from labeling.rounds import preview
from scoring.metering import Bill
from selection.types import QUOTA_FIELDS

Repeat = list[str] | None
QuotaFlag = Annotated[
    Repeat,
    typer.Option(
        "--quota",
        help="Bound on purposive picks of a policy, language, market or modality: --quota language:pt=5..20.",
    ),
]
AuthorFlag = Annotated[
    int | None, typer.Option("--per-author", help="The most picks of the uncertain lane by one author.")
]
AssistedFlag = Annotated[
    float, typer.Option("--assisted", help="Share of the picks that is answered beside a suggestion; none is gold.")
]
CostFlag = Annotated[Repeat, typer.Option("--cost", help="A constant of the estimate: --cost decision_minutes=0.5.")]
FINAL = ("BudgetTooLarge", "EmptyFrame", "BadPlan", "InvalidInput", "Conflict")  # no later try can do better


def round_command(
    context: typer.Context,
    round_id: Annotated[str, typer.Option("--id", help="Id of the round; the same id again goes on or shows it.")] = "",
    budget: Annotated[int | None, typer.Option(help="Picks over all lanes (setting: budget).")] = None,
    seed: Annotated[int, typer.Option(help="Same seed, plan and items: same picks.")] = 0,
    policy: Annotated[Repeat, typer.Option("--policy", help="Only this policy; repeat for more.")] = None,
    lane: Annotated[
        Repeat, typer.Option("--lane", help="Share of a lane: --lane random=0.1; they add up to 1. Or auto.")
    ] = None,
    quota: QuotaFlag = None,
    strategy: Annotated[
        str, typer.Option(help="How the uncertain lane chooses: threshold, or another of docs/selection.md.")
    ] = "auto",
    overlap: Annotated[int | None, typer.Option(help="People per task (setting: overlap).")] = None,
    per: Annotated[str, typer.Option(help="Most value of the uncertain lane per: pick, minute or exposure.")] = "pick",
    max_minutes: Annotated[float | None, typer.Option(help="The most minutes it may cost all its people.")] = None,
    cost: CostFlag = None,
    assisted: AssistedFlag = 0.0,
    per_author: AuthorFlag = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be picked; write nothing.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Score what is missing, pick the items worth a person's minute, and send them to Label Studio, blind.

    Examples:

      goldfold round --budget 200

      goldfold round --id week-47 --policy hate_speech --lane random=0.2 --lane uncertain=0.8

      goldfold round --budget 300 --lane random=0.1 --lane uncertain=0.8 --lane relabel=0.1 --dry-run
    """
    settings = given(context).settings()
    request = round_request(
        settings,
        {
            "round_id": round_id or new_id("round"),
            "budget": budget,
            "seed": seed,
            "policies": policy or [],
            "lanes": AUTO if lane == [AUTO] else _numbers(lane, "--lane random=0.1"),
            "quotas": [_quota(text) for text in quota or ()],
            "strategy": strategy,
            "overlap": overlap,
            "per": None if per == "pick" else per,
            "max_minutes": max_minutes,
            "costs": _numbers(cost, "--cost decision_minutes=0.5"),
            "per_author": per_author,
            "assisted": assisted or None,
        },
    )
    open_round(context, request, dry_run=dry_run, as_json=as_json)


def open_round(context: typer.Context, request: dict[str, Any], *, dry_run: bool, as_json: bool) -> None:
    """Show what would be picked, or run the round and tell of it."""
    if dry_run:
        _preview(context, request, as_json)
        return
    check_round(read_policies(given(context).settings().policies_dir), request)
    result = _run(context, request, as_json)
    if as_json:
        show_json(result)
        return
    _tell(result)


def _tell(result: dict[str, Any]) -> None:
    out.print(f"Round {result['round_id']} is {result['state']}: {result['picks']} picks, tasks {result['tasks']}")
    for note in result["notes"]:
        out.print(f"Note: {note}")
    for problem in result.get("problems", ()):
        err.print(f"Problem: {problem}")
    if result.get("bill"):  # an older version's job has none
        out.print(f"Scoring took {Bill(**result['bill']).line()}")


def _run(context: typer.Context, request: dict[str, Any], as_json: bool) -> dict[str, Any]:
    """A round is one for good: whoever let its id be chosen must hear it, or would begin a second one."""
    name = request["round_id"]
    try:
        return run_job(context, "round", name, request, quiet=as_json, check=lambda app: check_round_here(app, request))
    except JobFailed as failed:
        if failed.cause in FINAL:
            raise
        raise JobFailed(f"{failed} (then go on with the same options and --id {name})", failed.cause) from failed


def rounds_command(
    context: typer.Context,
    yield_: Annotated[bool, typer.Option("--yield", help="What the lanes of closed rounds brought.")] = False,
    round_id: Annotated[str, typer.Option("--id", help="With --yield: of this round only.")] = "",
    cost_per_label: Annotated[float | None, typer.Option(min=0, help="With --yield: what one label costs.")] = None,
    more: Annotated[int, typer.Option(min=1, help="With --yield: labels to forecast the worth of.")] = 500,
    as_json: JsonFlag = False,
) -> None:
    """List the rounds, or say what their lanes brought beside picks at random, and what more labels are worth.

    Examples:

      goldfold rounds --json

      goldfold rounds --yield --cost-per-label 0.8
    """
    with goldfold(context) as app:
        if yield_:
            show_yields(app, round_id, cost_per_label, more, as_json=as_json)
            return
        rounds = app.ledger.rounds.all()
        counts = {round_.round_id: app.ledger.tasks.counts(round_.round_id) for round_ in rounds}
    if as_json:
        show_json([{"round": round_, "tasks": counts[round_.round_id]} for round_ in rounds])
        return
    rows = [(r.round_id, r.state, r.plan["budget"], r.seed, _counts(counts[r.round_id]), r.created_at) for r in rounds]
    table("Rounds", ["id", "state", "budget", "seed", "tasks", "created"], rows)


def sync_command(
    context: typer.Context,
    full: Annotated[bool, typer.Option("--full", help="Sweep every task, not only what changed.")] = False,
    report: Annotated[bool, typer.Option("--report", help="List what is amiss there, and what became of it.")] = False,
    job_id: Annotated[str, typer.Option("--id", help="Id of the job.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Pull answers from Label Studio, settle what is decided, send disputes to a lead.

    Examples:

      goldfold sync

      goldfold sync --full --report

      goldfold sync --full --json
    """
    result = run_job(context, "sync", job_id or new_id("sync"), {"full": full}, quiet=as_json)
    if as_json:
        show_json(result)
        return
    out.print(
        f"{result['events']} new events; {result['settled']} tasks settled ({result['golden']} golden), "
        f"{result['disputed']} disputed, {result['waiting']} waiting, {result['widened']} asked once more, "
        f"{result['sent']} sent"
    )
    if result["stopped"]:
        err.print(f"{result['stopped']} items were stopped for legal reasons: goldfold stops")
    if report:
        _amiss(result["projects"])
    for problem in result["problems"]:
        err.print(f"Problem: {problem}")
    for reason, count in result["refused"].items():
        err.print(f"{count} answers do not count: whoever gave them {reason}")
    for round_id in result["closed"]:
        out.print(f"Round {round_id} is closed")


def _amiss(projects: list[dict[str, Any]]) -> None:
    rows = [finding for project in projects for finding in project["findings"]]
    for row in rows:
        names = [f"project {row['project_id']}", *([f"task {row['task_id']}"] if row["task_id"] else [])]
        names += [f"(there {row['studio_task_id']})"] if row["studio_task_id"] is not None else []
        said = [text for text in (row["detail"], row["outcome"]) if text]
        out.print(f"{row['found']}: {' '.join(names)}: {'; '.join(said)}")
        if row["cure"]:
            out.print(f"  cure: {row['cure']}")
    more = sum(sum(project["found"].values()) for project in projects) - len(rows)
    out.print(f"And {more} more" if more else f"{len(rows)} things are amiss in Label Studio")


def adjudicate_command(
    context: typer.Context,
    sync: Annotated[bool, typer.Option("--sync/--no-sync", help="Pull answers first.")] = True,
    as_json: JsonFlag = False,
) -> None:
    """Show what waits for a lead, with the address of each task in Label Studio.

    A lead who labelled a copy of the item does not count; the ledger refuses that answer.

    Examples:

      goldfold adjudicate

      goldfold adjudicate --no-sync --json
    """
    if sync:
        run_job(context, "sync", new_id("sync"), {"full": False}, quiet=as_json)
    with goldfold(context) as app:
        states = (TaskState.QUEUED, TaskState.SENDING, TaskState.SENT)
        found = [app.ledger.tasks.where(states=states, kind=k) for k in (TaskKind.ADJUDICATION, TaskKind.REVIEW)]
        waiting = sorted((task for tasks in found for task in tasks), key=lambda task: task.task_id)
        base = app.settings.studio_url
    rows: list[dict[str, Any]] = [
        {
            "task_id": task.task_id,
            "policy": task.policy_id,
            "round": task.round_id,
            "state": str(task.state),
            "url": f"{base}/projects/{task.project_id}/data?task={task.studio_task_id}" if task.studio_task_id else "",
        }
        for task in waiting
    ]
    if as_json:
        show_json(rows)
        return
    table("Waiting for a lead", ["task", "policy", "round", "state", "address"], [tuple(r.values()) for r in rows])


def _preview(context: typer.Context, request: dict[str, Any], as_json: bool) -> None:
    with goldfold(context) as app:
        policies, scorer, desk = app.operating(), app.scorer(), app.image_desk()
        shown = preview(
            app.ledger, app.lake, policies, scorer, typed_round(request), app.cache_dir, desk, app.image_frame()
        )
    selection = shown.selection
    if as_json:
        show_json({"items_scored": shown.items_scored, "selection": selection})
        return
    lanes = Counter((pick.lane, pick.policy) for pick in selection.picks)
    told = selection.frame["estimate"]
    table(
        "Would be picked (nothing was written)",
        ["lane", "policy", "picks"],
        [(*k, n) for k, n in sorted(lanes.items())],
    )
    table("Estimated cost for all who answer", ["lane", "minutes", "exposure"], estimate_rows(told))
    for note in selection.notes:
        out.print(f"Note: {note}")


def estimate_rows(told: Any) -> list[tuple[str, float, float]]:
    """The rows of a round's estimate, the sum last."""
    rows = [(lane, cost["minutes"], cost["exposure"]) for lane, cost in told["lanes"].items()]
    return [*rows, ("all", told["minutes"], told["exposure"])]


def _numbers(texts: Repeat, example: str) -> dict[str, float] | None:
    if not texts:
        return None
    found: dict[str, float] = {}
    for text in texts:
        name, _, number = text.partition("=")
        try:
            found[name] = float(number)
        except ValueError:
            raise typer.BadParameter(f"{text!r}: write it as {example}") from None
    return found


def _quota(text: str) -> dict[str, Any]:
    where, _, bounds = text.partition("=")
    key, _, value = where.partition(":")
    low, dots, high = bounds.partition("..")
    try:
        if key not in ("policy", *QUOTA_FIELDS) or not value or not dots:
            raise ValueError
        return {
            "key": key,
            "value": value,
            "at_least": int(low) if low else 0,
            "at_most": int(high) if high else None,
        }
    except ValueError:
        raise typer.BadParameter(f"{text!r}: write it as --quota language:pt=5..20") from None


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{n} {state}" for state, n in sorted(counts.items()))
