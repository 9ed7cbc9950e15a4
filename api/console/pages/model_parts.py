"""What the pages of models share: their tabs, what gold says of a model (kept), and the lines that are drawn of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from api.auth import RANK, Role
from api.console.charts import Basis, Chart, Series
from api.console.kept import Kept
from api.console.page import Ask
from api.console.series import basis_of
from labeling.model_records import Model

HERE = "/console/models"
SHOWN = 50  # rows of a page
Json = Mapping[str, Any]
TABS = (
    ("", "Overview", Role.VIEWER),
    ("/slices", "Slices", Role.VIEWER),
    ("/curves", "Curves", Role.VIEWER),
    ("/thresholds", "Thresholds", Role.VIEWER),
    ("/errors", "Errors", Role.ENGINEER),
    ("/calibration", "Calibration", Role.VIEWER),
    ("/drift", "Drift", Role.VIEWER),
    ("/beside", "Beside another", Role.VIEWER),
)


def address(model_id: str, part: str = "") -> str:
    """Where a page of a model is."""
    return f"{HERE}/{quote(model_id, safe='')}{part}"


def about(ask: Ask, model: Model) -> dict[str, Any]:
    """What each page of a model shows above itself."""
    seen = [(part, label) for part, label, role in TABS if RANK[role] <= RANK[ask.visitor.role]]
    return {"model": model, "tabs": [(address(model.model_id, part), label) for part, label in seen]}


def judged(ask: Ask, model: Model, golden: str) -> Kept[Any]:
    """What the dev partition of a golden version ("": the one it was trained on) says of a model; nothing is written.
    Told of each slice, with the lines to draw (``labeling.judging.report``)."""
    goldfold, version = ask.goldfold, golden or model.golden_version
    return ask.kept(
        ("judged", model.model_id, version),
        lambda: goldfold.judge_contender(goldfold.contender(model, model.modality), ask.actor, version),
    )


def policies_of(found: Kept[Any]) -> list[str]:
    """The policies that gold could judge, by name."""
    return [] if found.value is None else sorted(found.value["series"])


def chosen(policy: str, policies: Sequence[str]) -> str:
    """The policy that was asked for, else the first."""
    return policy or next(iter(policies), "")


def whole(found: Kept[Any], policy: str) -> Json | None:
    """A policy's slice of all its rows; None where there is none."""
    slices = [] if found.value is None else found.value["slices"]
    return next((one for one in slices if (one["policy"], one["dimension"]) == (policy, "all")), None)


def rests(slice_: Json | None) -> Basis:
    """What is drawn of a slice rests on what its figures do."""
    return basis_of(list(slice_["figures"].values())[:1]) if slice_ else Basis()


def lines_of(found: Kept[Any], policy: str) -> Mapping[str, list[Json]] | None:
    """What is drawn of a policy; None where there is nothing."""
    return None if found.value is None else found.value["series"].get(policy)


def precision_recall(policy: str, points: Sequence[Json]) -> Chart:
    """Precision along recall, at falling thresholds."""
    known = [point for point in points if point["recall"] is not None]
    notes = [f"threshold {point['threshold']:.3f}" for point in known]
    line = Series(policy, [p["recall"] for p in known], [p["precision"] for p in known], notes=notes)
    return Chart(
        "pr",
        f"{policy}: precision and recall",
        "line",
        "recall",
        "precision",
        [line],
        y_range=(0, 1),
        unit="share",
        x_unit="share",
    )


def reliability(chart_id: str, title: str, lines: Mapping[str, Sequence[Json]]) -> Chart:
    """What was said and what was so, by bin, beside what ought to be. ``lines``: by the name of each its bins, with
    ``mean``, ``value``, ``low``, ``high`` and ``n``."""
    drawn = [
        Series(
            name,
            [one["mean"] for one in bins],
            [one["value"] for one in bins],
            [one["low"] for one in bins],
            [one["high"] for one in bins],
            n=[one["n"] for one in bins],
        )
        for name, bins in lines.items()
    ]
    ideal = Series("as it ought to be", [0.0, 1.0], [0.0, 1.0], reference=True)
    caption = "Bins of equal mass with 95 % intervals."
    return Chart(
        chart_id,
        title,
        "line",
        "mean probability said",
        "share that violates",
        [*drawn, ideal],
        y_range=(0, 1),
        caption=caption,
        unit="share",
        x_unit="share",
    )


def sweep(policy: str, points: Sequence[Json], marks: Sequence[tuple[float, str]]) -> Chart:
    """What a threshold misses and costs, with vertical ``marks``."""
    taus = [point["threshold"] for point in points]
    drawn = [
        Series("missed, 95 % upper bound", taus, [point["miss_bound"] for point in points]),
        Series("missed", taus, [point["miss_rate"] for point in points]),
        Series("flagged (review load)", taus, [point["load"] for point in points]),
    ]
    title = f"{policy}: what a threshold misses and costs"
    return Chart(
        "sweep", title, "line", "threshold", "share", drawn, marks=marks, y_range=(0, 1), steps=True, unit="share"
    )
