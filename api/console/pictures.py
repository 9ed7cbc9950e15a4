"""Charts as pictures: PNG for who has no script and for slides, PDF for print. They show the numbers of the chart."""

from __future__ import annotations

import io
from datetime import date
from typing import Any, Literal

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from api.console.charts import Chart, Series, Value, gaps

Form = Literal["png", "pdf"]
DPI = 150
SIZE = (8, 4.5)  # inches
COLOURS = (
    "#3b6fd4",
    "#c2571a",
    "#2f8f5b",
    "#8a4fb8",
    "#b3365e",
    "#6b7280",
)  # told apart by the colour-blind, and on both grounds
GREY = "#6b7280"
WIDTH = 0.8  # of the room of a name, for its bars or points together
CELLS = 200  # a heat map of more is drawn without its numbers
WORDS = 8  # names that stand beside each other without being turned
# Nothing of the machine or of the time is written into a picture.
ABOUT: dict[Form, dict[str, Any]] = {
    "png": {"Software": "Goldfold"},
    "pdf": {"Creator": "Goldfold", "Producer": None, "CreationDate": None},
}


def picture(chart: Chart, form: Form) -> bytes:
    """The chart as a file."""
    out = io.BytesIO()
    figure_of(chart).savefig(out, format=form, dpi=DPI, metadata=ABOUT[form])
    return out.getvalue()


def figure_of(chart: Chart) -> Figure:
    """The chart as matplotlib draws it."""
    figure = Figure(figsize=SIZE, layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(chart.title, loc="left")
    if chart.kind == "heat":
        _heat(axes, chart)
    else:
        _Drawing(axes, chart).draw()
    if chart.basis.said:
        figure.supxlabel(chart.basis.said, fontsize=7, x=0.01, ha="left", color=GREY)
    return figure


class _Drawing:
    """The series of one chart on its axes."""

    def __init__(self, axes: Any, chart: Chart) -> None:
        self.axes = axes
        self.chart = chart
        self.floor: tuple[dict[float, float], dict[float, float]] = (
            {},
            {},
        )  # where stacked bars stand, above and below 0

    def draw(self) -> None:
        chart, measured = self.chart, 0
        for each in chart.series:
            if each.reference:
                self._reference(each)
            elif chart.kind == "bar":
                self._bars(each, measured)
            else:
                self._points(each, measured)
            measured += not each.reference
        for x, said in chart.marks:
            self.axes.axvline(self._at(x), linestyle=":", color=GREY)
            self.axes.annotate(said, (self._at(x), 1), xycoords=("data", "axes fraction"), va="top", fontsize=8)
        self._dress()

    def _bars(self, each: Series, place: int) -> None:
        bars = 1 if self.chart.stacked else len(self.chart.measured)
        width = WIDTH / bars
        known = [number for number, y in enumerate(each.y) if y is not None and each.x[number] is not None]
        at = [
            self._at(each.x[number]) + (0 if self.chart.stacked else width * (place - (bars - 1) / 2))
            for number in known
        ]
        long = [_float(each.y[number]) for number in known]
        along = {"left" if self.chart.lies else "bottom": self._stand(at, long)}
        reach = {"xerr" if self.chart.lies else "yerr": _reach(each, known), "capsize": 2}
        bar, thick = (self.axes.barh, "height") if self.chart.lies else (self.axes.bar, "width")
        bar(at, long, **{thick: width}, **along, **reach, color=_colour(place), label=each.name)

    def _stand(self, at: list[float], long: list[float]) -> list[float]:
        """Where bars begin: at 0, or on those that lie there already, what is negative below."""
        if not self.chart.stacked:
            return [0.0] * len(at)
        begun = []
        for x, y in zip(at, long, strict=True):
            floor = self.floor[y < 0]
            begun.append(floor.get(x, 0.0))
            floor[x] = begun[-1] + y
        return begun

    def _points(self, each: Series, place: int) -> None:
        chart = self.chart
        known = [number for number, x in enumerate(each.x) if x is not None]
        aside = 0.0
        if chart.kind == "points" and chart.x_axis == "category":
            aside = WIDTH / len(chart.measured) * (place - (len(chart.measured) - 1) / 2)
        at = [self._at(each.x[number]) + aside if aside else self._at(each.x[number]) for number in known]
        looks: dict[str, Any] = {"marker": "o", "markersize": 4, "capsize": 2}
        if chart.kind == "points":
            looks |= {"linestyle": "none"}
        elif chart.steps:
            looks |= {"marker": "", "drawstyle": "steps-post"}
        y = [_float(each.y[number]) for number in known]
        self.axes.errorbar(at, y, yerr=_reach(each, known), color=_colour(place), label=each.name, **looks)

    def _reference(self, each: Series) -> None:
        """A dashed line, or a tick at each name."""
        at, y = [self._at(x) for x in each.x], [_float(value) for value in each.y]
        looks: dict[str, Any] = {"color": GREY, "label": each.name}
        if self.chart.x_axis != "category" or self.chart.kind == "line":
            self.axes.plot(at, y, linestyle="--", drawstyle="steps-post" if self.chart.steps else "default", **looks)
        elif self.chart.lies:
            self.axes.plot(y, at, linestyle="none", marker="|", markersize=18, markeredgewidth=2, **looks)
        else:
            self.axes.plot(at, y, linestyle="none", marker="_", markersize=18, markeredgewidth=2, **looks)

    def _at(self, x: Value) -> Any:
        """Where a value of x stands."""
        if self.chart.x_axis == "category":
            return self.chart.names.index(str(x)) if str(x) in self.chart.names else len(self.chart.names)
        return date.fromisoformat(str(x)) if self.chart.x_axis == "date" else x

    def _dress(self) -> None:
        axes, chart = self.axes, self.chart
        across, along = (axes.yaxis, axes.xaxis) if chart.lies else (axes.xaxis, axes.yaxis)
        across.set_label_text(chart.x_title)
        along.set_label_text(chart.y_title)
        if chart.x_axis == "category":
            across.set_ticks(range(len(chart.names)), chart.names)
        for axis, unit in ((across, chart.x_unit), (along, chart.unit)):
            if unit == "share":
                axis.set_major_formatter(PercentFormatter(1, decimals=0))
        if chart.lies:
            axes.invert_yaxis()
        elif chart.x_axis == "date" or (len(chart.names) > WORDS and chart.x_axis == "category"):
            axes.tick_params(axis="x", labelrotation=30)
        if chart.span is not None:
            (axes.set_xlim if chart.lies else axes.set_ylim)(*chart.span)
        if len(chart.series) > 1:
            axes.figure.legend(loc="outside upper left", ncols=4, frameon=False, fontsize=8)


def _heat(axes: Any, chart: Chart) -> None:
    (only,) = chart.series
    values = [[_float(value) for value in row] for row in chart.z]
    axes.imshow(values, aspect="auto", cmap="Blues")
    axes.set(xlabel=chart.x_title, ylabel=chart.y_title)
    axes.set_xticks(range(len(only.x)), [str(x) for x in only.x])
    axes.set_yticks(range(len(only.y)), [str(y) for y in only.y])
    if sum(map(len, values)) > CELLS:
        return
    for row, told in enumerate(chart.z):
        for column, value in enumerate(told):
            ink = "white" if chart.shade(value) > 5 else "black"
            axes.text(column, row, "–" if value is None else f"{value:g}", ha="center", va="center", color=ink)


def _reach(each: Series, known: list[int]) -> list[list[float]] | None:
    """Intervals as matplotlib wants them: how far below, how far above; NaN draws none."""
    if not (each.low and each.high):
        return None
    found = gaps(each)
    return [[_float(found[number][side]) for number in known] for side in (1, 0)]


def _float(value: Value) -> float:
    return float("nan") if value is None else float(value)


def _colour(place: int) -> str:
    return COLOURS[place % len(COLOURS)]
