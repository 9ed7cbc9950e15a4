"""Commands on policies: publish a version, see what it touches, have stale gold labelled again, compare versions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.cli import policy_proposals
from api.cli.golden_items import By
from api.cli.output import out, show_json, table
from api.cli.policy_proposals import show_released
from api.cli.session import JsonFlag, goldfold
from api.composition import Goldfold
from api.golden import known_author
from api.policy_changes import (
    BRIDGE_ITEMS,
    SUFFIXES,
    Follow,
    bridge,
    draft,
    foresee,
    progressed,
    relabel,
    stale_rows,
    standings,
)
from api.policy_proposals import release
from labeling.policies import Policy, read_policy
from labeling.policy_bridge import BridgeReport, bridge_report
from labeling.policy_preview import HALF_WIDTH, Preview
from labeling.policy_progress import Progress
from labeling.policy_publish import Change, history_of, named
from labeling.policy_texts import as_yaml, difference
from labeling.policy_versions import published

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
        found = published(history_of(opened.ledger, policy), version).policy
    if as_json:
        show_json(found.model_dump(mode="json"))
        return
    out.print(as_yaml(found), end="")


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
    found = difference(before, after, a, b)
    if as_json:
        show_json(found)
        return
    out.print("\n".join(found.lines) if found.lines else "No difference")


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
    by: By = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would touch; write nothing.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Publish a version of a policy: it is in force from now on, and the gold that it touches is stale.

    Opens a relabel round over the stale gold, and a bridge: a sample labelled under both versions. With the setting
    two_person_release it is proposed only, until another lead approves it.

    Examples:

      goldfold policy publish hate_speech --kind tighten --reason "slurs in song titles" --rules slurs --dry-run

      goldfold policy publish ./privacy.yaml --kind clarify --reason "an example of a shared address"

      goldfold policy publish exploits --kind retire --reason "covered by the security team"
    """
    with goldfold(context, register=False) as opened:
        kinds = named(kind)
        two = opened.settings.two_person_release and not dry_run
        actor = known_author(by, opened.settings.leads) if two else by or "cli"
        change = Change(kinds, reason, actor, _words(rules), tuple(predecessor or ()))
        wanted = draft(opened, policy, kinds)
        if dry_run:
            _show_plan(foresee(opened, wanted, change), as_json=as_json)
            return
        follow = Follow((budget or opened.settings.budget) if ask else 0, bridge_items)
        done = release(opened, wanted, change, follow)
    show_released(done, as_json=as_json)


@app.command("stale")
def stale_command(
    context: typer.Context,
    policy: PolicyArgument,
    limit: Annotated[int, typer.Option(min=1, help="Rows to show.")] = 50,
    as_json: JsonFlag = False,
) -> None:
    """List the stale labels that no round asks about yet, the next to be asked first; sealed ones are only counted.

    Example: goldfold policy stale hate_speech --limit 20
    """
    with goldfold(context, register=False) as opened:
        found = stale_rows(opened, policy, limit)
    if as_json:
        show_json(found)
        return
    rows = [
        (r.external_id, r.policy_version, r.partition, r.language, f"{r.outcome} {r.rule or ''}", r.chance, r.severity)
        for r in found.rows
    ]
    columns = ["external id", "labelled under", "partition", "language", "label", "flips", "severity"]
    table(f"Stale labels of {policy}", columns, rows)
    out.print(f"{found.unasked} wait to be asked again, {found.sealed} of them sealed, which are not shown")


@app.command("progress")
def progress_command(context: typer.Context, policy: PolicyArgument, as_json: JsonFlag = False) -> None:
    """Say how far a policy's stale labels have been given again: by partition, by round, and what is left.

    Example: goldfold policy progress hate_speech
    """
    with goldfold(context, register=False) as opened:
        found = progressed(opened, policy)
    if as_json:
        show_json(found)
        return
    _show_progress(found)


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
    return published(history_of(opened.ledger, policy_id), version).policy


def _show_plan(foreseen: Preview, *, as_json: bool) -> None:
    if as_json:
        show_json(foreseen.as_dict())
        return
    for version in foreseen.planned.versions:
        kinds = ", ".join(kind.value for kind in version.kinds)
        out.print(f"{version.policy_id} {version.parent or 'nothing'} -> {version.version} ({kinds}): {version.reason}")
    rows = [(t.policy_id, t.rule, t.language, t.partition, t.state, t.items) for t in foreseen.planned.touched]
    table(
        "Would be touched (nothing was written)", ["policy", "rule", "language", "partition", "becomes", "items"], rows
    )
    asked = foreseen.asked
    out.print(f"{foreseen.stale} golden items become stale, {foreseen.retired} become retired")
    out.print(
        f"To ask again: {asked.labels} labels, of which {asked.flips:.1f} ({asked.flips_low} to {asked.flips_high}) "
        f"are expected to turn, {asked.minutes:.0f} minutes of people's time, exposure {asked.exposure:.1f}; and of "
        f"the sealed items {foreseen.sealed_at_most} at most"
    )
    out.print(f"Bridge: {asked.bridge} items tell the share that turns to +-{HALF_WIDTH}. Licence: {asked.licence}")


def _show_progress(found: Progress) -> None:
    rows = [(name, stale, active) for name, (stale, active) in found.by_partition.items()]
    table(f"{found.policy_id} {found.version}", ["partition", "stale", "active"], rows)
    rounds = [
        (r.round_id, r.state, r.policy_version, r.labels, r.tasks, f"{r.flipped} of {r.compared}") for r in found.rounds
    ]
    table("Relabel rounds", ["round", "state", "version", "labels", "tasks", "flipped"], rounds)
    out.print(
        f"{found.stale} labels are stale: {found.asked} are being asked about; {found.waiting} labels wait for a round "
        f"({found.left.minutes:.0f} minutes without the sealed ones, {found.left.flips:.1f} expected to turn)"
    )


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


for _name, _command in policy_proposals.COMMANDS.items():
    app.command(_name)(_command)
