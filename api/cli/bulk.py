"""``goldfold score --engine daft``: what it plans, how far it is, and what it did."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

import typer

from api.cli.output import LINE_EVERY_S, err, out, show_json, table
from api.cli.session import given, goldfold
from labeling.readers import column_map

if TYPE_CHECKING:
    from api.bulk import Plan
    from labeling.bulk import BulkReport

SHOWN_SHARDS = 50


@dataclass(frozen=True, slots=True)
class BulkOptions:
    """The options of the engine daft."""

    source: str | None = None
    sink: str | None = None
    ray_address: str | None = None
    workers: int = 1
    rename: tuple[str, ...] = ()
    dry_run: bool = False


def score_in_bulk(context: typer.Context, options: BulkOptions, *, as_json: bool) -> None:
    """Plan, score shard by shard, and say what was done. Raises NotReady, InvalidInput, ShardsLeft, StoreError."""
    bulk = import_module("api.bulk")
    settings = given(context).settings()
    cluster = None if options.dry_run else bulk.load_cluster()  # what lacks is told before a model is loaded
    # The device that the setting names is the workers'; this process only asks the model who it is.
    with goldfold(context, device="auto") as app:
        plan = bulk.make_plan(app, settings, options.source, options.sink, column_map(options.rename))
        if cluster is None:
            _show_plan(plan, as_json)
            return
        gpus = int(settings.device == "cuda")
        with cluster.engine(
            plan.order, plan.recipe, workers=options.workers, gpus=gpus, ray_address=options.ray_address
        ) as engine:
            report = bulk.foreman(app, plan).run(plan.shards, engine, progress_line(plan, quiet=as_json))
    _show_report(report, as_json)


def progress_line(
    plan: Plan, *, quiet: bool, clock: Callable[[], float] = time.monotonic
) -> Callable[[BulkReport], None]:
    """Says now and then: shards done of all, items, items a second, and the time left at the pace of the shards."""
    started = said = clock()

    def tell(report: BulkReport) -> None:
        nonlocal said
        now = clock()
        if quiet or now - said < LINE_EVERY_S:
            return
        said = now
        done, spent = report.done_before + report.done, max(now - started, 1e-9)
        left = (report.shards - done) * spent / report.done
        pace = f"{report.read / spent:,.0f}/s, {left:,.0f} s left"
        err.print(f"score: {done}/{report.shards} shards, {report.read:,} rows, {pace}")

    if not quiet:
        err.print(f"score: {len(plan.shards) - len(plan.finished)} of {len(plan.shards)} shards to do")
    return tell


def _show_plan(plan: Plan, as_json: bool) -> None:
    rows = [{"url": s.url, "first_row": s.start, "rows": s.rows, "done": s.key in plan.finished} for s in plan.shards]
    counted = sum(shard.rows or 0 for shard in plan.shards)
    if as_json:
        show_json({"sink": plan.order.sink, "scorer_version": plan.order.scorer_version, "shards": rows})
        return
    cells = [
        [r["url"], r["first_row"], "" if r["rows"] is None else r["rows"], "yes" if r["done"] else ""] for r in rows
    ]
    table("Shards", ("file or dataset", "first row", "rows", "done"), cells[:SHOWN_SHARDS])
    if len(rows) > SHOWN_SHARDS:
        out.print(f"and {len(rows) - SHOWN_SHARDS} more")
    unknown = sum(shard.rows is None for shard in plan.shards)
    more = f" and those of {unknown} files whose rows are not counted yet" if unknown else ""
    out.print(
        f"{len(rows)} shards with {counted} rows{more}, {len(plan.finished)} of them done; sink {plan.order.sink}"
    )


def _show_report(report: BulkReport, as_json: bool) -> None:
    told: dict[str, Any] = asdict(report)
    if as_json:
        show_json(told)
        return
    out.print(f"{report.scored} items scored by {report.scorer}; {report.added} items are new to the lake")
    out.print(f"{report.shards} shards: {report.done} done now, {report.done_before} before")
    for count, what in (
        (report.failed, "items could not be scored; the lake keeps the reason of each"),
        (report.skipped, "rows were there already"),
        (report.changed, "rows give a known external id other content; the first content stays, use other ids"),
        (report.refused, "rows are no items and were left out; the first of them:"),
    ):
        if count:
            out.print(f"{count} {what}")
    for problem in report.problems:
        out.print(f"  {problem}")
