"""An evaluation as rows of a table; policies without any label in the partition are left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

NAMES = ("auprc", "precision", "recall")
COLUMNS = ("figure", "value", "95 % interval", "n", "verdict")


def policies_of(evaluation: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The policies of an evaluation that have a label, by id."""
    for policy_id, judged in sorted(evaluation.get("policies", {}).items()):
        if judged["n"]:
            yield policy_id, judged


def figures_of(judged: Mapping[str, Any]) -> Iterator[tuple[object, ...]]:
    """One policy's figures, as ``COLUMNS`` says."""
    for name in NAMES:
        figure = judged[name]
        value = "" if figure["value"] is None else f"{figure['value']:.3f}"
        interval = f"[{figure['low']:.3f}, {figure['high']:.3f}]"
        yield name, value, interval, figure["n"], figure["verdict"]
