"""Commands on interception: what was removed by which stage, how much got through, and tickets about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from api import signals
from api.cli.output import out, show_json, show_origins, table
from api.cli.session import JsonFlag, goldfold
from api.cli.signals import UntilOption, WeeksOption
from labeling.insights.interception import WANTED

app = typer.Typer(add_completion=False)


@app.callback(invoke_without_command=True)
def interception_command(
    context: typer.Context,
    until: UntilOption = None,
    weeks: WeeksOption = signals.WEEKS,
    wanted: Annotated[float, typer.Option(help="The floor of recall to reach, in (0, 1).")] = WANTED,
    policy: Annotated[str, typer.Option(help="One policy only.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """By policy and severity: which stage removed items first, and recall with its floor, in items and views.

    Example: goldfold interception --weeks 8 --wanted 0.8
    """
    if context.invoked_subcommand is not None:
        return
    with goldfold(context) as app_:
        told = signals.intercepted(app_, until, weeks, wanted, policy)
    if as_json:
        show_json(told)
        return
    names = [one["stage"] for one in told["slices"][0]["stages"]]
    rows = [
        (
            f"{one['policy']} S{one['severity']}",
            unit,
            *(stage[key] for stage in one["stages"]),
            one[left],
            _said(one["recall"][key]),
        )
        for one in told["slices"]
        for unit, key, left in (("items", "items", "left_up"), ("views", "views", "left_up_views"))
    ]
    table(f"{told['from']} to {told['to']}", ["policy", "in", *names, "left up", "recall (floor; interval; n)"], rows)
    for one in told["slices"]:
        figure = one["recall"]["items"]
        out.print(f"{one['policy']} S{one['severity']}: {figure['licence']}. {figure['advice']}".strip())
    show_origins(one["recall"]["items"] for one in told["slices"])


@app.command("ticket")
def ticket_command(
    context: typer.Context,
    policy: Annotated[str, typer.Argument(help="Id of the policy.")],
    severity: Annotated[int, typer.Argument(min=0, max=4, help="0 to 4.")],
    by: Annotated[str, typer.Option("--by", help="Who you are; kept for good.")],
    until: UntilOption = None,
    weeks: WeeksOption = signals.WEEKS,
    as_json: JsonFlag = False,
) -> None:
    """Open a finding about what gets through; an action on it with the KPI recall shows before and after.

    Example: goldfold interception ticket hate_speech 3 --by ann
    """
    with goldfold(context) as app_:
        made = signals.ticket(app_, policy, severity, until, weeks, by)
    if as_json:
        show_json(made)
        return
    out.print(f"Finding {made.finding_id} is open: {made.statement}")
    out.print(f"goldfold causes act {made.finding_id} ... --kpi recall agrees on what is done about it")


def _said(figure: Mapping[str, Any]) -> str:
    if figure["floor"] is None:
        return f"not known (n {figure['n']})"
    point = "insufficient" if figure["value"] is None else f"{figure['value']:.3f}"
    return f"{point} ({figure['floor']:.3f}; {figure['low']:.3f} to {figure['high']:.3f}; {figure['n']})"
