"""Rounds: what was picked, how far it is, what it brought, and ending it early: /console/rounds."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import anyio
from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import BeforeValidator, Field
from sse_starlette.sse import EventSourceResponse

from api.auth import RANK, Role
from api.console.charts import Chart
from api.console.page import Ask, EngineerAsk, Page, ViewerAsk, fragment
from api.console.pages.round_charts import (
    curve_chart,
    lanes_chart,
    lift_chart,
    pi_chart,
    shares_chart,
    worth_drawing,
)
from api.jobs.errors import JobUnknown
from api.jobs.records import ENDED, Job
from api.rounds import stop_round
from labeling.errors import Conflict, NotFound
from labeling.insights.round_outlook import effective_n, histogram
from labeling.insights.round_picks import Card, cards
from labeling.purposes import purpose
from labeling.records import Round, RoundState, TaskState
from labeling.scorer_names import ScorerName, scorer_names
from labeling.yields import curve, yields

router = APIRouter(prefix="/rounds")
SHOWN = 50  # rounds or cards of a page
JOB_POLL_S, TASKS_POLL_S = 0.5, 5.0
PARTS = {  # of a round's tasks, as its bar shows them
    "settled": (TaskState.SETTLED,),
    "answered": (TaskState.ANSWERED,),
    "waiting": (TaskState.SENT, TaskState.SENDING, TaskState.QUEUED),
    "left out": (TaskState.WITHDRAWN, TaskState.QUARANTINED),
}
UNDER_WAY = (RoundState.PLANNED, RoundState.SELECTED, RoundState.OPEN)

Start = Annotated[int, Query(alias="from", ge=0, le=10_000_000, description="How many come before.")]
Empty = BeforeValidator(lambda value: None if value == "" else value)  # a field of a form that was left so
More = Annotated[Annotated[int, Field(ge=1, le=10_000_000)] | None, Empty, Query()]
Cost = Annotated[Annotated[float, Field(gt=0)] | None, Empty, Query()]
MORE = 500  # labels


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a round is. ``round`` None: its job has not come to it yet. ``job`` None: its record was dropped."""

    round_id: str
    round: Round | None
    job: Job | None
    tasks: dict[str, int]

    @property
    def state(self) -> str:
        return str(self.round.state) if self.round else self.job.state if self.job else ""

    @property
    def job_runs(self) -> bool:
        return self.job is not None and self.job.state not in ENDED

    @property
    def is_live(self) -> bool:
        """Whether it may change by itself."""
        return self.job_runs or (self.round is not None and self.round.state in UNDER_WAY)

    @property
    def phase(self) -> tuple[str, bool]:
        """While this stays, the page needs nothing but its progress anew."""
        return self.state, self.job_runs

    def told(self, *, opens: bool) -> dict[str, Any]:
        """What ``round_progress.html`` shows. ``opens``: counts lead to their tasks."""
        states = [(state.value, self.tasks[state]) for state in TaskState if state in self.tasks]
        parts, before = [], 0
        for name, mine in PARTS.items():
            count = sum(self.tasks.get(state, 0) for state in mine)
            parts.append({"name": name, "count": count, "before": before})
            before += count
        return {
            "round_id": self.round_id,
            "state": self.state,
            "job": self.job,
            "states": states,
            "parts": parts,
            "total": before,
            "opens": opens,
        }


@router.get("")
def all_rounds(
    ask: ViewerAsk, start: Start = 0, state: str = "", policy: str = "", order: Literal["newest", "oldest"] = "newest"
) -> Response:
    """Every round, the newest first, a page of them; ``state`` and ``policy`` narrow them."""
    ledger = ask.goldfold.ledger
    every = [each for each in ledger.rounds.all() if _is_meant(each, state, policy)]
    chosen = every[::-1] if order == "newest" else every
    rounds = [
        {"round": each, "purpose": purpose(each), "tasks": ledger.tasks.counts(each.round_id)}
        for each in chosen[start : start + SHOWN]
    ]
    data = {
        "rounds": rounds,
        "start": start,
        "of": len(every),
        "shown": SHOWN,
        "designs": _designs(ask),
        "scorers": scorer_names(ledger, ask.goldfold.lake),
        "asked": {"state": state, "policy": policy, "order": order},
        "states": [each.value for each in RoundState],
        "policies": sorted(ask.goldfold.policies),
    }
    return ask.show(Page("Rounds", "rounds.html", data))


@router.get("/yield")
def all_yields(ask: ViewerAsk, more: More = None, cost: Cost = None) -> Response:
    """What the lanes of every closed round brought, and what more labels are worth."""
    return ask.show(_yields(ask, None, more or MORE, cost))


@router.get("/{round_id}")
def one_round(ask: ViewerAsk, round_id: str) -> Response:
    """One round: its plan, its frame, its progress, its picks by lane and inclusion probability."""
    standing = _standing(ask, round_id)
    charts: list[Chart] = []
    picked = ask.kept(("round picks", round_id, standing.state), lambda: _picked(ask, round_id))
    if picked.value is not None and picked.value["lanes"]:
        charts = [lanes_chart(picked.value["lanes"])]
        charts += [pi_chart(picked.value["histogram"])] if picked.value["histogram"].edges else []
    data = {
        "round": standing.round,
        "round_id": round_id,
        "progress": standing.told(opens=_designs(ask)),
        "live": standing.is_live,
        "scorer": _scorer(ask, standing.round),
        "picked": picked,
        "designs": _designs(ask),
        "cancels": _designs(ask)
        and standing.round is not None
        and standing.round.state is not RoundState.CLOSED
        and standing.round.state is not RoundState.CANCELLED,
    }
    return ask.show(Page(f"Round {round_id}", "round.html", data, worth_drawing(charts)))


@router.get("/{round_id}/events")
async def follow(ask: ViewerAsk, round_id: str) -> EventSourceResponse:
    """The round's progress as pieces of its page; ``end`` when the page itself is another one by now."""
    first = await anyio.to_thread.run_sync(_standing, ask, round_id)

    async def events() -> AsyncIterator[dict[str, str]]:
        last, now = None, first
        while now.phase == first.phase and now.is_live:
            said = fragment("round_progress.html", progress=now.told(opens=_designs(ask)))
            if said != last:
                yield {"event": "progress", "data": said}
            last = said
            await anyio.sleep(JOB_POLL_S if now.job_runs else TASKS_POLL_S)
            now = await anyio.to_thread.run_sync(_standing, ask, round_id)
        yield {"event": "progress", "data": fragment("round_progress.html", progress=now.told(opens=_designs(ask)))}
        yield {"event": "end", "data": now.state}

    return EventSourceResponse(events())


@router.get("/{round_id}/picks")
def picks(ask: EngineerAsk, round_id: str, start: Start = 0) -> Response:
    """Why each item was picked; of one whose question is open nothing that could sway who answers it."""
    ledger = ask.goldfold.ledger
    found = ledger.rounds.get(round_id)
    shown: list[Card] = cards(ledger, round_id, limit=SHOWN + 1, offset=start)
    data = {"round": found, "cards": shown[:SHOWN], "start": start, "shown": SHOWN}
    data |= {"more": len(shown) > SHOWN, "designs": True, "round_id": round_id}
    return ask.show(Page(f"Picks of round {round_id}", "round_picks.html", data))


@router.get("/{round_id}/yield")
def one_yield(ask: ViewerAsk, round_id: str, more: More = None, cost: Cost = None) -> Response:
    """What the lanes of one round brought; answers that are still to come are not counted."""
    ask.goldfold.ledger.rounds.get(round_id)
    return ask.show(_yields(ask, round_id, more or MORE, cost))


@router.get("/{round_id}/cancel")
def confirm(ask: EngineerAsk, round_id: str) -> Response:
    """What an end now would withdraw; a second button does it."""
    found = ask.goldfold.ledger.rounds.get(round_id)
    if found.state in (RoundState.CLOSED, RoundState.CANCELLED):
        raise Conflict(f"round {round_id!r} is {found.state}; there is nothing left to end")
    tasks = ask.goldfold.ledger.tasks.counts(round_id)
    ends = (TaskState.SETTLED, TaskState.WITHDRAWN)
    data = {"round": found, "settled": tasks.get(TaskState.SETTLED, 0)}
    data["open"] = sum(count for state, count in tasks.items() if state not in ends)
    return ask.show(Page(f"End round {round_id} early", "round_cancel.html", data))


@router.post("/{round_id}/cancel")
def cancel(ask: EngineerAsk, round_id: str) -> Response:
    """End it early."""
    stop_round(ask.goldfold, ask.jobs, round_id, ask.actor)
    return ask.back(f"/console/rounds/{round_id}", f"Round {round_id} was ended; its open tasks were withdrawn.")


def _standing(ask: Ask, round_id: str) -> Standing:
    """Raises NotFound where neither the ledger nor the jobs know it."""
    ledger, job, found = ask.goldfold.ledger, None, None
    with suppress(JobUnknown):
        job = ask.jobs.get(round_id)
        job = job if job.kind == "round" else None
    try:
        found = ledger.rounds.get(round_id)
    except NotFound:
        if job is None:
            raise
    return Standing(round_id, found, job, ledger.tasks.counts(round_id) if found else {})


def _picked(ask: Ask, round_id: str) -> dict[str, Any]:
    """The picks of a round in all."""
    drawn = [(pick.lane, pick.pi) for pick in ask.goldfold.ledger.rounds.picks(round_id)]
    lanes = Counter(lane for lane, _ in drawn)
    return {
        "picks": len(drawn),
        "lanes": dict(sorted(lanes.items())),
        "effective_n": effective_n(drawn),
        "histogram": histogram(drawn),
    }


@dataclass(frozen=True, slots=True)
class _Brought:
    """What lanes brought, as the API tells it, and the charts of it."""

    told: dict[str, object]
    charts: list[Chart]

    def as_dict(self) -> dict[str, object]:
        return self.told


def _yields(ask: Ask, round_id: str | None, more: int, cost: float | None) -> Page:
    def compute() -> _Brought:
        ledger = ask.goldfold.ledger
        found, points = yields(ledger, round_id, cost_per_label=cost, more=more), curve(ledger)
        charts = [shares_chart(found)] if found.lanes else []
        charts += [lift_chart(found)] if any(row.lift for row in found.lanes) else []
        charts += [curve_chart(points)] if points else []
        return _Brought(found.as_dict(), worth_drawing(charts))

    brought = ask.kept(("yields", round_id, more, cost), compute)
    charts = [] if brought.value is None else brought.value.charts
    title = "What rounds brought" if round_id is None else f"What round {round_id} brought"
    data = {"found": brought, "round_id": round_id or "", "more": more, "cost": cost, "designs": _designs(ask)}
    return Page(title, "round_yield.html", data, charts)


def _is_meant(round_: Round, state: str, policy: str) -> bool:
    asked = round_.plan.get("policies")
    return (not state or round_.state == state) and (not policy or (isinstance(asked, Mapping) and policy in asked))


def _scorer(ask: Ask, round_: Round | None) -> ScorerName | None:
    """Whose scores a round picks by."""
    if round_ is None or not round_.scorer_version:
        return None
    return scorer_names(ask.goldfold.ledger, ask.goldfold.lake).get(round_.scorer_version)


def _designs(ask: Ask) -> bool:
    """Whether the visitor may open and end rounds."""
    return RANK[ask.visitor.role] >= RANK[Role.ENGINEER]
