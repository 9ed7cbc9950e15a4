"""A chart as plain numbers, and what is made of it: Plotly's figure for a browser, a PNG, a CSV.

The three show the same numbers; nothing is computed here.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from matplotlib.figure import Figure

from labeling.errors import NotFound

Value = float | int | str | None
Kind = Literal["line", "bar", "points", "heat"]
PNG_DPI = 150
COLOURS = (
    "#3b6fd4",
    "#c2571a",
    "#2f8f5b",
    "#8a4fb8",
    "#b3365e",
    "#6b7280",
)  # told apart by the colour-blind, and on both grounds
FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Series:
    """One line, bar group or cloud. ``low``, ``high``: intervals, as long as ``y`` where given; ``notes``: what a
    point says when it is pointed at; ``links``: where a click on it leads."""

    name: str
    x: Sequence[Value]
    y: Sequence[Value]
    low: Sequence[float | None] = ()
    high: Sequence[float | None] = ()
    notes: Sequence[str] = ()
    links: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart of a page. ``chart_id`` names it there: letters, digits and hyphens. ``z`` (rows of ``y``, columns of
    ``x``) is of a ``heat`` alone, which has one series of no ``y`` values of its own but its rows' names. ``marks``:
    values of x at which a vertical line stands, with what it says, as where a series breaks. ``stacked``: bars lie on
    each other. ``steps``: a line stays where it is until its next point. ``y_range``: from where to where, as (0, 1)
    for shares; None: what fits."""

    chart_id: str
    title: str
    kind: Kind
    x_title: str
    y_title: str
    series: Sequence[Series]
    z: Sequence[Sequence[float | None]] = ()
    marks: Sequence[tuple[Value, str]] = ()
    stacked: bool = False
    y_range: tuple[float, float] | None = None
    caption: str = ""
    steps: bool = False

    def plotly(self) -> dict[str, Any]:
        """Plotly's ``data`` and ``layout``; colours are the page's own, by place. A heat map is a table in a page."""
        data = [self._trace(each) for each in self.series]
        layout: dict[str, Any] = {
            "xaxis": {"title": {"text": self.x_title}, "automargin": True},
            "yaxis": {"title": {"text": self.y_title}, "automargin": True},
            "barmode": "stack" if self.stacked else "group",
            "showlegend": len(self.series) > 1,
            "shapes": [
                {"type": "line", "x0": x, "x1": x, "yref": "paper", "y0": 0, "y1": 1, "line": {"dash": "dot"}}
                for x, _ in self.marks
            ],
            "annotations": [
                {"x": x, "yref": "paper", "y": 1, "text": said, "showarrow": False, "yanchor": "bottom"}
                for x, said in self.marks
            ],
        }
        if self.y_range is not None:
            layout["yaxis"]["range"] = list(self.y_range)
        return {"data": data, "layout": layout}

    def shade(self, value: float | None) -> int:
        """How dark a cell of a heat map is: 0 for none and the least, up to 9 for the most of its map."""
        known = [each for row in self.z for each in row if each is not None]
        low, high = min(known, default=0.0), max(known, default=0.0)
        return 0 if value is None or high == low else round(9 * (value - low) / (high - low))

    def csv(self) -> str:
        """One row a point: series, x, y, low, high; of a heat map row, column, value."""
        out = io.StringIO()
        writer = csv.writer(out)
        if self.kind == "heat":
            writer.writerow((self.y_title or "row", self.x_title or "column", "value"))
            (only,) = self.series
            writer.writerows(
                (_safe(row), _safe(column), value)
                for row, values in zip(only.y, self.z, strict=True)
                for column, value in zip(only.x, values, strict=True)
            )
            return out.getvalue()
        writer.writerow(("series", self.x_title or "x", self.y_title or "y", "low", "high"))
        for each in self.series:
            lows, highs = each.low or [None] * len(each.y), each.high or [None] * len(each.y)
            writer.writerows(
                (_safe(each.name), _safe(x), y, low, high)
                for x, y, low, high in zip(each.x, each.y, lows, highs, strict=True)
            )
        return out.getvalue()

    def png(self) -> bytes:
        """The chart as a picture, for who has no script and for slides."""
        figure = Figure(figsize=(8, 4.5), layout="constrained")
        axes = figure.add_subplot()
        for place, each in enumerate(self.series):
            self._draw(axes, each, COLOURS[place % len(COLOURS)])
        for x, said in self.marks:
            axes.axvline(_at(self.series, x), linestyle=":", color="#6b7280")
            axes.annotate(said, (_at(self.series, x), 1), xycoords=("data", "axes fraction"), fontsize=8)
        axes.set(title=self.title, xlabel=self.x_title, ylabel=self.y_title)
        if self.y_range is not None:
            axes.set_ylim(*self.y_range)
        if len(self.series) > 1:
            axes.legend(frameon=False)
        axes.tick_params(axis="x", labelrotation=30 if any(isinstance(x, str) for s in self.series for x in s.x) else 0)
        out = io.BytesIO()
        figure.savefig(out, format="png", dpi=PNG_DPI, metadata={"Software": "Goldfold"})
        return out.getvalue()

    def _trace(self, each: Series) -> dict[str, Any]:
        made: dict[str, Any] = {"name": each.name, "x": list(each.x), "y": list(each.y)}
        if self.kind == "bar":
            made["type"] = "bar"
        else:
            made |= {"type": "scatter", "mode": "markers" if self.kind == "points" else "lines+markers"}
            if self.steps:
                made |= {"mode": "lines", "line": {"shape": "hv"}}
        if each.low and each.high:
            gaps = zip(each.y, each.low, each.high, strict=True)
            pairs = [(_gap(high, y), _gap(y, low)) for y, low, high in gaps]
            made["error_y"] = {
                "type": "data",
                "array": [up for up, _ in pairs],
                "arrayminus": [down for _, down in pairs],
            }
        if each.notes:
            made |= {"text": list(each.notes), "hovertemplate": "%{x}: %{y}<br>%{text}<extra></extra>"}
        if each.links:
            made["customdata"] = list(each.links)
        return made

    def _draw(self, axes: Any, each: Series, colour: str) -> None:
        if self.kind == "heat":
            values = [[float("nan") if v is None else v for v in row] for row in self.z]
            axes.imshow(values, aspect="auto")
            axes.set_xticks(range(len(each.x)), [str(x) for x in each.x])
            axes.set_yticks(range(len(each.y)), [str(y) for y in each.y])
            return
        points = [
            (n, x, y) for n, (x, y) in enumerate(zip(each.x, each.y, strict=True)) if y is not None and x is not None
        ]
        xs, ys = [x for _, x, _ in points], [y for _, _, y in points]
        errors = None
        if each.low and each.high:
            errors = [
                [_gap(each.y[n], each.low[n]) or 0 for n, _, _ in points],
                [_gap(each.high[n], each.y[n]) or 0 for n, _, _ in points],
            ]
        if self.kind == "bar":
            axes.bar(xs, ys, color=colour, label=each.name, yerr=errors, alpha=1 if self.stacked else 0.8)
        elif self.kind == "points":
            axes.scatter(xs, ys, s=12, color=colour, label=each.name)
        else:
            axes.errorbar(
                xs,
                ys,
                yerr=errors,
                color=colour,
                label=each.name,
                marker="" if self.steps else ".",
                drawstyle="steps-post" if self.steps else "default",
                capsize=2,
            )


def chart_of(charts: Sequence[Chart], chart_id: str) -> Chart:
    """The chart of that id. Raises NotFound."""
    for each in charts:
        if each.chart_id == chart_id:
            return each
    known = ", ".join(each.chart_id for each in charts) or "none"
    raise NotFound(f"this page has no chart {chart_id!r}; it has {known}")


def _gap(upper: Value, lower: Value) -> float | None:
    """How far an interval reaches, never below nothing: a value may lie a rounding outside of it."""
    if not isinstance(upper, int | float) or not isinstance(lower, int | float):
        return None
    return max(upper - lower, 0.0)


def _at(series: Sequence[Series], x: Value) -> Any:
    """Where matplotlib puts a value of an axis of names."""
    names = list(dict.fromkeys(str(v) for each in series for v in each.x if isinstance(v, str)))
    return names.index(x) if isinstance(x, str) and x in names else x


def _safe(value: Value) -> Value:
    """Nothing a spreadsheet would run as a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
