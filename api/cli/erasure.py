"""Commands that erase an item, say how erasures stand, and hold an item against them."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli.golden_items import By
from api.cli.output import out, show_json, table
from api.cli.session import JsonFlag, goldfold
from labeling.erasure import Standing, erase, reach, standings
from labeling.stops import clear_studio

app = typer.Typer(add_completion=False)
Pending = Annotated[bool, typer.Option("--pending", help="Those only where something is missing.")]
Item = Annotated[str, typer.Argument(help="External id of the item.")]


def erase_command(
    context: typer.Context,
    item: Item,
    reason: Annotated[str, typer.Option(help="Why; it is kept for good, so quote no content in it.")],
    by: By = "cli",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go; change nothing.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Erase an item everywhere: content, embedding, scores, media, tasks, caches, exports; published versions keep a
    hash in its place. An erasure that was interrupted goes on when it is called again.

    Examples:

      goldfold erase post-17 --reason "asked by its author" --dry-run

      goldfold erase post-17 --reason "asked by its author" --by dpo@example.org
    """
    with goldfold(context) as opened:
        before = reach(opened.ledger, item)
        if not dry_run:
            erase(opened.ledger, opened.lake, opened.places, item, by, reason)
            if opened.ledger.stops.removals() and opened.settings.studio_token.get_secret_value():
                clear_studio(opened.studio, opened.ledger.stops, opened.ledger.tasks)
        named = [one for one in standings(opened.ledger) if one.erasure.external_id == before.external_id]
        remains = opened.ledger.erasures.remains()
    if as_json:
        show_json({"reach": before, "erasure": named[0] if named else None, "dry_run": dry_run, "remains": remains})
        return
    table(f"{before.external_id} {'would lose' if dry_run else 'lost'}", ["what", ""], _told(before))
    for note in remains:
        out.print(f"Note: {note}")
    if named and not dry_run:
        _say(named[0])


def _told(before: object) -> list[tuple[str, str]]:
    names = ("versions", "tasks", "exports", "recipients", "copies", "models", "holds")
    shown = ((name, getattr(before, name)) for name in names)
    return [(name, ", ".join(value) if isinstance(value, tuple) else str(value)) for name, value in shown]


def _say(standing: Standing) -> None:
    if standing.left:
        out.print(f"Still to be done: {', '.join(standing.left)}; call it again")
    if standing.studio:
        out.print(f"{standing.studio} tasks wait to be deleted in Label Studio: goldfold sync")
    open_ = [one.recipient for one in standing.notices if one.acknowledged_at is None]
    if open_:
        out.print(f"Tell them, and note their answer with goldfold erasures ack: {', '.join(open_)}")
    if not standing.left and not standing.studio:
        out.print(f"{standing.erasure.external_id} is erased")


@app.callback(invoke_without_command=True)
def erasures(context: typer.Context, pending: Pending = False, as_json: JsonFlag = False) -> None:
    """Erasures: how they stand, and whose acknowledgement is missing. Without a command, every one is shown.

    Example: goldfold erasures --pending
    """
    if context.invoked_subcommand is None:
        list_command(context, pending, as_json)
    elif pending or as_json:
        raise typer.BadParameter(f"--pending and --json go behind the command: {context.invoked_subcommand} --json")


@app.command("list")
def list_command(
    context: typer.Context,
    pending: Pending = False,
    as_json: JsonFlag = False,
) -> None:
    """Show every erasure, with what is left to do and who has not acknowledged it.

    Example: goldfold erasures list --pending
    """
    with goldfold(context) as opened:
        found = standings(opened.ledger)
    if pending:
        found = [o for o in found if o.left or o.studio or any(n.acknowledged_at is None for n in o.notices)]
    if as_json:
        show_json(found)
        return
    rows = [
        (o.erasure.external_id, o.erasure.asked_at, o.erasure.actor, o.erasure.reason, _left(o), _recipients(o))
        for o in found
    ]
    table("Erasures", ["external id", "when", "who", "why", "left to do", "recipients"], rows)


def _left(standing: Standing) -> str:
    studio = [f"{standing.studio} tasks in Label Studio"] if standing.studio else []
    return ", ".join([*standing.left, *studio]) or "nothing"


def _recipients(standing: Standing) -> str:
    return ", ".join(f"{n.recipient} ({n.acknowledged_at or 'not yet'})" for n in standing.notices)


@app.command("ack")
def ack_command(
    context: typer.Context,
    item: Item,
    recipient: Annotated[str, typer.Option(help="Who has let it go, as named when it was exported.")],
    note: Annotated[str, typer.Option(help="What they said, or where it is kept.")] = "",
    by: By = "cli",
    as_json: JsonFlag = False,
) -> None:
    """Note that a recipient of an export has let an erased item go.

    Example: goldfold erasures ack post-17 --recipient team-b@example.org --note "mail of 3 March"
    """
    with goldfold(context) as opened:
        done = opened.ledger.erasures.acknowledge(item, recipient, by, note)
    if as_json:
        show_json(done)
        return
    out.print(f"{recipient} has let {item} go ({len(done)} exports)")


def hold_command(
    context: typer.Context,
    item: Annotated[str | None, typer.Argument(help="External id of the item; without it, the holds in force.")] = None,
    reason: Annotated[str, typer.Option(help="Why; needed with an item.")] = "",
    release: Annotated[bool, typer.Option("--release", help="Release the holds on the item.")] = False,
    by: By = "cli",
    as_json: JsonFlag = False,
) -> None:
    """Keep an item from being erased, or release it again; without an item, show the holds in force.

    Examples:

      goldfold hold

      goldfold hold post-17 --reason "case 2026-114"

      goldfold hold post-17 --release --reason "case closed"
    """
    with goldfold(context) as opened:
        erasures = opened.ledger.erasures
        if item is None:
            found = erasures.holds()
        elif release:
            found = erasures.release(opened.ledger.items.named(item).item_id, by, reason)
        else:
            found = [erasures.hold(opened.ledger.items.named(item), by, reason)]
    if as_json:
        show_json(found)
        return
    rows = [(h.external_id, h.reason, h.actor, h.at, h.released_at or "in force") for h in found]
    table("Legal holds", ["external id", "why", "who", "since", "released"], rows)
