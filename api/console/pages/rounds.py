"""Rounds: what was picked, why, and what it brought: /console/rounds."""

from __future__ import annotations

from collections import Counter

from fastapi import APIRouter
from fastapi.responses import Response

from api.console.charts import Chart, Series
from api.console.page import Page, ViewerAsk
from labeling.records import PickRow

router = APIRouter(prefix="/rounds")


@router.get("")
def all_rounds(ask: ViewerAsk) -> Response:
    """Every round, the newest first."""
    ledger = ask.goldfold.ledger
    rounds = [{"round": each, "tasks": ledger.tasks.counts(each.round_id)} for each in reversed(ledger.rounds.all())]
    return ask.show(Page("Rounds", "rounds.html", {"rounds": rounds}))


@router.get("/{round_id}")
def one_round(ask: ViewerAsk, round_id: str) -> Response:
    """One round: its plan, its frame, its picks by lane and inclusion probability."""
    ledger = ask.goldfold.ledger
    found = ledger.rounds.get(round_id)
    picks = ledger.rounds.picks(round_id)
    data = {"round": found, "tasks": ledger.tasks.counts(round_id), "picks": len(picks)}
    return ask.show(Page(f"Round {round_id}", "round.html", data, charts=[_lanes(picks)]))


def _lanes(picks: list[PickRow]) -> Chart:
    counts = Counter(pick.lane for pick in picks)
    lanes = sorted(counts)
    return Chart("lanes", "Picks by lane", "bar", "lane", "picks", [Series("picks", lanes, [counts[x] for x in lanes])])
