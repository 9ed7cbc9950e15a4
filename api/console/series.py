"""Figures as what a chart draws: with n and interval, with no point where too few answers tell nothing, and with what
they rest on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from api.console.charts import Basis, Series, Value

Figure = Mapping[str, Any]


def of_figures(name: str, x: Sequence[Value], figures: Sequence[Figure]) -> Series:
    """A series of figures by ``x``."""
    known = [one.get("value") is not None for one in figures]
    low, high = (
        [one.get(end) if has else None for one, has in zip(figures, known, strict=True)] for end in ("low", "high")
    )
    return Series(name, x, [one.get("value") for one in figures], low, high, n=[one.get("n") for one in figures])


def basis_of(figures: Iterable[Figure | None], items: str = "") -> Basis:
    """What figures rest on together: each licence and each version once."""
    told = [one for one in figures if one]
    licences = dict.fromkeys(str(one["licence"]) for one in told if one.get("licence"))
    golden, policies = (_each(one.get(name) for one in told) for name in ("golden_version", "policy_version"))
    return Basis("; ".join(licences), golden, policies, items)


def _each(versions: Iterable[object]) -> str:
    """Versions once each; a figure of several policies names theirs with commas between."""
    return ", ".join(dict.fromkeys(one for said in versions if said for one in str(said).split(", ")))
