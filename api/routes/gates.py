"""Verdicts of the gate, and what the sealed partition was asked: /v1/gates; figures of all traffic: /v1/population."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from api.auth import Role, require
from api.problems import documented
from api.routes.figures import FIRST, After, FigureOut, ItemPageOut, Limit
from api.routes.state import TheGoldfold
from labeling.errors import InvalidInput
from labeling.judging.population import population_figures, population_items, rounds_since
from labeling.judging.signing import verify_chain
from labeling.model_records import GateRow

router = APIRouter(prefix="/v1/gates", tags=["models"], responses=documented(404))
population = APIRouter(prefix="/v1/population", tags=["models"], responses=documented(404, 409))


class GateOut(BaseModel):
    """A verdict as it stands in the ledger; ``body`` is everything it says."""

    gate_id: str
    body: dict[str, Any]
    previous: str = Field(description="The hash of the verdict before it.")
    row_hash: str
    signature: str

    @classmethod
    def of(cls, row: GateRow) -> GateOut:
        return cls(**{name: getattr(row, name) for name in row.__slots__})


class ChainOut(BaseModel):
    """Every hash of the chain was computed anew and matches; with `gate_secret` set, every signature too."""

    verdicts: int


class QueryOut(BaseModel):
    """Somebody asked the sealed partition something. A repeat was told the stored answer and spent nothing."""

    at: datetime
    actor: str
    kind: str
    model_id: str
    model_version: str
    family: str
    golden_version: str
    is_repeat: bool


class PolicyPopulationOut(BaseModel):
    """A policy's figures of all traffic."""

    prevalence: FigureOut
    precision: FigureOut
    recall: FigureOut


class PopulationOut(BaseModel):
    """Figures of all traffic of some rounds' frames, by policy."""

    rounds: list[str]
    lanes: list[str]
    picks: int
    settled: int
    withheld: int
    policies: dict[str, PolicyPopulationOut]


@router.get("", dependencies=[Depends(require(Role.VIEWER))])
def list_gates(goldfold: TheGoldfold) -> list[GateOut]:
    """Every verdict, oldest first."""
    return [GateOut.of(row) for row in goldfold.ledger.gates.all()]


@router.post("/verify", dependencies=[Depends(require(Role.ENGINEER))])
def verify_gates(goldfold: TheGoldfold) -> ChainOut:
    """Compute the chain anew; what was tampered with is named (500, integrity-error)."""
    secret = goldfold.settings.gate_secret.get_secret_value()
    return ChainOut(verdicts=verify_chain(goldfold.ledger.gates.all(), secret))


@router.get("/queries", dependencies=[Depends(require(Role.ENGINEER))])
def list_queries(goldfold: TheGoldfold, family: str | None = None) -> list[QueryOut]:
    """What the sealed partition was asked, oldest first, over all families or by one."""
    return [
        QueryOut(kind=str(query.question["kind"]), **{name: getattr(query, name) for name in _SHOWN})
        for query in goldfold.ledger.sealed.all(family)
    ]


@population.get("", dependencies=[Depends(require(Role.VIEWER))])
def get_population(
    goldfold: TheGoldfold,
    round_id: str | None = None,
    since: datetime | None = None,
    lane: Annotated[list[str] | None, Query(max_length=10)] = None,
) -> PopulationOut:
    """Prevalence, precision and recall over all traffic of the frames of one round, or of those created since then (UTC
    if it names no zone); by `lane` of these lanes only. Refused (422, no-licence) when a pick has no probability."""
    rounds = goldfold.ledger.rounds
    if (round_id is None) == (since is None):
        raise InvalidInput("round_id and since: give one of them, to say which rounds are meant")
    if since is not None:
        chosen = rounds_since(rounds, since.replace(tzinfo=since.tzinfo or UTC))
    else:
        chosen = [rounds.get(str(round_id))]
    return PopulationOut.model_validate(population_figures(goldfold.ledger, chosen, lane or ()))


@population.get("/items", dependencies=[Depends(require(Role.ENGINEER))])
def list_population(
    goldfold: TheGoldfold,
    round_id: Annotated[list[str], Query(min_length=1, max_length=1000)],
    lane: Annotated[list[str] | None, Query(max_length=10)] = None,
    policy: str = "",
    part: Literal["answered", "flagged", "violating"] = "answered",
    after: After = "",
    limit: Limit = FIRST,
) -> ItemPageOut:
    """The items behind a population figure, a page at a time; answers of sealed and anchor are left out."""
    rounds = [goldfold.ledger.rounds.get(name) for name in round_id]
    return ItemPageOut.of(goldfold, population_items(goldfold.ledger, rounds, lane or (), policy, part), after, limit)


_SHOWN = ("at", "actor", "model_id", "model_version", "family", "golden_version", "is_repeat")


@router.get("/{gate_id}", dependencies=[Depends(require(Role.VIEWER))])
def get_gate(goldfold: TheGoldfold, gate_id: str) -> GateOut:
    """One verdict."""
    return GateOut.of(goldfold.ledger.gates.get(gate_id))
