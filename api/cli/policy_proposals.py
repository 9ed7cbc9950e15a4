"""Commands on versions of policies between two people: what waits, approve, reject."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from api.cli.golden_items import By
from api.cli.output import out, show_json, table
from api.cli.session import JsonFlag, goldfold
from api.golden import known_author
from api.policy_changes import Published
from api.policy_proposals import Released, approve, reject

PolicyId = Annotated[str, typer.Argument(help="Id of the policy.")]
Version = Annotated[str, typer.Argument(help="The version that was proposed.")]


def proposals_command(
    context: typer.Context,
    policy: Annotated[str | None, typer.Argument(help="Id of a policy; without it, of all.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """List the versions of policies that were proposed, with who decided on them; a proposed one waits.

    Example: goldfold policy proposals
    """
    with goldfold(context, register=False) as opened:
        found = opened.ledger.proposals.all(policy)
    if as_json:
        show_json(found)
        return
    rows = [
        (p.policy_id, p.version, ", ".join(p.kinds), p.reason, p.author, p.at, p.state, p.decided_by) for p in found
    ]
    table("Proposed versions", ["policy", "version", "kinds", "why", "by", "when", "state", "decided by"], rows)


def approve_command(
    context: typer.Context,
    policy: PolicyId,
    version: Version,
    by: By = "",
    reason: Annotated[str, typer.Option(help="What was looked at.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Publish a proposed version of a policy; whoever proposed it may not.

    Example: goldfold policy approve hate_speech 1.1.0 --by bo@example.org --reason "read the diff"
    """
    with goldfold(context, register=False) as opened:
        done = approve(opened, policy, version, known_author(by, opened.settings.leads), reason)
    show_released(done, as_json=as_json)


def reject_command(
    context: typer.Context,
    policy: PolicyId,
    version: Version,
    by: By = "",
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Turn a proposed version of a policy down; it may be proposed again.

    Example: goldfold policy reject hate_speech 1.1.0 --by bo@example.org --reason "too broad"
    """
    with goldfold(context, register=False) as opened:
        done = reject(opened, policy, version, known_author(by, opened.settings.leads), reason)
    if as_json:
        show_json(done)
        return
    out.print(f"{policy} {version} is {done.state}")


COMMANDS: dict[str, Callable[..., None]] = {
    "proposals": proposals_command,
    "approve": approve_command,
    "reject": reject_command,
}


def show_released(done: Released, *, as_json: bool) -> None:
    """What publishing did, or that it waits for somebody."""
    if as_json:
        show_json(done)
    elif done.published is not None:
        _tell(done.published)
    elif done.proposal is not None:
        held = done.proposal
        out.print(
            f"{held.policy_id} {held.version} is proposed: another lead publishes it (goldfold policy approve "
            f"{held.policy_id} {held.version} --by ...)"
        )


def _tell(done: Published) -> None:
    stale, gone = done.moved["stale"], done.moved["retired"]
    out.print(f"{done.policy_id} {done.version} is published: {stale} golden items are stale, {gone} retired")
    if done.relabel is not None:
        out.print(f"Round {done.relabel.round_id} asks again (goldfold sync sends it)")
        for note in done.relabel.notes:
            out.print(f"Note: {note}")
    if done.bridge is not None:
        out.print(
            f"Bridge: {done.bridge.sample} of {done.bridge.frame} items, rounds {done.bridge.old_round} and "
            f"{done.bridge.new_round}; {done.bridge.old_known} are labelled under {done.bridge.old_version} already"
        )
    for note in done.notes:
        out.print(f"Note: {note}")
