"""Commands on golden versions: approve, reject, compare, and say what is known to be wrong in one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

import typer

from api.cli.golden_items import By, Policy
from api.cli.output import out, show_json, table
from api.cli.session import JsonFlag, goldfold
from api.golden import known_author
from labeling.golden.diff import diff, sealed_pairs, withheld
from labeling.golden_records import Erratum
from labeling.records import GoldAction
from labeling.standing import one_row

Version = Annotated[str, typer.Argument(help="Such as 1.0.0.")]


def approve_command(
    context: typer.Context,
    version: Version,
    by: By = "",
    reason: Annotated[str, typer.Option(help="What was looked at.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Release a proposed version; whoever proposed it may not.

    Example: goldfold golden approve 1.1.0 --by bo@example.org --reason "read the diff"
    """
    _decide(context, GoldAction.APPROVED, version, by, reason, as_json=as_json)


def reject_command(
    context: typer.Context,
    version: Version,
    by: By = "",
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Turn a proposed version down; its number is not given again.

    Example: goldfold golden reject 1.1.0 --by bo@example.org --reason "two labels are wrong"
    """
    _decide(context, GoldAction.REJECTED, version, by, reason, as_json=as_json)


def diff_command(
    context: typer.Context,
    before: Version,
    after: Version,
    limit: Annotated[int, typer.Option(min=0, help="How many rows are shown.")] = 50,
    as_json: JsonFlag = False,
) -> None:
    """Show what changed from one version to another, by stratum and row by row, with who and why. Of sealed rows it is
    told that they changed, not how.

    Example: goldfold golden diff 1.0.0 1.1.0 --limit 20
    """
    with goldfold(context) as opened:
        found = diff(opened.ledger.golden, before, after, limit)
    if as_json:
        show_json(found)
        return
    kinds = ", ".join(f"{n} {kind}" for kind, n in found.counts.items())
    out.print(f"{found.changed} rows differ between {before} and {after}{': ' if kinds else ''}{kinds}")
    strata = [(s["policy"], s["language"], s["partition"], s["counts"]) for s in found.strata]
    table("By stratum", ["policy", "language", "partition", "rows"], strata)
    rows = [
        (row["external_id"], row["policy"], ", ".join(row["kinds"]), _label(row["before"]), _label(row["after"]), why)
        for row in found.rows
        for why in ["; ".join(f"{one['action']} by {one['actor']}: {one['reason']}" for one in row["why"])]
    ]
    table("Rows", ["external id", "policy", "change", "before", "after", "who and why"], rows)
    _show_errata(found.errata)


def errata_command(
    context: typer.Context,
    version: Version,
    add: Annotated[str | None, typer.Option(help="External id of an item whose row is wrong.")] = None,
    policy: Policy = None,
    reason: Annotated[str, typer.Option(help="What is wrong; needed with --add.")] = "",
    by: By = "cli",
    as_json: JsonFlag = False,
) -> None:
    """Show the rows of a released version that are known to be wrong, or add one. The version stays as it is.

    Examples:

      goldfold golden errata 1.0.0

      goldfold golden errata 1.0.0 --add post-17 --policy hate_speech --reason "it quotes a news report"
    """
    with goldfold(context) as opened:
        golden = opened.ledger.golden
        if add is not None:
            row = one_row(golden, add, policy)
            golden.add_erratum(Erratum(version, row.item_id, row.policy_id, reason, by, datetime.now(UTC)))
        golden.version(version)
        sealed = sealed_pairs(golden.members(version, unreleased=True))
        found = [withheld(erratum, sealed) for erratum in golden.errata(version)]
    if as_json:
        show_json(found)
        return
    _show_errata(found)


COMMANDS: dict[str, Callable[..., None]] = {
    "approve": approve_command,
    "reject": reject_command,
    "diff": diff_command,
    "errata": errata_command,
}


def _decide(context: typer.Context, decision: GoldAction, version: str, by: str, reason: str, *, as_json: bool) -> None:
    with goldfold(context) as opened:
        actor = known_author(by, opened.settings.leads)
        done = opened.ledger.golden.decide(version, decision, actor, reason)
    if as_json:
        show_json(done)
        return
    out.print(f"Golden version {version} is {done.state}")


def _label(row: object) -> str:
    if not isinstance(row, dict):
        return ""
    return " ".join(str(value) for value in row.values() if value is not None)


def _show_errata(errata: list[Erratum]) -> None:
    rows = [(e.version, e.item_id, e.policy_id, e.reason, e.actor, e.at) for e in errata]
    table("Errata", ["version", "item", "policy", "what is wrong", "who", "when"], rows)
