"""The command ``population``: what picks of chance say of all traffic."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from api.cli.output import out, show_json, table
from api.cli.session import JsonFlag, goldfold
from labeling.judging.population import population_figures, rounds_since

COLUMNS = ["policy", "figure", "value", "95 % interval", "n", "effective n", "floor"]


def population_command(
    context: typer.Context,
    round_id: Annotated[str, typer.Argument(help="A round (or give --since).")] = "",
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="Rounds from then on (UTC).")
    ] = None,
    lane: Annotated[list[str] | None, typer.Option("--lane", help="Picks of this lane only; repeat for more.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Prevalence, precision and recall over all traffic of a round's frame, from picks with known probability.

    Examples:

      goldfold population week-7 --lane random --lane risk

      goldfold population --since 2026-11-01 --json
    """
    if bool(round_id) == (since is not None):
        raise typer.BadParameter("name a round, or a time by --since")
    with goldfold(context) as app:
        rounds = app.ledger.rounds
        chosen = [rounds.get(round_id)] if since is None else rounds_since(rounds, since.replace(tzinfo=UTC))
        told: Mapping[str, Any] = population_figures(app.ledger, chosen, lane or ())
    if as_json:
        show_json(told)
        return
    rows = [
        _row(policy, name, figures[name])
        for policy, figures in told["policies"].items()
        for name in ("prevalence", "precision", "recall")
    ]
    table(f"Of all traffic of {len(told['rounds'])} rounds' frames", COLUMNS, rows)
    out.print(f"{told['settled']} of {told['picks']} picks count; {told['withheld']} sealed answers are withheld")


def _row(policy: str, name: str, figure: Mapping[str, Any]) -> tuple[object, ...]:
    value = "insufficient" if figure["value"] is None else f"{figure['value']:.4f}"
    floor = f"{figure['floor']:.4f} ({', '.join(figure['empty'])}: none found)" if figure.get("empty") else ""
    interval = f"[{figure['low']:.4f}, {figure['high']:.4f}]"
    return policy, name, value, interval, figure["n"], f"{figure['effective_n']:.0f}", floor
