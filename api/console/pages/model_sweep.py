"""What each threshold of a model misses, flags and gets right: as figures, as a chart, and as what a slider tells while
it is dragged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from api.console import formats
from api.console.charts import Chart, Series
from api.console.series import basis_of
from labeling.figures import ORIGIN
from labeling.quality.ranking import Point, figures_at

Json = dict[str, Any]
NAMES = ("missed", "load", "right")


def told_at(point: Point | None, whole: Mapping[str, Any]) -> dict[str, Json]:
    """The figures of one threshold, with the origin of ``whole``, a policy's slice of all its rows."""
    recall = whole["figures"]["recall"]
    origin = {name: recall[name] for name in ORIGIN}
    return {name: one.as_dict() | origin for name, one in figures_at(point, whole["n"], recall["n"]).items()}


def shown(point: Point | None, told: Mapping[str, Json]) -> dict[str, str]:
    """The same in words, by the names that the page's places have."""
    said = {"at": "above every score" if point is None else formats.number(point["threshold"])}
    bound = told["missed"]["high"] if point is None else point["miss_bound"]
    said["bound"] = formats.share(bound) if told["missed"]["n"] else "nothing violates here"
    for name in NAMES:
        one = told[name]
        said[name] = formats.share(one["value"]) if one["value"] is not None else "too few"
        ends = f"{formats.share(one['low'])} to {formats.share(one['high'])}"
        said[f"{name}-interval"] = ends if one["value"] is not None else ""
        said[f"{name}-n"] = f"n {one['n']:,}"
    return said


def live(points: Sequence[Point], whole: Mapping[str, Any]) -> list[Json]:
    """What a slider tells at each threshold, rising; the last is above every score and stands at none."""
    rising = [*sorted(points, key=lambda one: float(one["threshold"] or 0)), None]
    return [
        {"at": None if one is None else one["threshold"], "told": shown(one, told_at(one, whole))} for one in rising
    ]


def sweep(policy: str, points: Sequence[Point], whole: Mapping[str, Any]) -> Chart:
    """What a threshold misses and costs; pointing at it tells interval and n."""
    taus = [point["threshold"] for point in points]
    told = [told_at(point, whole) for point in points]
    missed, load = ([_note(one[name]) for one in told] for name in ("missed", "load"))
    violating, every = [one["missed"]["n"] for one in told], [one["load"]["n"] for one in told]
    bound, rate, flagged = ([point[name] for point in points] for name in ("miss_bound", "miss_rate", "load"))
    return Chart(
        "sweep",
        f"{formats.policy(policy)}: what a threshold misses and costs",
        "line",
        "threshold",
        "share",
        [
            Series("missed, 95 % upper bound", taus, bound, n=violating),
            Series("missed", taus, rate, notes=missed, n=violating),
            Series("flagged (review load)", taus, flagged, notes=load, n=every),
        ],
        y_range=(0, 1),
        steps=True,
        unit="share",
        caption=f"n {whole['n']:,} items of dev, {whole['figures']['recall']['n']:,} of them violate.",
        basis=basis_of([whole["figures"]["recall"]], whole["figures"]["recall"]["items"] or ""),
    )


def _note(figure: Mapping[str, Any]) -> str:
    return f"95 % interval {formats.share(figure['low'])} to {formats.share(figure['high'])}"
