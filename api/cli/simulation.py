"""The command that tries strategies on a labelled file: simulate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.cli.output import bar, out, show_json, table
from api.cli.session import JsonFlag, goldfold
from labeling.simulation import embed, read_labelled, simulate
from labeling.simulation_report import COLUMNS, table_rows, write_report
from selection.replay import Course
from selection.replay_report import compare


def simulate_command(
    context: typer.Context,
    data: Annotated[Path, typer.Option(help="JSONL, CSV or Parquet with text and label, or labels (JSONL).")],
    strategies: Annotated[str, typer.Option(help="Names, by comma; random is always there.")] = "auto",
    seeds: Annotated[int, typer.Option(min=1, help="Splits and starts to repeat it with.")] = 5,
    budget: Annotated[int, typer.Option(min=1, help="Labels in all.")] = 2000,
    batch: Annotated[int, typer.Option(min=1, help="Labels a round.")] = 50,
    start: Annotated[int, typer.Option(min=1, help="Labels by chance before the first round.")] = 50,
    held_out: Annotated[float, typer.Option(min=0.05, max=0.9, help="Share of the groups that judge.")] = 0.3,
    folder: Annotated[Path, typer.Option("--out", help="Folder of the report, and of the curves it keeps.")] = Path(
        "simulation"
    ),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and check the file only.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Replay a labelled file: what would each strategy have been worth, had its labels been asked for in rounds?

    The same command again goes on where it was stopped. The report holds scores only, no content.

    Examples:

      goldfold simulate --data labelled.jsonl --dry-run

      goldfold simulate --data labelled.jsonl --strategies auto,modal_margin --seeds 5 --out report
    """
    texts = read_labelled(data)
    shares = {name: float((texts.answers[:, j] == 1).mean()) for j, name in enumerate(texts.policies)}
    said = f"{len(texts.texts)} items; " + ", ".join(f"{name} {share:.1%}" for name, share in shares.items())
    if dry_run:
        show_json({"items": len(texts.texts), "policies": shares}) if as_json else out.print(said)
        return
    course = Course(start, batch, budget, held_out)
    names = [name.strip() for name in strategies.split(",") if name.strip()]
    with goldfold(context) as app:
        with bar("embed", quiet=as_json) as tick:
            pool = embed(texts, app.encoder, app.settings.duplicate_cosine, tick)
        with bar("replay", quiet=as_json) as tick:
            curves = simulate(pool, names, seeds, course, folder, tick)
    found = compare(curves)
    files = write_report(curves, folder, f"{said}; {seeds} seeds, batches of {batch}, {held_out:.0%} held out to judge")
    if as_json:
        show_json({"items": len(texts.texts), "policies": shares, "comparisons": found, "files": files})
        return
    table(f"{said}; medians over {seeds} seeds with 90 % intervals", COLUMNS, table_rows(found))
    out.print(f"Report: {files[1]}")
