"""What golden items say of a model, as tables and plots."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from api.cli.judges import beside_lines
from api.cli.output import out, show_json, table

SHOWN = ("auprc", "recall_at_precision", "fpr_at_recall", "ece", "over_enforcement", "under_enforcement")
COLUMNS = ["slice", "n", "AUPRC", "recall at P .9", "FPR at R .9", "ECE", "over-enforced", "under-enforced"]


def show_report(told: Mapping[str, Any], plots: Path | None, *, as_json: bool) -> None:
    """One JSON document, or a table of slices; ``plots``: where a PNG a policy goes."""
    golden = told["golden_version"]
    written: list[Path] = []
    if plots is not None:  # matplotlib takes a second to import
        written = import_module("labeling.judging.plots").draw(told["series"], plots, f"golden {golden}, dev")
    if as_json:
        show_json({**told, "plots": written} if plots is not None else told)
        return
    where = "sealed" if "budget_left" in told else "dev"
    table(f"On the {where} partition of golden {golden} (95 % intervals)", COLUMNS, [_row(c) for c in told["slices"]])
    for line in [*_notes(told), *beside_lines(told.get("beside", {}))]:
        out.print(line)
    for path in written:
        out.print(f"Drawn: {path}")


def _row(cell: Mapping[str, Any]) -> tuple[object, ...]:
    name = cell["policy"] if cell["dimension"] == "all" else f"  {cell['dimension']}={cell['value']}"
    figures = cell["figures"]
    return name, cell["n"], *(_figure(figures[one]) if figures else cell["verdict"] for one in SHOWN)


def _figure(figure: Mapping[str, Any]) -> str:
    if figure["value"] is None:
        return "insufficient"
    return f"{figure['value']:.3f} [{figure['low']:.3f}, {figure['high']:.3f}]"


def _notes(told: Mapping[str, Any]) -> Iterator[str]:
    if told["left_out"]:
        yield f"{told['left_out']} rows were left out: the model has learnt them or a near-duplicate, or says nothing"
    for kind, n in told.get("unread", {}).items():
        yield f"{n} rows are {kind}s, which the model does not read: nothing here is about them"
    for licence in sorted({one["licence"] for cell in told["slices"] for one in cell["figures"].values()}):
        yield f"Licence: {licence}"
    if "budget_left" in told:
        yield f"Questions left to the family: {told['budget_left']}"
