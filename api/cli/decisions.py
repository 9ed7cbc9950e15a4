"""Commands on production's decisions: import, count, rename."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.cli.output import bar, out, show_json, table
from api.cli.session import JsonFlag, goldfold
from api.daily_qa import count_days, take_in

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Production's decisions: import and count them.")


@app.command("import")
def import_command(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A .jsonl, .csv (also .gz) or .parquet file, one decision a row.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check every row and write nothing.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Take decisions in. A file with a bad row is refused whole; the same file twice adds nothing.

    Items must have been ingested before. A killed import is started again and adds the rest.

    Examples:

      goldfold decisions import yesterday.parquet

      goldfold decisions import yesterday.csv --dry-run --json
    """
    with goldfold(context) as app_, bar("decisions", quiet=as_json) as tick:
        report = take_in(app_, file, dry_run=dry_run, progress=lambda _step, done, total: tick(done, total or done))
    if as_json:
        show_json(report)
        return
    verb = "would be added" if report.dry_run else "added"
    out.print(f"{report.read} rows read: {report.added} {verb}, {report.already_there} already there")
    if report.repeated:
        out.print(f"{report.repeated} rows stand in the file more than once, with the same content")


@app.command("days")
def days_command(
    context: typer.Context,
    until: Annotated[str | None, typer.Option(help="The last day, an ISO date (default: yesterday).")] = None,
    days: Annotated[int, typer.Option(min=1, max=92, help="How many days.")] = 7,
    as_json: JsonFlag = False,
) -> None:
    """Count decisions by day, project and source. Example: goldfold decisions days --days 14"""
    with goldfold(context) as app_:
        told = count_days(app_, until, days)
    if as_json:
        show_json(told)
        return
    rows = [
        (day["day"], row["project"], row["source"], row["decisions"], "yes" if day["sampled"] else "")
        for day in told
        for row in day["by"]
    ]
    table("Decisions", ["day", "project", "source", "decisions", "sampled"], rows)


@app.command("rename")
def rename_command(
    context: typer.Context,
    who: Annotated[str, typer.Argument(help="The person's id, as decisions have it.")],
    to: Annotated[str, typer.Option(help="The new id; left out: the person is forgotten.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Give a person another id in all decisions of theirs, or forget them. Example: goldfold decisions rename mod-17"""
    with goldfold(context) as app_:
        changed = app_.ledger.decisions.rename(who, to, "cli")
    if as_json:
        show_json({"decisions": changed})
        return
    out.print(f"{changed} decisions changed")
