"""Commands on daily QA: sample a day, report on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from api.cli.output import out, show_json, show_origins, table
from api.cli.session import JsonFlag, goldfold
from api.daily_qa import report_day, sample_day

COLUMNS = ["project", "state", "P(below)", "target", "accuracy", "95 % interval", "n", "deff"]
DayOption = Annotated[str | None, typer.Option("--day", help="ISO date (default: yesterday, in exposure_zone).")]

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Daily QA: have a day's decisions judged again, and see how right."
)


@app.command("sample")
def sample_command(
    context: typer.Context,
    day: DayOption = None,
    budget: Annotated[
        int | None, typer.Option(min=1, help="Decisions judged again at most (setting: qa_budget).")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be asked; write nothing.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Draw a sample of a day's decisions and open its blind rounds; the next sync hands them out.

    A day is sampled once: the same command again goes on with it.

    Examples:

      goldfold qa sample

      goldfold qa sample --day 2026-01-31 --budget 100 --dry-run
    """
    with goldfold(context) as app_:
        made = sample_day(app_, day, budget, actor="cli", dry_run=dry_run)
    if as_json:
        show_json(made)
        return
    verb = "would be" if dry_run else "was" if made.again else "are"
    out.print(f"{made.day}: {made.sampled} of {made.decisions} decisions {verb} drawn, by {', '.join(made.level)}")
    out.print(f"{made.asked} items go to people, {made.known} decisions have their answer from elsewhere")
    for why, count in made.unaskable.items():
        out.print(f"{count} decisions cannot be judged again: {why}")
    if made.left_out:
        out.print(f"{made.left_out} decisions took no part: their item is gone, or their policy is not in force")
    for round_id in made.rounds if not dry_run else ():
        out.print(f"Round {round_id} (goldfold sync sends it)")


@app.command("report")
def report_command(context: typer.Context, day: DayOption = None, as_json: JsonFlag = False) -> None:
    """Say how right each project's decisions were, the likeliest below target first.

    Example: goldfold qa report --day 2026-01-31
    """
    with goldfold(context) as app_:
        told = report_day(app_, day)
    if as_json:
        show_json(told)
        return
    table(f"Daily QA of {told['day']}", COLUMNS, [_row(project) for project in told["projects"]])
    for project in told["projects"]:
        if project["project"] in told["breaches"]:
            chance = f"with probability {project['below_target']:.3f}"
            out.print(f"{project['project']} is below its target of {project['target']:g} {chance}")
        errors = [f"{name} {_said(one)}" for name, one in project["errors"].items() if one["events"]]
        if errors:
            out.print(f"{project['project']}: {'; '.join(errors)}")
    named = ", ".join(f"{told[name]} {name}" for name in ("judged", "waiting", "undecided", "withheld", "lost"))
    out.print(f"{told['sampled']} of {told['decisions']} decisions were drawn: {named}")
    if told["late"]:
        out.print(f"{told['late']} decisions of that day came in after it was sampled; no figure speaks for them")
    show_origins(project["accuracy"] for project in told["projects"])


def _said(figure: Mapping[str, Any]) -> str:
    share = "insufficient" if figure["value"] is None else f"{figure['value']:.3f}"
    return f"{share} [{figure['low']:.3f}, {figure['high']:.3f}], {figure['events']} of {figure['n']}"


def _row(project: Mapping[str, Any]) -> tuple[object, ...]:
    figure, below = project["accuracy"], project["below_target"]
    return (
        project["project"],
        project["state"],
        "" if below is None else f"{below:.3f}",
        f"{project['target']:.3f}",
        "insufficient" if figure["value"] is None else f"{figure['value']:.3f}",
        f"[{figure['low']:.3f}, {figure['high']:.3f}]",
        figure["n"],
        "" if figure["design_effect"] is None else f"{figure['design_effect']:.2f}",
    )
