"""Draw what ``report`` found: precision and recall, reliability, and what a threshold misses and costs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from labeling.errors import StoreError


def draw(series: Mapping[str, Mapping[str, Any]], folder: Path, title: str) -> list[Path]:
    """One PNG a policy in ``folder``, which is made; their paths. Raises StoreError when it cannot be written."""
    written = []
    for policy, lines in sorted(series.items()):
        figure = Figure(figsize=(13, 4), layout="constrained")
        left, middle, right = figure.subplots(1, 3)
        _precision_recall(left, lines["pr"])
        _reliability(middle, lines["reliability"])
        _thresholds(right, lines["thresholds"])
        figure.suptitle(f"{policy}: {title}")
        path = folder / f"{policy}.png"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            figure.savefig(path, dpi=120)
        except OSError as error:
            raise StoreError(f"plots: {path} cannot be written ({error.strerror}); choose another folder") from error
        written.append(path)
    return written


def _precision_recall(axes: Axes, points: list[dict[str, Any]]) -> None:
    known = [point for point in points if point["recall"] is not None]
    axes.step([p["recall"] for p in known], [p["precision"] for p in known], where="post")
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02), title="Precision and recall")


def _reliability(axes: Axes, bins: list[dict[str, Any]]) -> None:
    means, shares = [b["mean"] for b in bins], [b["value"] for b in bins]
    reach = [[max(0.0, b["value"] - b["low"]) for b in bins], [max(0.0, b["high"] - b["value"]) for b in bins]]
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1)
    axes.errorbar(means, shares, yerr=reach, fmt="o", capsize=3)
    axes.set(xlabel="mean score", ylabel="share that violates", xlim=(0, 1), ylim=(0, 1), title="Reliability")


def _thresholds(axes: Axes, points: list[dict[str, Any]]) -> None:
    taus = [point["threshold"] for point in points]
    bounds = [float("nan") if point["miss_bound"] is None else point["miss_bound"] for point in points]
    axes.plot(taus, bounds, label="missed, 95 % upper bound")
    axes.plot(taus, [point["load"] for point in points], label="flagged (review load)")
    axes.set(xlabel="threshold", ylabel="share", xlim=(0, 1), ylim=(0, 1.02), title="Threshold")
    axes.legend()
