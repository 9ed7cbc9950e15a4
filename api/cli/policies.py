"""Commands on policies: publish a version, see what it touches, have stale gold labelled again, compare versions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from difflib import unified_diff
from pathlib import Path
from typing import Annotated

import typer
import yaml

from api.cli.output import out, show_json, table
from api.cli.session import JsonFlag, goldfold
from api.composition import Goldfold
from api.policy_changes import (
    BRIDGE_ITEMS,
    SUFFIXES,
    Follow,
    Published,
    bridge,
    draft,
    plan,
    publish,
    relabel,
    standings,
)
from api.sops import what_if_changed
from labeling.errors import InvalidInput
from labeling.insights.what_if import HALF_WIDTH, WhatIf
from labeling.policies import Policy, read_policy
from labeling.policy_bridge import BridgeReport, bridge_report
from labeling.policy_publish import Change, Planned, Touched, history_of, named
from labeling.policy_versions import changed_keys
from labeling.records import GoldState

WIDTH = 110  # of the YAML that is shown

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="The policies' versions: publish one, and what follows from it."
)
PolicyArgument = Annotated[str, typer.Argument(help="Id of the policy.")]


@app.command("list")
def list_command(context: typer.Context, as_json: JsonFlag = False) -> None:
    """List the policies: the version in force, a draft that waits to be published, and how much of the gold is stale.

    Example: goldfold policy list
    """
    with goldfold(context, register=False) as opened:
        rows = standings(opened)
    if as_json:
        show_json(rows)
        return
    told = [
        (r["policy"], r["version"], r["state"], f"{r['file']} (draft)" if r["draft"] else r["file"], _stale(r))
        for r in rows
    ]
    table("Policies", ["policy", "version", "state", "file", "stale gold"], told)


@app.command("show")
def show_command(
    context: typer.Context,
    policy: PolicyArgument,
    version: Annotated[str, typer.Option(help="A version (default: the newest).")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Print a policy as it was published, as YAML that may be put back into its file.

    Example: goldfold policy show hate_speech --version 1.0.0
    """
    with goldfold(context, register=False) as opened:
        found = _published(opened, policy, version)
    if as_json:
        show_json(found.model_dump(mode="json"))
        return
    out.print(_yaml(found), end="")


@app.command("diff")
def diff_command(
    context: typer.Context,
    a: Annotated[str, typer.Argument(help="ID@VERSION, ID (the newest version) or a file.")],
    b: Annotated[str, typer.Argument(help="The same.")],
    as_json: JsonFlag = False,
) -> None:
    """Say in what two versions, or a version and a file, differ.

    Examples:

      goldfold policy diff hate_speech@1.0.0 hate_speech@1.1.0

      goldfold policy diff hate_speech ./hate_speech.yaml
    """
    with goldfold(context, register=False) as opened:
        before, after = (_named(opened, name) for name in (a, b))
    lines = list(unified_diff(_yaml(before).splitlines(), _yaml(after).splitlines(), a, b, lineterm="", n=1))
    if as_json:
        old, new = set(before.rule_ids), set(after.rule_ids)
        rules = {"added": sorted(new - old), "dropped": sorted(old - new), "changed": _changed_rules(before, after)}
        show_json({"a": a, "b": b, "keys": changed_keys(before, after), "rules": rules, "lines": lines})
        return
    out.print("\n".join(lines) if lines else "No difference")


@app.command("publish")
def publish_command(
    context: typer.Context,
    policy: Annotated[str, typer.Argument(help="A policy file, or the id of one in policies_dir.")],
    kind: Annotated[
        list[str],
        typer.Option("--kind", help="tighten, loosen, clarify, new, retire, split, merge; repeat for more."),
    ],
    reason: Annotated[str, typer.Option(help="Why it changes; kept for good.")],
    rules: Annotated[str, typer.Option(help="Rules that the change is about: --rules threat,slur.")] = "",
    predecessor: Annotated[
        list[str] | None, typer.Option("--from", help="Policy that a split or a merge comes from; repeat for more.")
    ] = None,
    budget: Annotated[int | None, typer.Option(min=1, help="Labels asked again at most (setting: budget).")] = None,
    ask: Annotated[bool, typer.Option("--relabel/--no-relabel", help="Open a relabel round.")] = True,
    bridge_items: Annotated[int, typer.Option("--bridge", min=0, help="Items of the bridge; 0: none.")] = BRIDGE_ITEMS,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would touch; write nothing.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Publish a version of a policy: it is in force from now on, and the gold that it touches is stale.

    Opens a relabel round over the stale gold, and a bridge: a sample labelled under both versions.

    Examples:

      goldfold policy publish hate_speech --kind tighten --reason "slurs in song titles" --rules slurs --dry-run

      goldfold policy publish ./privacy.yaml --kind clarify --reason "an example of a shared address"

      goldfold policy publish exploits --kind retire --reason "covered by the security team"
    """
    with goldfold(context, register=False) as opened:
        kinds = named(kind)
        change = Change(kinds, reason, "cli", _words(rules), tuple(predecessor or ()))
        wanted = draft(opened, policy, kinds)
        if dry_run:
            _show_plan(plan(opened, wanted, change), as_json=as_json)
            return
        follow = Follow((budget or opened.settings.budget) if ask else 0, bridge_items)
        done = publish(opened, wanted, change, follow)
    if as_json:
        show_json(done)
        return
    _tell(done)


@app.command("what-if")
def what_if_command(
    context: typer.Context,
    policy: Annotated[str, typer.Argument(help="A policy file, or the id of one in policies_dir.")],
    kind: Annotated[
        list[str],
        typer.Option("--kind", help="tighten, loosen, clarify, new, retire, split, merge; repeat for more."),
    ],
    rules: Annotated[str, typer.Option(help="Rules that the change is about: --rules threat,slur.")] = "",
    predecessor: Annotated[
        list[str] | None, typer.Option("--from", help="Policy that a split or a merge comes from; repeat for more.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Say what a change would set going: gold touched, labels that would turn, minutes, exposure, size of the bridge.

    Writes nothing. Example: goldfold policy what-if ./hate_speech.yaml --kind tighten --rules slurs
    """
    with goldfold(context, register=False) as opened:
        kinds = named(kind)
        change = Change(kinds, "what if", "cli", _words(rules), tuple(predecessor or ()))
        told = what_if_changed(opened, draft(opened, policy, kinds), change)
    if as_json:
        show_json(told.as_dict())
        return
    _show_what_if(told)


@app.command("relabel")
def relabel_command(
    context: typer.Context,
    policy: PolicyArgument,
    budget: Annotated[int | None, typer.Option(min=1, help="Labels asked again at most (setting: budget).")] = None,
    round_id: Annotated[str, typer.Option("--id", help="Id of the round.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Open the next round over a policy's stale gold, by the chance of a flip times severity; a sync sends it.

    Example: goldfold policy relabel hate_speech --budget 100
    """
    with goldfold(context) as opened:
        round_ = relabel(opened, policy, budget or opened.settings.budget, round_id)
    if as_json:
        show_json(round_)
        return
    out.print(f"Round {round_.round_id} is open (goldfold sync sends it)")
    for note in round_.notes:
        out.print(f"Note: {note}")


@app.command("bridge")
def bridge_command(
    context: typer.Context,
    policy: PolicyArgument,
    version: Annotated[str, typer.Option(help="The version bridged to (default: the newest that has a bridge).")] = "",
    open_: Annotated[bool, typer.Option("--open", help="Draw the sample and ask, where there is no bridge.")] = False,
    items: Annotated[int, typer.Option(min=1, help="With --open: items of the sample.")] = BRIDGE_ITEMS,
    as_json: JsonFlag = False,
) -> None:
    """Say what share of items a change of policy flips, by direction, from a sample labelled under both versions.

    Examples:

      goldfold policy bridge hate_speech

      goldfold policy bridge hate_speech --open --items 200
    """
    with goldfold(context) as opened:
        if open_:
            bridge(opened, policy, items)
        report = bridge_report(opened.ledger, policy, version)
    if as_json:
        show_json(report.as_dict())
        return
    _show_bridge(report)


def _stale(row: dict[str, object]) -> str:
    share = float(str(row["stale_share"]))
    return f"{row['stale']} of {int(str(row['stale'])) + int(str(row['active']))} ({share:.0%})" if row["stale"] else ""


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _named(opened: Goldfold, name: str) -> Policy:
    if Path(name).suffix in SUFFIXES:
        return read_policy(Path(name))
    policy_id, _, version = name.partition("@")
    return _published(opened, policy_id, version)


def _published(opened: Goldfold, policy_id: str, version: str) -> Policy:
    history = history_of(opened.ledger, policy_id)
    found = [one for one in history if version in ("", one.version)]
    if not found:
        known = ", ".join(one.version for one in history)
        raise InvalidInput(f"version: {policy_id} has no version {version} (known: {known})")
    return found[-1].policy


def _yaml(policy: Policy) -> str:
    told = policy.model_dump(mode="json", exclude_defaults=True)
    return yaml.safe_dump(told, sort_keys=False, allow_unicode=True, width=WIDTH)


def _changed_rules(before: Policy, after: Policy) -> list[str]:
    old = {rule.id: rule for rule in before.rules}
    return sorted(rule.id for rule in after.rules if rule.id in old and rule != old[rule.id])


def _show_plan(planned: Planned, *, as_json: bool) -> None:
    states = (GoldState.STALE, GoldState.RETIRED)
    if as_json:
        counts = {state.value: planned.items(state) for state in states}
        show_json({"versions": planned.versions, "touched": planned.touched, **counts})
        return
    for version in planned.versions:
        kinds = ", ".join(kind.value for kind in version.kinds)
        out.print(f"{version.policy_id} {version.parent or 'nothing'} -> {version.version} ({kinds}): {version.reason}")
    _show_touched(planned.touched)
    totals = Counter({state.value: planned.items(state) for state in states})
    out.print(", ".join(f"{n} golden items become {state}" for state, n in totals.items()))


def _show_what_if(told: WhatIf) -> None:
    _show_touched(told.touched)
    out.print(f"{told.stale} golden items would be stale, {told.retired} retired")
    out.print(
        f"Expected to turn: {told.flips:.1f} ({told.flips_low} to {told.flips_high}), {_levels(told.by_severity)}"
    )
    out.print(f"Asking again: {told.looks} looks, {told.minutes:.0f} minutes, exposure {told.exposure:.1f}")
    out.print(f"Bridge: {told.bridge} items tell the share that turns to +-{HALF_WIDTH}")
    out.print(f"Policy {told.before or 'nothing'} -> {told.after}; licence: {told.licence}")


def _levels(by_severity: Mapping[str, float]) -> str:
    return ", ".join(f"{level} {n:.1f}" for level, n in by_severity.items()) or "none"


def _show_touched(touched: Sequence[Touched]) -> None:
    rows = [(t.policy_id, t.rule, t.language, t.partition, t.state, t.items) for t in touched]
    columns = ["policy", "rule", "language", "partition", "becomes", "items"]
    table("Would be touched (nothing was written)", columns, rows)


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


def _show_bridge(report: BridgeReport) -> None:
    out.print(
        f"{report.policy_id} {report.old_version} -> {report.new_version}: {report.answered} of {report.sample} items "
        f"(drawn from {report.frame}) answered on both sides, {report.waiting} wait, {report.undecided} undecided, "
        f"{report.lost} lost"
    )
    rows = [
        (name, "insufficient" if f.value is None else f"{f.value:.3f}", f"{f.low:.3f} to {f.high:.3f}", f.n, f.events)
        for name, f in report.figures.items()
    ]
    table("Share of items", ["what", "share", "95 % interval", "n", "seen"], rows)
    out.print(f"Licence: {report.licence}")
