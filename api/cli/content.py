"""Commands on content: ingest, score and show."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from api.cli.bulk import BulkOptions, score_in_bulk
from api.cli.output import bar, out, show_json
from api.cli.session import JsonFlag, goldfold, run_job
from api.ids import new_id
from api.items import shown
from api.requests import score_request
from labeling.ingest import IngestReport, ingest
from labeling.readers import column_map
from scoring.metering import Bill

MEDIA_CHARS = 200  # shown of a media; a data: URI may be millions


def ingest_command(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A .jsonl, .jsonl.gz, .csv or .parquet file, one item a row.")],
    rename: Annotated[
        list[str] | None, typer.Option("--map", help="Read a column under another name: --map text=body.")
    ] = None,
    drop: Annotated[list[str] | None, typer.Option("--drop", help="Ignore a column: --drop label.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check every row and write nothing.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Take content in. A file with a bad row is refused whole; the same file twice adds nothing.

    Examples:

      goldfold ingest posts.jsonl

      goldfold ingest export.csv --map external_id=post_id --map text=body --drop label

      goldfold ingest posts.parquet --dry-run --json
    """
    with goldfold(context) as app, bar("ingest", quiet=as_json) as tick:
        report = ingest(
            file,
            app.lake,
            app.ledger.items,
            lock_path=app.settings.data_dir / "ingest.lock",
            max_text_chars=app.settings.max_text_chars,
            policies=app.policies.keys(),
            columns=column_map(rename or (), drop or ()),
            dry_run=dry_run,
            progress=lambda _step, done, total: tick(done, total or done),
        )
    _show(report, as_json)


def score_command(
    context: typer.Context,
    job_id: Annotated[str, typer.Option("--id", help="Id of the job; the same id again goes on or shows it.")] = "",
    max_items: Annotated[int | None, typer.Option("--max-items", min=1, help="Stop after so many items.")] = None,
    engine: Annotated[
        Literal["lake", "daft"], typer.Option("--engine", help="lake: a job here; daft: workers, shard by shard.")
    ] = "lake",
    source: Annotated[
        str | None, typer.Option("--source", help="Folder or URL of Parquet, JSONL, CSV or Lance; default: the sink.")
    ] = None,
    sink: Annotated[str | None, typer.Option("--sink", help="Lake to write to; default: the setting lake_uri.")] = None,
    ray_address: Annotated[
        str | None, typer.Option("--ray-address", help="Run on this Ray cluster; local: one of its own, here.")
    ] = None,
    workers: Annotated[int, typer.Option("--workers", min=1, help="Processes that score; a GPU each on cuda.")] = 1,
    rename: Annotated[
        list[str] | None, typer.Option("--map", help="Read a column under another name: --map text=body.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List the shards and score nothing.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Score every item that has no score under the current model (a round does this by itself).

    What was scored stays scored: started again, it goes on with the rest. From --source on, the options are those of
    the engine daft.

    Examples:

      goldfold score

      goldfold score --max-items 10000

      goldfold score --id nightly-2026-11-22 --json

      goldfold score --engine daft --source s3://bucket/posts --sink s3://bucket/lake --workers 4
    """
    bulk = BulkOptions(source, sink, ray_address, workers, tuple(rename or ()), dry_run)
    if engine == "daft":
        if job_id or max_items is not None:
            raise typer.BadParameter("--id and --max-items belong to the engine lake: a run of daft goes on by itself")
        score_in_bulk(context, bulk, as_json=as_json)
        return
    if bulk != BulkOptions():
        raise typer.BadParameter("--source, --sink, --ray-address, --workers, --map and --dry-run need --engine daft")
    result = run_job(context, "score", job_id or new_id("score"), score_request(max_items), quiet=as_json)
    if as_json:
        show_json(result)
        return
    _tell("items", result)
    for modality, done in sorted(result.get("media", {}).items()):
        _tell(f"{modality}s", done)
    for kind in result.get("waiting", []):  # an older version's job told neither
        out.print(f"{kind['items']} {kind['modality']}s wait: the setting {kind['setting']} names no scorer for them")


def _tell(what: str, done: dict[str, Any]) -> None:
    """What a job did with the items of one kind."""
    out.print(f"{done['scored']} {what} scored by {done['scorer']} {done['scorer_version']}")
    if done["left"]:
        out.print(f"{done['left']} {what} still wait")
    passing = done.get("passing", 0)
    if done["failed"] > passing:
        out.print(f"{done['failed'] - passing} {what} could not be scored; the lake keeps the reason of each")
    if passing:
        out.print(f"{passing} {what} could not be read and are tried again by the next run: {done['trouble']}")
    if done.get("bill"):
        out.print(Bill(**done["bill"]).line())


def show_command(
    context: typer.Context,
    external_id: Annotated[str, typer.Argument(help="The item's external_id.")],
    as_json: JsonFlag = False,
) -> None:
    """Show an item: its text, and its score by each scorer that has met it. Example: goldfold show post-1"""
    with goldfold(context) as app:
        item = shown(app, external_id)
    if as_json:
        show_json(item)
        return
    out.print(f"{item['external_id']} ({item['item_id']}, {item['language']})")
    if item["media"]:
        out.print(f"{item['modality']} {item['media'][:MEDIA_CHARS]}")
    out.print(item["text"])
    for version, scores in sorted(item["scores"].items()):
        out.print(f"{version}: " + ", ".join(f"{policy} {p:.3f}" for policy, p in sorted(scores.items())))
    for version, told in sorted(item["disagreement"].items()):
        out.print(f"{version} disagrees: " + ", ".join(f"{policy} {n:.3f}" for policy, n in sorted(told.items())))
    for _, note in sorted(item["notes"].items()):
        out.print(f"note: {note}")
    if not item["scores"]:
        out.print("no score yet: goldfold score")


def _show(report: IngestReport, as_json: bool) -> None:
    if as_json:
        show_json(report)
        return
    verb = "would be added" if report.dry_run else "added"
    out.print(f"{report.read} rows read: {report.added} {verb}, {report.already_there} already there")
    if report.repeated:
        out.print(f"{report.repeated} rows stand in the file more than once, with the same content")
    if report.stopped:
        out.print(f"{report.stopped} rows were left out: stopped for legal reasons (goldfold stops)")
    if report.orphans_swept:
        out.print(f"{report.orphans_swept} rows of an interrupted run were swept first")
