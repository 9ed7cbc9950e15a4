"""Commands on misapplication patterns: list, show, export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.cli.output import out, show_json, table
from api.cli.session import JsonFlag, goldfold
from api.patterns import mined
from labeling.insights.pattern_pages import write
from labeling.insights.patterns import Pattern

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Misapplication patterns: where one rule is taken for another."
)
PartColumns = ("moves with", "levels", "share of the variance (95 %)", "pull (log-odds, 95 %)", "leads")


@app.command("list")
def list_command(context: typer.Context, as_json: JsonFlag = False) -> None:
    """Mine the patterns of all judged decisions, the surest first. Example: goldfold patterns list --json"""
    with goldfold(context) as opened:
        found = mined(opened)
    if as_json:
        show_json(found.as_dict())
        return
    rows = [(one.pattern_id, one.card.title, str(one.attribution.culprit), f"{one.q:.1e}") for one in found.patterns]
    table("Patterns", ["id", "what is taken for what, where", "verdict", "q"], rows)
    out.print(f"{found.errors} of {found.decisions} judged decisions are wrong; {found.tests} cells were tested")
    out.print(f"{found.withheld} answers are withheld, {found.unjudged} no gold may judge ({found.licence})")


@app.command("show")
def show_command(
    context: typer.Context,
    pattern_id: Annotated[str, typer.Argument(help="Id of the pattern, as list names it.")],
    as_json: JsonFlag = False,
) -> None:
    """Show one pattern as a card, with its examples and with what it moves.

    Example: goldfold patterns show 0f3c5a7b9d1e2f40
    """
    with goldfold(context) as opened:
        found = mined(opened)
    one = found.one(pattern_id)
    if as_json:
        show_json(found.told(one, whole=True))
        return
    for line in (one.card.title, "", *one.card.lines, "", f"To do: {one.card.action} ({one.card.cause})"):
        out.print(line)
    out.print(f"Examples: {', '.join(one.exemplars)}")
    if one.terms:
        out.print(f"Words of this content: {', '.join(one.terms)}")
    table("With what it moves", PartColumns, _parts(one))
    versions = ", ".join(one.policy_versions) or "unknown"
    out.print(f"Policy {versions}, golden version {found.golden_version or 'none'} ({found.licence})")


@app.command("export")
def export_command(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="File to write; its name ends in .json or .md.")],
    without_people: Annotated[
        bool, typer.Option("--without-people", help="Leave out patterns that speak of one person.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Write the patterns to a file: JSON with every item, or Markdown cards. No content is written.

    Example: goldfold patterns export patterns.md --without-people
    """
    with goldfold(context) as opened:
        found = mined(opened)
        told = found.impersonal() if without_people else found
        write(told, file)
        opened.ledger.audit.add("cli", "patterns.export", str(file), {"patterns": len(told.patterns)})
    if as_json:
        show_json({"file": str(file), "patterns": len(told.patterns)})
        return
    out.print(f"{len(told.patterns)} patterns written to {file}")


def _parts(one: Pattern) -> list[tuple[object, ...]]:
    return [
        (
            part.name,
            part.levels,
            f"{part.share:.1%} [{part.share_low:.1%}, {part.share_high:.1%}]",
            f"[{part.pull_low:+.2f}, {part.pull_high:+.2f}]",
            f"{part.leads:.0%}",
        )
        for part in one.attribution.parts
    ]
