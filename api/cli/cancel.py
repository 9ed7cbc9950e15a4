"""The command ``goldfold cancel``."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli.output import out, show_json
from api.cli.session import JsonFlag, goldfold, jobs
from api.rounds import stop_round


def cancel_command(
    context: typer.Context,
    round_id: Annotated[str, typer.Argument(help="Id of the round (goldfold rounds).")],
    as_json: JsonFlag = False,
) -> None:
    """End a round early: its open tasks are withdrawn and their items may be picked again; what is gold stays gold.

    Example: goldfold cancel week-47
    """
    with goldfold(context) as app, jobs(app) as runtime:
        stopped = stop_round(app, runtime, round_id, actor="cli")
        counts = app.ledger.tasks.counts(round_id)
    if as_json:
        show_json({"round": stopped, "tasks": counts})
        return
    out.print(f"Round {round_id} is {stopped.state}; tasks: {counts}")
