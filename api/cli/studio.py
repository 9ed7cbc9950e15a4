"""Commands on Label Studio itself: undo what was edited there, and make everything anew when it is lost."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli.output import err, out, show_json, table
from api.cli.session import JsonFlag, goldfold, run_job
from api.ids import new_id
from labeling.studio.projects import ours

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Label Studio: rebuild it when lost, repair edits.")


@app.command("rebuild")
def rebuild(
    context: typer.Context,
    adopt: Annotated[
        bool, typer.Option("--adopt", help="Use the projects of this installation that are there, with their answers.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be made; write nothing.")] = False,
    job_id: Annotated[str, typer.Option("--id", help="Id of the job; the same id again goes on with it.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Make every open project and task anew on an empty Label Studio, or at a new address. Answers are kept: each task
    asks only for those that are missing.

    Examples:

      goldfold studio rebuild --dry-run

      goldfold --studio-url https://labels.example.org studio rebuild
    """
    if dry_run:
        _preview(context, as_json)
        return
    result = run_job(context, "rebuild", job_id or new_id("rebuild"), {"adopt": adopt}, quiet=as_json)
    if as_json:
        show_json(result)
        return
    out.print(f"{result['queued']} tasks were on lost screens; {result['sent']} are in Label Studio again")
    for problem in result["problems"]:
        err.print(f"Problem: {problem}")


def _preview(context: typer.Context, as_json: bool) -> None:
    with goldfold(context) as opened:
        there = [project.title for project in ours(opened.studio, opened.settings.studio_owner)]
        lost = opened.ledger.projects.on_screens()
        address = opened.studio.base_url
    if as_json:
        show_json({"address": address, "there": there, "tasks": lost})
        return
    rows = [(g.round_id, g.policy_id, g.policy_version, g.kind, g.assignee, g.tasks) for g in lost]
    table(
        f"Would be made anew at {address}, without the answers that are there (nothing was written)",
        ["round", "policy", "version", "kind", "person", "tasks"],
        rows,
    )
    if there:
        err.print(f"It is not empty: {len(there)} projects of this installation are there; see --adopt")


@app.command("repair")
def repair(
    context: typer.Context,
    job_id: Annotated[str, typer.Option("--id", help="Id of the job.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Undo what was edited by hand: put forms, settings and the content of tasks back, and release those tasks.

    Example: goldfold studio repair
    """
    result = run_job(context, "repair", job_id or new_id("repair"), {}, quiet=as_json)
    if as_json:
        show_json(result)
        return
    out.print(
        f"{result['forms']} forms put back; {result['released']} tasks put back and released; "
        f"{result['requeued']} that were gone are queued again"
    )
    for problem in result["problems"]:
        err.print(f"Problem: {problem}")
