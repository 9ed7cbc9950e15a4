"""A simulation as files that people look at: curves as PNG, and one HTML page that needs nothing else."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Drawing

from labeling.written import write_whole
from selection.replay import METRICS, Curve
from selection.replay_report import Comparison, Figure, compare

TITLES = {"macro_f1": "macro-F1 at prior-matched thresholds", "rare_auprc": "AUPRC of the rarest policy"}
COLUMNS = (
    "strategy",
    "score",
    "labels to 95 % of the whole pool",
    "as a share of random's",
    "labels to 98 %",
    "to where random ends",
    "area above random",
    "seeds ahead",
)
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Goldfold simulation</title>
<style>body{{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem}}
table{{border-collapse:collapse}}td,th{{border:1px solid #999;padding:.3rem .6rem;text-align:left}}img{{max-width:100%}}
</style><h1>What would each strategy have been worth?</h1><p>{said}</p><img alt="Learning curves" src="data:image/png;\
base64,{png}"><table><tr>{head}</tr>{rows}</table></html>
"""


def table_rows(comparisons: Sequence[Comparison]) -> list[tuple[str, ...]]:
    """One row a strategy and metric, under ``COLUMNS``; medians with 90 % intervals over the seeds."""
    return [
        (
            found.strategy,
            TITLES[found.metric],
            told(found.labels["0.95"], "{:.0f}"),
            told(found.of_random["0.95"], "{:.2f}"),
            told(found.labels["0.98"], "{:.0f}"),
            told(found.to_random_s_end, "{:.2f}"),
            told(found.area, "{:+.3f}"),
            f"{found.ahead} of {found.area.n}",
        )
        for found in comparisons
    ]


def told(figure: Figure, form: str) -> str:
    """A figure with its interval; an end that was not reached is a dash."""
    if not figure.n:
        return "neither got there"
    value, low, high = (
        "not reached" if number is None else form.format(number) for number in (figure.value, figure.low, figure.high)
    )
    return f"{value} ({low} to {high})"


def write_report(curves: Sequence[Curve], folder: Path, said: str) -> tuple[Path, Path]:
    """``curves.png`` and ``report.html`` in ``folder``, each written aside and renamed."""
    png = drawn(curves)
    rows = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>"
        for row in table_rows(compare(curves))
    )
    head = "".join(f"<th>{html.escape(name)}</th>" for name in COLUMNS)
    page = _PAGE.format(said=html.escape(said), png=base64.b64encode(png).decode(), head=head, rows=rows)
    return write_whole(folder / "curves.png", png), write_whole(folder / "report.html", page.encode())


def drawn(curves: Sequence[Curve]) -> bytes:
    """The mean curve of each strategy, and the range of its seeds, as PNG."""
    drawing = Drawing(figsize=(12, 5), layout="constrained")
    FigureCanvasAgg(drawing)
    for place, metric in enumerate(METRICS, 1):
        axes = drawing.add_subplot(1, 2, place)
        for strategy in dict.fromkeys(curve.strategy for curve in curves):
            mine = [curve for curve in curves if curve.strategy == strategy]
            rounds = min(len(curve.labels) for curve in mine)
            scores = np.stack([curve.scores[metric][:rounds] for curve in mine])
            labels = mine[0].labels[:rounds]
            (line,) = axes.plot(labels, scores.mean(axis=0), label=strategy)
            axes.fill_between(labels, scores.min(axis=0), scores.max(axis=0), alpha=0.15, color=line.get_color())
        full = float(np.mean([curve.full[metric] for curve in curves]))
        axes.axhline(full, linestyle=":", color="grey", label="whole pool")
        axes.set_xlabel("labels")
        axes.set_title(TITLES[metric])
        axes.legend()
    file = io.BytesIO()
    drawing.savefig(file, format="png", dpi=120)
    return file.getvalue()
