"""Commands on trends: judge a day, list the alerts, ask people about one."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import typer

from api.cli.output import out, show_json
from api.cli.session import JsonFlag, goldfold, run_job
from api.ids import new_id
from api.trends import alerts, watch

app = typer.Typer(add_completion=False, help="What grows in the traffic.", no_args_is_help=True)


@app.command("run")
def run_command(
    context: typer.Context,
    day: Annotated[
        datetime | None, typer.Option("--day", formats=["%Y-%m-%d"], help="UTC day (default: the newest whole one).")
    ] = None,
    refit: Annotated[bool, typer.Option("--refit", help="Fit new clusters first; alerts of old ones stay.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Judge a day's volume by cluster and market, and look for new themes; what stands out becomes an alert.

    Example: goldfold trends run --day 2026-11-20
    """
    request = {"day": None if day is None else day.date().isoformat(), "refit": refit}
    told = run_job(context, "trends", new_id("trends"), request, quiet=as_json)
    if as_json:
        show_json(told)
        return
    out.print(f"{told['day']}: {told['items']} items, {told['cells']} cells and {told['themes']} themes tested")
    out.print(f"{len(told['alerts'])} stand at {told['rate']:.0%} a day, {told['lasting']} of them over a season")
    for alert in told["alerts"]:
        out.print(f"- {alert}")
    for why, count in told["left_out"].items():
        if count:
            out.print(f"{count} items {why.replace('_', ' ')} took no part")


@app.command("list")
def list_command(
    context: typer.Context,
    words: Annotated[bool, typer.Option("--words", help="With words of what people wrote, which may hurt.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """List the alerts, newest first. Example: goldfold trends list --words"""
    with goldfold(context) as opened:
        found = alerts(opened, words=words)
    if as_json:
        show_json(found)
        return
    for one in found:
        for line in _lines(one):
            out.print(line)
    if not found:
        out.print("No alerts")


@app.command("open")
def open_command(
    context: typer.Context,
    alert: Annotated[str, typer.Argument(help="Id of the alert (goldfold trends list).")],
    policy: Annotated[str, typer.Option("--policy", help="Ask under this policy (default: the likeliest).")] = "",
    budget: Annotated[int, typer.Option("--budget", min=1, help="The most items to ask about.")] = 20,
    as_json: JsonFlag = False,
) -> None:
    """Open a round over an alert's items, in the lane watch; the next sync sends its tasks.

    Example: goldfold trends open 20261120-1f0c9a2b --policy hate_speech --budget 20
    """
    with goldfold(context) as opened:
        made = watch(opened, alert, "cli", policy, budget)
    if as_json:
        show_json({"round_id": made.round_id, "state": made.state, "plan": made.plan, "notes": made.notes})
        return
    out.print(f"Round {made.round_id} asks about {made.plan['budget']} items; goldfold sync sends them")


def _lines(one: dict[str, Any]) -> list[str]:
    body = one["body"]
    where = body.get("market") if body["kind"] != "theme" else ", ".join(body["markets"])
    what = f"cluster {body['cluster']}" if body["kind"] == "cluster" else body["kind"]
    parts = ", ".join(f"{name} {'unknown' if part is None else f'{part:.2f}'}" for name, part in body["parts"].items())
    lasts = "holds over a season" if body["lasts"] else "holds for the day"
    return [
        f"{one['alert_id']}  score {body['score']:.0f}  {what} in {where or 'no market'}  "
        f"{one['first_day']} to {one['last_day']}  {one['round_id'] or one['state']}",
        f"  {body['count']} items, {body['expected']:.1f} expected, p {body['p']:.1e}, {lasts}",
        f"  {parts}",
        *([f"  words: {' '.join(one['words'])}"] if "words" in one else []),
    ]
