"""Commands on signals from outside: import, count, and the common-mode alarm."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from api import signals
from api.cli.output import bar, out, show_json, show_origins, table
from api.cli.session import JsonFlag, goldfold

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Appeals and reports: import, count, and hold QA against them."
)
UntilOption = Annotated[str | None, typer.Option(help="The last day, an ISO date (default: yesterday).")]
WeeksOption = Annotated[int, typer.Option(min=1, max=signals.MOST_WEEKS, help="Weeks in a window.")]


@app.command("import")
def import_command(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A .jsonl, .csv (also .gz) or .parquet file, one signal a row.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check every row and write nothing.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Take signals in. A file with a bad row is refused whole; the same file twice adds nothing.

    Examples:

      goldfold signals import appeals.csv

      goldfold signals import reports.parquet --dry-run --json
    """
    with goldfold(context) as app_, bar("signals", quiet=as_json) as tick:
        made = signals.take_in(
            app_, file, dry_run=dry_run, progress=lambda _step, done, total: tick(done, total or done)
        )
    if as_json:
        show_json(made)
        return
    verb = "would be " if made.dry_run else ""
    out.print(
        f"{made.read} rows read: {made.added} {verb}added, {made.settled} appeals {verb}settled, "
        f"{made.already_there} already there"
    )
    if made.repeated:
        out.print(f"{made.repeated} rows stand in the file more than once")


@app.command("days")
def days_command(
    context: typer.Context,
    until: UntilOption = None,
    days: Annotated[int, typer.Option(min=1, max=92, help="How many days.")] = 7,
    as_json: JsonFlag = False,
) -> None:
    """Count signals by day, project, kind and outcome. Example: goldfold signals days --days 14"""
    with goldfold(context) as app_:
        told = signals.count_days(app_, until, days)
    if as_json:
        show_json(told)
        return
    rows = [
        (day["day"], row["project"], row["kind"], row["outcome"], row["signals"]) for day in told for row in day["by"]
    ]
    table("Signals", ["day", "project", "kind", "outcome", "signals"], rows)


@app.command("alarm")
def alarm_command(
    context: typer.Context, until: UntilOption = None, weeks: WeeksOption = signals.WEEKS, as_json: JsonFlag = False
) -> None:
    """Say where internal QA is flat while overturns or reports rise: the last weeks against those before.

    Example: goldfold signals alarm --weeks 4
    """
    with goldfold(context) as app_:
        told = signals.alarm(app_, until, weeks)
    if as_json:
        show_json(told)
        return
    rows = [
        (
            one["project"] or "(all)",
            one["state"],
            _moved(one["accuracy"]),
            _moved(one["overturns"]),
            _moved(one["reports_per_1000"]),
            f"{one['seen']['after']['judged']}, {one['seen']['after']['decided']}, {one['seen']['after']['reports']}",
        )
        for one in told["projects"]
    ]
    columns = ["project", "state", "accuracy", "overturned", "reports per 1,000", "judged, appeals, reports"]
    table(f"{told['before']['from']} to {told['after']['to']}", columns, rows)
    show_origins(one[name] for one in told["projects"] for name in ("accuracy", "overturns", "reports_per_1000"))


def _moved(shift: Mapping[str, Any]) -> str:
    if shift["moves"] is None:
        return "insufficient"
    high = "" if shift["high"] is None else f"{shift['high']:+.3f}"
    sure = f"[{shift['low']:+.3f}, {high}]" + ("" if shift["p"] is None else f" p {shift['p']:.3g}")
    return f"{shift['before']:.3f} -> {shift['after']:.3f} {sure}"
