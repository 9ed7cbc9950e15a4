"""Misapplication patterns as cards: /console/quality/patterns. For leads: a pattern may speak of one person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response

from api.console.charts import Chart
from api.console.page import Ask, LeadAsk, Page
from api.console.series import basis_of, of_figures
from api.patterns import mined

router = APIRouter(prefix="/quality/patterns")
SHOWN = 25  # cards of a page


@router.get("")
def patterns(ask: LeadAsk, start: Annotated[int, Query(ge=0)] = 0) -> Response:
    """What stands now, the surest first."""
    found = _mined(ask)
    told: dict[str, Any] | None = None
    rest = 0
    if found.value is not None:
        told = found.value.as_dict()
        every = told["patterns"]
        rest = start + SHOWN if len(every) > start + SHOWN else 0
        told |= {"patterns": every[start : start + SHOWN], "count": len(every)}
    return ask.show(Page("Patterns", "quality_patterns.html", {"found": replace(found, value=told), "next": rest}))


@router.get("/{pattern_id}")
def pattern(ask: LeadAsk, pattern_id: str) -> Response:
    """One pattern: its card, its verdict, and how much of the variance each circumstance holds."""
    return ask.show(_page(ask, pattern_id, revealed=False))


@router.post("/{pattern_id}")
def reveal(ask: LeadAsk, pattern_id: str) -> Response:
    """The same with words of its content; who asked for them is noted."""
    page = _page(ask, pattern_id, revealed=True)
    ask.goldfold.ledger.audit.add(ask.actor, "content.shown", pattern_id, {"where": "console", "what": "words"})
    return ask.show(page)


def _page(ask: Ask, pattern_id: str, *, revealed: bool) -> Page:
    found = _mined(ask)
    told = None if found.value is None else found.value.told(found.value.one(pattern_id), whole=True)
    terms = told.pop("terms") if told else []
    data = {"found": replace(found, value=told), "pattern_id": pattern_id, "terms": terms if revealed else None}
    title = str(told["card"]["title"]) if told else "Pattern"
    return Page(title, "quality_pattern.html", data, charts=_shares(told["parts"] if told else ()))


def _mined(ask: Ask) -> Any:
    return ask.kept("quality.patterns", lambda: mined(ask.goldfold))


def _shares(parts: Sequence[dict[str, Any]]) -> list[Chart]:
    if not parts:
        return []
    names, shares = [part["name"] for part in parts], [part["share"] for part in parts]
    series = of_figures("share of the variance", names, shares)
    title = "How much of the variance each circumstance holds"
    return [
        Chart(
            "shares",
            title,
            "bar",
            "circumstance",
            "share of the variance",
            [series],
            unit="share",
            basis=basis_of(shares),
        )
    ]
