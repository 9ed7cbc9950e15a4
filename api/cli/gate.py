"""Commands of the gate: rule on a challenger, list the verdicts, and see what the sealed partition was asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from api.cli.judges import (
    DryRunOption,
    EndpointOption,
    PredictionsOption,
    ScorerOption,
    beside_lines,
    judge,
    judges,
    outsider,
    show_price,
)
from api.cli.output import out, show_json, table
from api.cli.session import JsonFlag, catch_up, goldfold
from labeling.judging.gate import FAIL, PASS, UNDERPOWERED
from labeling.judging.signing import verify_chain

CODES = {PASS: 0, FAIL: 1, UNDERPOWERED: 3}
COLUMNS = ["slice", "n", "champion right", "challenger right", "won", "lost", "p differs", "margin", "p not worse"]


def gate_command(
    context: typer.Context,
    challenger: Annotated[str, typer.Argument(help="Id of the model that wants to be champion.")] = "",
    champion: Annotated[str, typer.Option("--champion", help="The model to beat (default: the champion).")] = "",
    golden: Annotated[str, typer.Option("--golden", help="Golden version (default: the newest).")] = "",
    scorer: ScorerOption = "",
    endpoint: EndpointOption = "",
    predictions: PredictionsOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonFlag = False,
) -> None:
    """Rule on a challenger by sealed gold and anchors; the verdict is written into the ledger.

    Exit codes for CI: 0 pass, 1 fail (or an error, which is said on standard error), 3 underpowered.

    Examples:

      goldfold gate hate-8

      goldfold gate hate-8 --champion hate-6 --golden 1.3.0 --json

      goldfold gate --scorer toxic-bert
    """
    who = outsider(challenger, scorer, endpoint, predictions)
    if who is None and dry_run:
        raise typer.BadParameter("--dry-run is for an endpoint; leave it out")
    if who is not None:
        what = judges().What(golden, gate=True, champion=champion)
        if dry_run:
            show_price(context, who, what, as_json=as_json)
            return
        told = judge(context, who, what, quiet=as_json)
    else:
        with goldfold(context) as app:
            told = app.gate(challenger, "cli", champion, golden)
            catch_up(app)
    if as_json:
        show_json(told)
    else:
        _show(told)
    raise typer.Exit(CODES[told["verdict"]])


def gates_command(
    context: typer.Context,
    queries: Annotated[bool, typer.Option("--queries", help="What the sealed partition was asked, instead.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """List the verdicts of the gate, oldest first, their chain verified. Example: goldfold gates --queries"""
    with goldfold(context) as app:
        rows, asked = app.ledger.gates.all(), app.ledger.sealed.all()
        verify_chain(rows, app.settings.gate_secret.get_secret_value())
    if as_json:
        show_json([_asked(query) for query in asked] if queries else rows)
        return
    if queries:
        columns = ["asked", "by", "what", "model", "family", "golden", "repeat"]
        table("Questions to the sealed partition", columns, [tuple(_asked(query).values()) for query in asked])
        return
    told = [(row.gate_id, row.body) for row in rows]
    shown = [(i, b["verdict"], _id(b["challenger"]), _id(b["champion"]), _version(b), b["at"]) for i, b in told]
    table("Verdicts of the gate", ["id", "verdict", "challenger", "champion", "golden", "at"], shown)


def _show(told: Mapping[str, Any]) -> None:
    golden = told["golden"]["version"]
    title = f"{told['challenger']['model_id']} against {told['champion']['model_id']} on sealed gold {golden}"
    table(title, COLUMNS, [_row(one) for one in told["slices"]])
    anchors = told["anchors"]
    out.print(f"Anchors: {anchors['right']} of {anchors['n']} right")
    if told["stale"] or told["left_out"]:
        out.print(f"{told['left_out']} sealed rows were left out (learnt, or copies); {told['stale']} have gone stale")
    for line in beside_lines(told.get("beside", {}).get("challenger", {})):
        out.print(line)
    for reason in told["reasons"]:
        out.print(f"- {reason}")
    out.print(f"Verdict: {told['verdict']} ({told['gate_id']}, {'signed' if told['signed'] else 'not signed'})")
    again = "; asked before, so nothing was spent" if told["is_repeat"] else ""
    out.print(f"Questions left to the family {told['challenger']['family']!r}: {told['budget_left']}{again}")


def _row(one: Mapping[str, Any]) -> tuple[object, ...]:
    if one["wins"] is None:
        return one["name"], one["n"], "insufficient", "", "", "", "", one["margin"], ""
    shares = (f"{one['champion_right']:.1%}", f"{one['challenger_right']:.1%}")
    p_values = (f"{one['p_differs']:.3g}", one["margin"], f"{one['p_not_worse']:.3g}")
    return one["name"], one["n"], *shares, one["wins"], one["losses"], *p_values


def _asked(query: Any) -> dict[str, object]:
    return {
        "at": query.at,
        "actor": query.actor,
        "kind": query.question["kind"],
        "model_id": query.model_id,
        "family": query.family,
        "golden_version": query.golden_version,
        "is_repeat": query.is_repeat,
    }


def _id(about: Any) -> str:
    return str(about["model_id"])


def _version(body: Mapping[str, Any]) -> str:
    return str(body["golden"]["version"])
