"""Figures as what a chart draws: with their intervals, and with no point where too few answers tell nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from api.console.charts import Series


def of_figures(name: str, x: Sequence[str], figures: Sequence[Mapping[str, Any]], *, noted: bool = True) -> Series:
    """A series of figures by ``x``. ``noted``: a point says its n when it is pointed at; bars would print it."""
    known = [one.get("value") is not None for one in figures]
    low, high = (
        [one.get(end) if has else None for one, has in zip(figures, known, strict=True)] for end in ("low", "high")
    )
    notes = [f"n {one.get('n')}" for one in figures] if noted else ()
    return Series(name, x, [one.get("value") for one in figures], low, high, notes=notes)
