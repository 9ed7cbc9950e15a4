"""What the pages of rounds draw: plain numbers out of the records that own them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import pairwise

from api.console.charts import Chart, Series
from api.console.series import basis_of
from labeling.insights.round_outlook import Histogram
from labeling.quality.forecast import Point
from labeling.yields import ALL, LaneYield, Yields

SHARES = ("violating", "changed", "gold")
LEAST = 3  # bars or points of a chart: fewer are told in words


def pi_chart(histogram: Histogram) -> Chart:
    """How the inclusion probabilities of the lanes of chance are spread."""
    edges = histogram.edges
    names = [f"{low:.2g} to {high:.2g}" if low < high else f"{low:.2g}" for low, high in pairwise(edges)]
    series = [Series(lane, names, list(counts)) for lane, counts in histogram.counts.items()]
    caption = "Picks made on purpose have no probability and are not here: no figure about traffic rests on them."
    return Chart(
        "pi",
        "Inclusion probability of the picks by chance",
        "bar",
        "pi",
        "picks",
        series,
        stacked=True,
        caption=caption,
    )


def lanes_chart(counts: Mapping[str, int]) -> Chart:
    """Picks by lane."""
    return Chart(
        "lanes", "Picks by lane", "bar", "lane", "picks", [Series("picks", list(counts), list(counts.values()))]
    )


def shares_chart(told: Yields) -> Chart:
    """What the settled picks of each lane were."""
    rows = _whole(told)
    lanes = [row.lane for row in rows]
    series, every = [], []
    for name in SHARES:
        figures = [getattr(row, name) for row in rows]
        every += figures
        value, low, high, n = ([getattr(f, part) for f in figures] for part in ("value", "low", "high", "n"))
        series.append(Series(name, lanes, value, low, high, n=n))
    caption = "Shares of the settled picks, with 95 % intervals. They speak for the picks, not for traffic."
    title = "What each lane brought"
    rests = basis_of(map(asdict, every))
    return Chart(
        "shares", title, "bar", "lane", "share", series, y_range=(0, 1), caption=caption, unit="share", basis=rests
    )


def lift_chart(told: Yields) -> Chart:
    """How many times the random arm's share of violations each lane found."""
    rows = [(row, row.lift) for row in _whole(told) if row.lift is not None]
    lanes, ranges = [row.lane for row, _ in rows], [found.lift for _, found in rows]
    values, low, high = ([getattr(each, part) for each in ranges] for part in ("value", "low", "high"))
    series = Series("lift", lanes, values, low, high, n=[found.n for _, found in rows])
    caption = "1 is the random arm. The interval is exact and wide: it holds whatever the shares are."
    title, rests = "Violations beside the random arm", basis_of(asdict(row.violating) for row, _ in rows)
    return Chart("lift", title, "bar", "lane", "times", [series], caption=caption, basis=rests)


def curve_chart(points: Sequence[Point]) -> Chart:
    """The learning curve that the forecast is drawn from."""
    x, y = [point.labels for point in points], [point.score for point in points]
    low, high = zip(*(point.interval for point in points), strict=True)
    caption = "Mean AUPRC on dev over the policies that every judged model has a figure for, with 95 % intervals."
    series = [Series("models", x, y, low, high)]
    return Chart("curve", "Learning curve", "line", "labels learnt from", "AUPRC", series, caption=caption)


def worth_drawing(charts: Sequence[Chart]) -> list[Chart]:
    """Those with something to compare."""
    return [chart for chart in charts if _marks(chart) >= LEAST]


def _marks(chart: Chart) -> int:
    if chart.stacked:
        return max((len(each.x) for each in chart.series), default=0)
    return sum(value is not None for each in chart.series for value in each.y)


def _whole(told: Yields) -> list[LaneYield]:
    return [row for row in told.lanes if row.policy == ALL]
