"""What the pages of models share: their tabs, what gold says of a model (kept), and the lines that are drawn of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from api.auth import RANK, Role
from api.console import formats as words
from api.console.charts import Chart, Series
from api.console.kept import Kept
from api.console.page import Ask
from api.console.series import basis_of
from labeling.judging.gate import PASS
from labeling.model_records import GateRow, Model
from labeling.records import Partition

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


def about(ask: Ask, model: Model, golden: str = "") -> dict[str, Any]:
    """What each page of a model shows above itself; ``golden``: the version that judges it there, "": none does."""
    seen = [(part, label) for part, label, role in TABS if RANK[role] <= RANK[ask.visitor.role]]
    versions = [each.version for each in reversed(ask.goldfold.ledger.golden.versions())]
    return {
        "model": model,
        "tabs": [(address(model.model_id, part), label) for part, label in seen],
        "versions": versions,
        "newer": versions[0] if golden and versions and versions[0] != golden else "",
    }


def judging_version(ask: Ask, model: Model, golden: str, partition: Partition = Partition.DEV) -> str:
    """The golden version that judges a model on each of its pages: the one that was asked for, else the newest released
    one with rows to judge by, else the one it was trained on. Raises NotFound."""
    versions = ask.goldfold.ledger.golden.versions()
    if golden:
        return ask.goldfold.ledger.golden.version(golden).version
    return next((each.version for each in reversed(versions) if each.counts.get(partition)), model.golden_version)


def newest_verdict(ask: Ask, model_id: str, champion: str | None = None) -> GateRow | None:
    """The newest verdict on a model; ``champion``: against that one alone."""
    for row in reversed(ask.goldfold.ledger.gates.all()):
        body: Any = row.body
        if body["challenger"]["model_id"] == model_id and champion in (None, body["champion"]["model_id"]):
            return row
    return None


def has_passed(ask: Ask, model: Model) -> bool:
    """Whether the newest verdict on a model against the champion of now is a pass."""
    champion = ask.goldfold.ledger.models.champion(model.modality)
    row = newest_verdict(ask, model.model_id, None if champion is None else champion.model_id)
    return row is not None and row.body["verdict"] == PASS


def judged(ask: Ask, model: Model, version: str) -> Kept[Any]:
    """What the dev partition of a golden version says of a model; nothing is written. Told of each slice, with the
    lines to draw (``labeling.judging.report``)."""
    goldfold = ask.goldfold
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


def lines_of(found: Kept[Any], policy: str) -> Mapping[str, list[Json]] | None:
    """What is drawn of a policy; None where there is nothing."""
    return None if found.value is None else found.value["series"].get(policy)


def precision_recall(policy: str, points: Sequence[Json], rows: Json) -> Chart:
    """Precision along recall, at falling thresholds. ``rows``: the policy's slice of all its rows."""
    rests = rows["figures"]["recall"]
    n, positives = rows["n"], rests["n"]
    known = [point for point in points if point["recall"] is not None]
    notes = [f"threshold {point['threshold']:.3f}" for point in known]
    line = Series(words.policy(policy), [p["recall"] for p in known], [p["precision"] for p in known], notes=notes)
    return Chart(
        "pr",
        f"{words.policy(policy)}: precision and recall",
        "line",
        "recall",
        "precision",
        [line],
        y_range=(0, 1),
        caption=f"n {n:,} items, {positives:,} of them violate.",
        unit="share",
        x_unit="share",
        basis=basis_of([rests], rests["items"] or ""),
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
        basis=basis_of(one for bins in lines.values() for one in bins),
    )
