"""Commands on single golden items: their tiers and states."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated

import typer

from api.cli.output import out, show_json
from api.cli.session import JsonFlag, goldfold
from labeling.golden.blame import blame
from labeling.records import GoldAction
from labeling.standing import change

ItemName = Annotated[str, typer.Argument(help="External id of the item.")]
Policy = Annotated[str | None, typer.Option(help="Under which policy; needed where it is gold under several.")]
Reason = Annotated[str, typer.Option(help="Why; it is kept for good.")]
By = Annotated[str, typer.Option(help="Who does it, as the events tell; this command takes your word.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be; change nothing.")]


def promote_command(
    context: typer.Context,
    item: ItemName,
    reason: Reason,
    policy: Policy = None,
    by: By = "cli",
    dry_run: DryRun = False,
    as_json: JsonFlag = False,
) -> None:
    """Raise an item by one tier, where the blind answers behind it suffice.

    Example: goldfold golden promote post-17 --policy hate_speech --reason "three experts agree" --dry-run
    """
    _change(context, GoldAction.PROMOTED, item, policy, reason, by, dry_run=dry_run, as_json=as_json)


def demote_command(
    context: typer.Context,
    item: ItemName,
    reason: Reason,
    policy: Policy = None,
    by: By = "cli",
    dry_run: DryRun = False,
    as_json: JsonFlag = False,
) -> None:
    """Lower an item by one tier. Example: goldfold golden demote post-17 --reason "one of the experts retracted" """
    _change(context, GoldAction.DEMOTED, item, policy, reason, by, dry_run=dry_run, as_json=as_json)


def quarantine_command(
    context: typer.Context,
    item: ItemName,
    reason: Reason,
    policy: Policy = None,
    by: By = "cli",
    dry_run: DryRun = False,
    as_json: JsonFlag = False,
) -> None:
    """Take an item out of use until its label is clear; no new version holds it.

    Example: goldfold golden quarantine post-17 --reason "contested in an appeal"
    """
    _change(context, GoldAction.QUARANTINED, item, policy, reason, by, dry_run=dry_run, as_json=as_json)


def retire_command(
    context: typer.Context,
    item: ItemName,
    reason: Reason,
    policy: Policy = None,
    by: By = "cli",
    dry_run: DryRun = False,
    as_json: JsonFlag = False,
) -> None:
    """Take an item out of use for good; a new label does not bring it back.

    Example: goldfold golden retire post-17 --reason "no longer what users post"
    """
    _change(context, GoldAction.RETIRED, item, policy, reason, by, dry_run=dry_run, as_json=as_json)


def restore_command(
    context: typer.Context,
    item: ItemName,
    reason: Reason,
    policy: Policy = None,
    by: By = "cli",
    dry_run: DryRun = False,
    as_json: JsonFlag = False,
) -> None:
    """Take an item that is stale, quarantined or retired into use again.

    Example: goldfold golden restore post-17 --reason "the appeal was turned down"
    """
    _change(context, GoldAction.RESTORED, item, policy, reason, by, dry_run=dry_run, as_json=as_json)


def blame_command(context: typer.Context, item: ItemName, as_json: JsonFlag = False) -> None:
    """Show the history of one item: its events, annotations, decisions, and the versions it is in. What would tell a
    sealed answer is withheld.

    Example: goldfold golden blame post-17
    """
    with goldfold(context) as opened:
        found = blame(opened.ledger, item)
    if as_json:
        show_json(found)
        return
    for title, rows in (
        (f"{found.external_id} now", found.golden),
        ("Events", found.events),
        ("Annotations", found.annotations),
        ("Decisions", found.adjudications),
        ("Versions", found.versions),
        ("Errata", [asdict(erratum) for erratum in found.errata]),
    ):
        out.print(f"{title}:{'' if rows else ' none'}")
        for row in rows:
            told = {name: value for name, value in row.items() if value not in (None, "", []) and name != "sha256"}
            out.print("  " + ", ".join(f"{name} {value}" for name, value in told.items()))


COMMANDS: dict[str, Callable[..., None]] = {
    "blame": blame_command,
    "promote": promote_command,
    "demote": demote_command,
    "quarantine": quarantine_command,
    "retire": retire_command,
    "restore": restore_command,
}


def _change(
    context: typer.Context,
    action: GoldAction,
    item: str,
    policy: str | None,
    reason: str,
    by: str,
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    with goldfold(context) as opened:
        leads = opened.settings.leads
        done = change(opened.ledger, item, policy, action, actor=by, reason=reason, leads=leads, dry_run=dry_run)
    if as_json:
        show_json(done)
        return
    would = "would be" if dry_run else "is"
    before = f"it was {done.tier_before}, {done.state_before}"
    out.print(f"{done.external_id} under {done.policy_id} {would} {done.tier}, {done.state}; {before}")
