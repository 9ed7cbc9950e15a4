"""`goldfold golden plan`: what the golden set lacks, and the round that brings it."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli.output import out, show_json, table
from api.cli.rounds import open_round
from api.cli.session import JsonFlag, given, goldfold
from api.ids import new_id
from api.requests import round_request
from labeling.golden.planner import GoldPlan, Need, round_for

SHOWN = 40  # rows of the table


def plan_command(
    context: typer.Context,
    partition: Annotated[str, typer.Option(help="Count rows in train, calibration or dev.")] = "dev",
    share: Annotated[float, typer.Option(help="The share, such as a recall, that is to be told.")] = 0.9,
    half_width: Annotated[float, typer.Option(help="How wide its 95 % interval may be to each side.")] = 0.1,
    open_: Annotated[bool, typer.Option("--open", help="Open the round that closes the gaps.")] = False,
    budget: Annotated[int | None, typer.Option(min=1, help="With --open: picks (setting: budget).")] = None,
    round_id: Annotated[str, typer.Option("--id", help="With --open: id of the round.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="With --open: show the picks; write nothing.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Say how many rows each stratum has and needs; turn the gaps into a round.

    Examples:

      goldfold golden plan --half-width 0.05

      goldfold golden plan --open --budget 300 --dry-run
    """
    with goldfold(context) as opened:
        plan = opened.gold_plan(partition, share, half_width)
    settings = given(context).settings()
    if not open_:
        _show(plan, as_json)
        return
    asked = round_for(plan, budget or settings.budget)
    request = round_request(settings, {"round_id": round_id or new_id("round"), **asked})
    open_round(context, request, dry_run=dry_run, as_json=as_json)


def _show(plan: GoldPlan, as_json: bool) -> None:
    if as_json:
        show_json(plan.as_dict())
        return
    rows = [_row(need) for need in plan.needs[:SHOWN]]
    title = f"Golden rows in {plan.partition}, for {plan.share:g} +- {plan.half_width:g}"
    table(title, ["policy", "zone", "rule", "language", "severity", "have", "need"], rows)
    if len(plan.needs) > SHOWN:
        out.print(f"{len(plan.needs) - SHOWN} more strata: --json shows all")
    out.print(f"To close every gap takes at least {plan.labels} labels: goldfold golden plan --open")


def _row(need: Need) -> tuple[object, ...]:
    stratum = need.stratum
    severity = "" if stratum.severity is None else f"S{stratum.severity}"
    return stratum.policy, stratum.zone, stratum.rule, stratum.language, severity, need.have, need.need
