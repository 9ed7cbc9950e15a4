"""The command ``goldfold stops``."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli.output import out, show_json, table
from api.cli.session import JsonFlag, goldfold

COLUMNS = ("external id", "policy", "round", "who", "when", "removed", "lifted")


def stops_command(
    context: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="Those that were lifted, too.")] = False,
    lift: Annotated[str | None, typer.Option(help="External id of an item whose flag was wrong.")] = None,
    reason: Annotated[str, typer.Option(help="Why it was wrong; needed with --lift.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Show the items that somebody stopped for legal reasons, as stubs: their content is gone.

    With --lift, a lead's decision that the flag was wrong: the item, and copies of it, may be brought in anew.

    Examples:

      goldfold stops --json

      goldfold stops --lift post-17 --reason "a drawing, cleared by counsel"
    """
    with goldfold(context) as app:
        stops = app.ledger.stops
        found = stops.all(lifted=everything) if lift is None else stops.lift(lift, "cli", reason)
    if as_json:
        show_json(found)
        return
    if lift is not None:
        out.print(f"{len(found)} stops lifted; bring the item in anew: goldfold ingest FILE")
        return
    rows = [(s.external_id, s.policy_id, s.round_id, s.who, s.at, s.purged_at or "not yet", s.lifted_at) for s in found]
    table("Legal stops", list(COLUMNS), rows)
