"""Commands on a KPI over time: why it changed, and its weekly series with breaks."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from api import signals
from api.cli.output import show_json, show_origins, table
from api.cli.session import JsonFlag, goldfold
from api.cli.signals import UntilOption, WeeksOption

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Why accuracy changed, and its weekly series.")
ProjectOption = Annotated[str, typer.Option(help="One project only.")]
PARTS = ("mix", "within", "gold_relabel", "policy_break", "total")


@app.command("change")
def change_command(
    context: typer.Context,
    before: Annotated[str | None, typer.Option(help="The old period: 2026-01-01/2026-01-31.")] = None,
    after: Annotated[str | None, typer.Option(help="The new period.")] = None,
    until: UntilOption = None,
    weeks: WeeksOption = signals.WEEKS,
    project: ProjectOption = "",
    as_json: JsonFlag = False,
) -> None:
    """Split a change of the error rate: mix, within, gold relabel, policy break; they add up to it.

    Without periods, the last weeks are held against those before. Examples:

      goldfold kpi change --weeks 4

      goldfold kpi change --before 2026-01-01/2026-01-31 --after 2026-02-01/2026-02-28 --project forum
    """
    with goldfold(context) as app_:
        told = signals.change(app_, before, after, until, weeks, project)
    if as_json:
        show_json(told)
        return
    rows = [_row(one) for one in told["projects"]]
    columns = ["project", *(part.replace("_", " ") for part in PARTS), "by gold of now (95 %)", "n"]
    table(f"Change of the error rate, {told['before']['from']} to {told['after']['to']}", columns, rows)
    show_origins(one["under_gold_of_now"] for one in told["projects"])


@app.command("series")
def series_command(
    context: typer.Context,
    until: UntilOption = None,
    weeks: WeeksOption = 12,
    project: ProjectOption = "",
    as_json: JsonFlag = False,
) -> None:
    """Show weekly accuracy, and where the series breaks. Example: goldfold kpi series --weeks 8 --project forum"""
    with goldfold(context) as app_:
        told = signals.series(app_, until, weeks, project)
    if as_json:
        show_json(told)
        return
    breaks: dict[str, list[str]] = {}
    for one in told["breaks"]:
        breaks.setdefault(one["week"], []).append(f"{one['policy']}: {one['what']}")
    rows = [(one["from"], *_figure(one["accuracy"]), "; ".join(breaks.get(one["from"], []))) for one in told["weeks"]]
    table("Accuracy by week", ["week of", "accuracy", "95 % interval", "n", "break"], rows)
    show_origins(one["accuracy"] for one in told["weeks"])


def _row(one: dict[str, Any]) -> tuple[object, ...]:
    now, rates = one["under_gold_of_now"], one["error_rate"]
    value = "insufficient" if now["value"] is None else f"{now['value']:+.4f}"
    moved = f"{value} [{now['low']:+.3f}, {now['high']:+.3f}]"
    n = f"{rates['before']['n']}, {rates['after']['n']}"
    return (one["project"], *(f"{one['parts'][part]:+.4f}" for part in PARTS), moved, n)


def _figure(figure: dict[str, Any]) -> tuple[object, ...]:
    value = "insufficient" if figure["value"] is None else f"{figure['value']:.3f}"
    return value, f"[{figure['low']:.3f}, {figure['high']:.3f}]", figure["n"]
