"""A chart as plain numbers, and what is made of it: Plotly's figure for a browser, and a CSV.

A picture of it (``api.console.pictures``) shows the same numbers; nothing is computed here.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import date
from typing import Any, Literal

from labeling.errors import NotFound

Value = float | int | str | None
Kind = Literal["line", "bar", "points", "heat"]
Unit = Literal["", "share"]
Axis = Literal["category", "date", "linear"]
FORMULA = ("=", "+", "-", "@", "\t", "\r")
PAD = 0.02  # beyond a share's 0 and 1, so that a marker there is whole
LONG = 12  # characters: bars of longer names lie, so that the names can be read
ROW_PX, EDGE_PX, LEAST_PX = 22, 110, 320


@dataclass(frozen=True, slots=True)
class Basis:
    """What the numbers of a chart rest on, each "" where it is not known or not the same for all of them. ``items``:
    the list of the items behind it, on /v1."""

    licence: str = ""
    golden_version: str = ""
    policy_version: str = ""
    items: str = ""

    @property
    def said(self) -> str:
        """In one line, as below a picture."""
        parts = (self.licence, self.golden_version and f"golden {self.golden_version}")
        return " · ".join(filter(None, (*parts, self.policy_version and f"policy {self.policy_version}")))


@dataclass(frozen=True, slots=True)
class Series:
    """One line, bar group or cloud. ``low``, ``high``: intervals, as long as ``y`` where given; ``n``: how many answers
    each point rests on; ``notes``: what a point says when it is pointed at; ``links``: where a click on it leads.
    ``reference``: a target or an ideal, which was not measured: grey and dashed, a tick where x are names."""

    name: str
    x: Sequence[Value]
    y: Sequence[Value]
    low: Sequence[float | None] = ()
    high: Sequence[float | None] = ()
    notes: Sequence[str] = ()
    links: Sequence[str] = ()
    n: Sequence[int | float | None] = ()
    reference: bool = False

    @property
    def told(self) -> list[str]:
        """What each point says beside its value."""
        notes = self.notes or [""] * len(self.y)
        numbers = [f"n {n:g}" if n is not None else "" for n in self.n] or [""] * len(self.y)
        return [" · ".join(filter(None, pair)) for pair in zip(numbers, notes, strict=True)]


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart of a page. ``chart_id`` names it there: letters, digits and hyphens. ``z`` (rows of ``y``, columns of
    ``x``) is of a ``heat`` alone, which has one series of no ``y`` values of its own but its rows' names. ``marks``:
    values of x at which a vertical line stands, with what it says, as where a series breaks. ``stacked``: bars lie on
    each other. ``steps``: a line stays where it is until its next point. ``y_range``: from where to where, as (0, 1)
    for shares; None: what fits. ``unit``, ``x_unit``: "share" is written as per cent."""

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
    unit: Unit = ""
    x_unit: Unit = ""
    basis: Basis = Basis()

    @property
    def names(self) -> list[str]:
        """The values of x in their order, where they are names."""
        return list(dict.fromkeys(str(x) for each in self.series for x in each.x if x is not None))

    @property
    def x_axis(self) -> Axis:
        """What x is: bars and words are names, and days of ISO 8601 dates."""
        found = [x for each in self.series for x in each.x if x is not None]
        if self.kind == "bar" or not all(isinstance(x, str) for x in found):
            return "category" if self.kind == "bar" else "linear"
        return "date" if found and all(_is_day(str(x)) for x in found) else "category"

    @property
    def lies(self) -> bool:
        """Whether bars lie: their names are long."""
        return self.kind == "bar" and any(len(name) > LONG for name in self.names)

    @property
    def measured(self) -> list[Series]:
        """The series that are no reference: those that stand side by side."""
        return [each for each in self.series if not each.reference]

    @property
    def span(self) -> tuple[float, float] | None:
        """``y_range`` with room for the markers of shares at its ends."""
        if self.y_range is None or self.unit != "share":
            return self.y_range
        low, high = self.y_range
        return (low if self.kind == "bar" else low - PAD), min(high, 1.0) + PAD

    def plotly(self) -> dict[str, Any]:
        """Plotly's ``data`` and ``layout``; colours are the page's own, by place. A heat map is a table in a page."""
        x: dict[str, Any] = {**_axis(self.x_title, self.x_unit), "type": self.x_axis}
        if self.x_axis == "category":
            x["showgrid"] = False
        y: dict[str, Any] = _axis(self.y_title, self.unit)
        if self.span is not None:
            y["range"] = list(self.span)
        layout: dict[str, Any] = {
            "xaxis": y if self.lies else x,
            "yaxis": x | {"autorange": "reversed"} if self.lies else y,
            "barmode": "stack" if self.stacked else "group",
            "showlegend": len(self.series) > 1,
            "legend": {
                "orientation": "h",
                "traceorder": "normal",
                "x": 0,
                "xanchor": "left",
                "y": 1.02,
                "yanchor": "bottom",
            },
            "shapes": [
                {"type": "line", "x0": at, "x1": at, "yref": "paper", "y0": 0, "y1": 1, "line": {"dash": "dot"}}
                for at, _ in self.marks
            ],
            "annotations": [self._said_at(at, said) for at, said in self.marks],
        }
        if self.kind == "points" and self.x_axis == "category" and len(self.measured) > 1:
            layout["scattermode"] = "group"
        if self.lies:
            rows = len(self.names) * (1 if self.stacked else max(len(self.measured), 1) * 0.75)
            layout["height"] = max(LEAST_PX, round(EDGE_PX + ROW_PX * rows))
        return {"data": [self._trace(each) for each in self.series], "layout": layout}

    def shade(self, value: float | None) -> int:
        """How dark a cell of a heat map is: 0 for none and the least, up to 9 for the most of its map."""
        known = [each for row in self.z for each in row if each is not None]
        low, high = min(known, default=0.0), max(known, default=0.0)
        return 0 if value is None or high == low else round(9 * (value - low) / (high - low))

    def csv(self) -> str:
        """One row a point: series, x, y, low, high, and n, licence, golden and policy version where there are any; of
        a heat map row, column, value."""
        rests = {f.name: getattr(self.basis, f.name) for f in fields(self.basis) if f.name != "items"}
        rests = {name: _safe(value) for name, value in rests.items() if value}
        out = io.StringIO()
        writer = csv.writer(out)
        writer.writerow((*self._columns(), *rests))
        writer.writerows((*row, *rests.values()) for row in (self._cells() if self.kind == "heat" else self._points()))
        return out.getvalue()

    def _columns(self) -> tuple[str, ...]:
        if self.kind == "heat":
            return self.y_title or "row", self.x_title or "column", "value"
        numbered = ("n",) if any(each.n for each in self.series) else ()
        return "series", self.x_title or "x", self.y_title or "y", "low", "high", *numbered

    def _cells(self) -> Iterator[tuple[Value, ...]]:
        (only,) = self.series
        for row, values in zip(only.y, self.z, strict=True):
            for column, value in zip(only.x, values, strict=True):
                yield _safe(row), _safe(column), value

    def _points(self) -> Iterator[tuple[Value, ...]]:
        numbered = any(each.n for each in self.series)
        for each in self.series:
            none: Sequence[None] = [None] * len(each.y)
            rows = zip(each.x, each.y, each.low or none, each.high or none, each.n or none, strict=True)
            for x, y, low, high, n in rows:
                yield _safe(each.name), _safe(x), y, low, high, *((n,) if numbered else ())

    def _said_at(self, at: Value, said: str) -> dict[str, Any]:
        """What a mark says, on the side of its line on which there is more room."""
        found: set[Any] = {x for each in self.series for x in each.x if x is not None}
        before = self.names.index(str(at)) if str(at) in self.names else sum(x < at for x in found)
        late = before * 2 >= len(found)
        return {
            "x": at,
            "yref": "paper",
            "y": 1,
            "text": said,
            "showarrow": False,
            "yanchor": "top",
            "xanchor": "right" if late else "left",
        }

    def _trace(self, each: Series) -> dict[str, Any]:
        x, y = ("y", "x") if self.lies else ("x", "y")
        made: dict[str, Any] = {"name": each.name, x: list(each.x), y: list(each.y), **self._looks(each)}
        if each.low and each.high:
            up, down = zip(*gaps(each), strict=True) if each.y else ((), ())
            made[f"error_{y}"] = {"type": "data", "array": list(up), "arrayminus": list(down)}
        if any(each.told):
            made |= {
                "hovertext": each.told,
                "hovertemplate": "%{x}: %{y}<br>%{hovertext}<extra>%{fullData.name}</extra>",
            }
        if each.links:
            made["customdata"] = list(each.links)
        return made

    def _looks(self, each: Series) -> dict[str, Any]:
        """What a series is drawn as. ``meta`` tells the page's script which colour it is to have."""
        words = self.x_axis == "category"
        if each.reference and words and self.kind != "line":
            tick = {"symbol": "line-ns-open" if self.lies else "line-ew-open", "size": 28, "line": {"width": 2}}
            return {"type": "scatter", "mode": "markers", "meta": "reference", "marker": tick, "offsetgroup": "0"}
        if each.reference:
            shape = "hv" if self.steps else "linear"
            return {"type": "scatter", "mode": "lines", "meta": "reference", "line": {"dash": "dash", "shape": shape}}
        if self.kind == "bar":
            return {"type": "bar", "orientation": "h" if self.lies else "v"}
        if self.kind == "points":
            beside = {"offsetgroup": str(self.measured.index(each))} if words else {}
            return {"type": "scatter", "mode": "markers", **beside}
        if self.steps:
            return {"type": "scatter", "mode": "lines", "line": {"shape": "hv"}}
        return {"type": "scatter", "mode": "lines+markers"}


def chart_of(charts: Sequence[Chart], chart_id: str) -> Chart:
    """The chart of that id. Raises NotFound."""
    for each in charts:
        if each.chart_id == chart_id:
            return each
    known = ", ".join(each.chart_id for each in charts) or "none"
    raise NotFound(f"this page has no chart {chart_id!r}; it has {known}")


def gaps(series: Series) -> list[tuple[float | None, float | None]]:
    """How far the interval of each point reaches above it and below it; None where it has none."""
    points = zip(series.y, series.low, series.high, strict=True)
    return [(_gap(high, y), _gap(y, low)) for y, low, high in points]


def _gap(upper: Value, lower: Value) -> float | None:
    """How far an interval reaches, never below nothing: a value may lie a rounding outside of it."""
    if not isinstance(upper, int | float) or not isinstance(lower, int | float):
        return None
    return max(upper - lower, 0.0)


def _axis(title: str, unit: Unit) -> dict[str, Any]:
    told: dict[str, Any] = {"title": {"text": title, "standoff": 8}, "automargin": True}
    return told | {"tickformat": ".0%", "hoverformat": ".1%"} if unit == "share" else told


def _is_day(value: str) -> bool:
    try:
        return date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


def _safe(value: Value) -> Value:
    """Nothing a spreadsheet would run as a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
