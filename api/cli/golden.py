"""Commands on the golden set: publish, list, verify, export."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from api.cli import golden_versions
from api.cli.golden_items import COMMANDS
from api.cli.output import bar, out, plain, show_json, table
from api.cli.planning import plan_command
from api.cli.quality import show_suspects
from api.cli.session import JsonFlag, goldfold
from api.golden import enclosing, known_author
from labeling.exports import hand_out
from labeling.golden.audit import check
from labeling.golden.enclosures import NONE
from labeling.golden.publish import publish
from labeling.golden.stale import stale_shares
from labeling.pictures import LakePictures
from labeling.records import GoldenItem

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="The golden set: publish an immutable version, verify it, export it.",
)


app.command("plan")(plan_command)


@app.command("status")
def status_command(context: typer.Context, as_json: JsonFlag = False) -> None:
    """Count what is in the golden set now. Example: goldfold golden status --json"""
    with goldfold(context) as opened:
        items = opened.ledger.golden.items()
    counts = Counter((str(i.policy_id), str(i.partition), str(i.outcome), str(i.state)) for i in items)
    rows = [(*key, n) for key, n in sorted(counts.items())]
    names = ("policy", "partition", "outcome", "state", "items")
    if as_json:
        show_json([dict(zip(names, row, strict=True)) for row in rows])
        return
    table("Golden set", names, rows)
    _tell_stale(items)


def _tell_stale(items: Iterable[GoldenItem]) -> None:
    for share in stale_shares(items):
        of = f"{share.stale} of {share.stale + share.active} labels ({share.share:.0%})"
        out.print(f"{share.policy_id}: {of} are stale and left out (goldfold policy relabel {share.policy_id})")


@app.command("publish")
def publish_command(
    context: typer.Context,
    bump: Annotated[str | None, typer.Option(help="Ask for a higher step than the changes need.")] = None,
    by: Annotated[str, typer.Option(help="Who publishes; needed with two_person_release.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Make an immutable version of what is golden now; its number says what changed. With the setting
    two_person_release it is proposed only, until another lead approves it.

    Examples:

      goldfold golden publish

      goldfold golden publish --json
    """
    with goldfold(context) as opened:
        two = opened.settings.two_person_release
        author = known_author(by, opened.settings.leads) if two else by or "cli"
        made = publish(
            opened.ledger.golden, opened.golden_dir, datetime.now(UTC), bump=bump, author=author, two_person=two
        )
        version = opened.ledger.golden.version(made.version)
        opened.ledger.audit.add(author, "golden.publish", version.version, {"root": version.merkle_root})
        items = opened.ledger.golden.items()
    if as_json:
        stale = {share.policy_id: {"stale": share.stale, "active": share.active} for share in stale_shares(items)}
        show_json({**plain(version), "stale": stale})
        return
    out.print(f"Golden version {version.version} ({version.state}): {version.counts}")
    out.print(f"Merkle root {version.merkle_root}, made after event {version.events} {version.events_sha256}")
    if version.needs_approval:
        out.print(f"Another lead releases it: goldfold golden approve {version.version} --by ADDRESS")
    out.print(f"Manifest: {version.manifest_path}")
    _tell_stale(items)


@app.command("list")
def list_command(context: typer.Context, as_json: JsonFlag = False) -> None:
    """List all versions, oldest first: released, proposed, rejected. Example: goldfold golden list"""
    with goldfold(context) as opened:
        versions = opened.ledger.golden.versions(everything=True)
        items = [] if as_json else opened.ledger.golden.items()
    if as_json:
        show_json([plain(version) | {"state": version.state, "name": version.name} for version in versions])
        return
    rows = [(v.name, v.state, v.parent, v.merkle_root[:16], v.counts, v.created_at) for v in versions]
    table("Golden versions", ["version", "state", "parent", "Merkle root", "counts", "created"], rows)
    _tell_stale(items)


@app.command("verify")
def verify_command(
    context: typer.Context,
    version: Annotated[str | None, typer.Argument(help="Such as 1.0.0; all versions where it is left out.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Recompute every hash: of the event chain, of the set as it is, and of the versions; tampering is named.

    Examples:

      goldfold golden verify

      goldfold golden verify 1.0.0 --json
    """
    with goldfold(context) as opened:
        found = check(opened.ledger.golden, version)
    if as_json:
        show_json({"versions": found.versions, "rows": found.rows, "events": found.events, "intact": True})
        return
    which = f"Version {version}" if version else f"{len(found.versions)} versions"
    out.print(f"{which}: {found.rows} rows and {found.events} events, every hash matches")


@app.command("export")
def export_command(
    context: typer.Context,
    version: Annotated[str, typer.Argument(help="Such as 1.0.0.")],
    folder: Annotated[Path | None, typer.Option("--to", help="A folder that is not there yet.")] = None,
    form: Annotated[str, typer.Option("--format", help="parquet, jsonl, csv or label-studio.")] = "parquet",
    partition: Annotated[
        list[str] | None, typer.Option("--partition", help="train (default), calibration, dev; repeat for more.")
    ] = None,
    recipient: Annotated[str, typer.Option(help="Who gets it; they are told when an item of it is erased.")] = "",
    media: Annotated[
        str, typer.Option(help="Images: none (hash and place), files (beside the rows), bytes (in Parquet).")
    ] = "none",
    media_licence: Annotated[str, typer.Option(help="What the images may be used for; goes into the card.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Write a version's partitions for a trainer, with a dataset card. Sealed answers never leave.

    Examples:

      goldfold golden export 1.0.0 --to ./train

      goldfold golden export 1.0.0 --format jsonl --partition train --partition dev

      goldfold golden export 1.0.0 --media files --media-licence "CC BY 4.0"
    """
    with goldfold(context) as opened, bar("export", quiet=as_json) as tick:
        to = folder or opened.exports_dir / f"{version}-{form}{'' if media == NONE else '-' + media}"
        report = hand_out(
            opened.ledger,
            version,
            to,
            actor="cli",
            recipient=recipient,
            form=form,
            partitions=partition or ["train"],
            vectors=opened.vectors(),
            pictures=LakePictures(opened.lake),
            cosine=opened.duplicate_cosine,
            enclosing=enclosing(opened, media, media_licence),
            progress=tick,
        )
        opened.ledger.audit.add(
            "cli",
            "golden.export",
            version,
            {"folder": str(to), "format": form, "recipient": recipient, "media": media},
        )
    if as_json:
        show_json(report)
        return
    out.print(f"Exported {report.rows} rows of version {version} ({report.counts}) to {to}")


@app.command("regroup")
def regroup_command(context: typer.Context, as_json: JsonFlag = False) -> None:
    """Merge groups that turn out to be near-duplicates, such as after scoring with another encoder.

    Example: goldfold golden regroup
    """
    with goldfold(context) as opened:
        done = opened.regroup()
        opened.ledger.audit.add("cli", "golden.regroup", "all", {"merged": done.merged, "rows": done.rows})
    if as_json:
        show_json(done)
        return
    out.print(f"Merged {done.merged} groups into others; {done.rows} rows have another group or partition now")


@app.command("errors")
def errors_command(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, help="How many of each policy.")] = 50,
    as_json: JsonFlag = False,
) -> None:
    """List settled labels of the partition train that look wrong, most suspect first.

    Example: goldfold golden errors --limit 20
    """
    with goldfold(context) as opened:
        found = opened.suspects(limit)
        opened.ledger.audit.add("cli", "golden.errors", "train", {"labels": found.labels})
    if as_json:
        show_json(found)
        return
    show_suspects(found)


_MORE: dict[str, Callable[..., None]] = {**COMMANDS, **golden_versions.COMMANDS}
for _name, _command in _MORE.items():
    app.command(_name)(_command)
