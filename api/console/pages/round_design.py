"""The designer of rounds: /console/rounds/new. A dry run tells cost and likely yield; a second button starts the job.

What is typed stands in the address, so that a design can be kept, sent to somebody, and filled in by other pages.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any
from urllib.parse import parse_qs, urlencode

from fastapi import APIRouter
from fastapi.responses import RedirectResponse, Response

from api.console.forms import Place, checked
from api.console.page import Ask, EngineerAsk, Page
from api.console.pages.round_charts import pi_chart
from api.errors import STATUSES, status_of
from api.ids import new_id
from api.requests import check_round, round_request
from api.rounds import begin_round, outlook_of
from api.routes.rounds import QuotaIn, RoundIn
from labeling.errors import InvalidInput
from labeling.round_costs import Costs
from selection.errors import SelectionError
from selection.strategies.registry import STRATEGIES
from selection.types import LANES, PER, QUOTA_FIELDS

router = APIRouter(prefix="/rounds")
PATH = "/console/rounds/new"
PLAN = "plan"  # the field that asks for a dry run
LANE, COST, QUOTA = "lane_", "cost_", "quota_"
PLAIN = ("round_id", "budget", "seed", "strategy", "overlap", "per", "max_minutes", "per_author")
ASSISTED = ("assisted", "assisted_blind_share")
QUOTA_ROWS = 3  # at least so many are offered

Typed = Mapping[str, list[str]]


@dataclass(frozen=True, slots=True)
class Design:
    """What was typed, field by field, as strings."""

    typed: Typed

    def one(self, name: str) -> str:
        """A field's value, "" where nothing was typed."""
        return next(iter(self.typed.get(name, [])), "").strip()

    def many(self, name: str) -> list[str]:
        """The values of a field that may come several times."""
        return self.typed.get(name, [])

    @property
    def quotas(self) -> list[dict[str, str]]:
        """The rows of bounds, those that are empty included."""
        columns = {name: self.many(QUOTA + name) for name in QuotaIn.model_fields}
        rows = max((len(values) for values in columns.values()), default=0)
        return [
            {name: (values[row] if row < len(values) else "").strip() for name, values in columns.items()}
            for row in range(rows)
        ]

    @property
    def lanes(self) -> dict[str, str]:
        """The shares that were typed."""
        return {lane: self.one(LANE + lane) for lane in LANES if self.one(LANE + lane)}

    def address(self, **more: str) -> str:
        """Where this design is looked at."""
        kept = {name: values for name, values in self.typed.items() if any(values) and name not in more}
        return f"{PATH}?{urlencode({**kept, **more}, doseq=True)}"

    def given(self) -> dict[str, Any]:
        """The design as ``POST /v1/rounds`` takes it. Raises InvalidInput naming each field."""
        named: dict[str, Any] = {name: self.one(name) for name in (*PLAIN, *ASSISTED) if self.one(name)}
        lanes = self.lanes
        costs = {each.name: self.one(COST + each.name) for each in fields(Costs) if self.one(COST + each.name)}
        quotas = [{name: value for name, value in row.items() if value} for row in self.quotas if row["value"]]
        named |= {"policies": self.many("policies"), "quotas": quotas}
        named |= {"costs": costs} if costs else {}
        named |= {"lanes": "auto"} if self.one("lanes") == "auto" else {"lanes": lanes} if lanes else {}
        return checked(RoundIn, named, _field).request()


@router.get("/new")
def design(ask: EngineerAsk) -> Response:
    """The form; with ``plan`` also what a round of it would cost and is likely to bring."""
    query = ask.request.query_params
    typed = Design({name: query.getlist(name) for name in query})
    if not typed.one("round_id"):  # its seed comes from its id: what is shown must be what would start
        return RedirectResponse(typed.address(round_id=new_id("round")), status_code=303)
    return ask.show(_page(ask, typed, planned=bool(typed.one(PLAN))))


@router.post("/new")
def start(ask: EngineerAsk) -> Response:
    """Start the round that was designed."""
    typed = Design(parse_qs(ask.form.get("design", ""), keep_blank_values=True))
    try:
        job = begin_round(ask.goldfold, ask.jobs, typed.given())
    except tuple(STATUSES) as error:
        if status_of(type(error)) >= 500:
            raise
        return ask.show(_page(ask, typed, planned=False, problems=_problems(error), status=status_of(type(error))))
    return ask.back(f"/console/rounds/{job.job_id}", f"Round {job.job_id} was started.")


def _page(ask: Ask, typed: Design, *, planned: bool, problems: tuple[str, ...] = (), status: int = 200) -> Page:
    found, charts = None, []
    if planned:
        try:
            given = typed.given()
            check_round(ask.goldfold.policies, round_request(ask.goldfold.settings, given))
            found = ask.kept(("round outlook", typed.address()), lambda: outlook_of(ask.goldfold, given))
        except (InvalidInput, SelectionError) as error:
            problems, status = _problems(error), status_of(type(error))
    if found is not None and found.value is not None and found.value.histogram.edges:
        charts = [pi_chart(found.value.histogram)]
    data = {
        "outlook": found,
        "problems": list(problems),
        "wrong": sorted({problem.partition(":")[0].strip() for problem in problems}),
        "typed": {name: values for name, values in typed.typed.items() if name != PLAN},
        "design": typed.address().partition("?")[2],
        **_choices(ask, typed),
    }
    return Page("New round", "round_design.html", data, charts, status)


def _choices(ask: Ask, typed: Design) -> dict[str, Any]:
    """What the form offers, and the settings that stand where nothing is typed."""
    given = ask.goldfold.settings
    rows = [row for row in typed.quotas if any(row.values())]
    blank = dict.fromkeys(QuotaIn.model_fields, "")
    return {
        "policies": sorted(ask.goldfold.policies),
        "lanes": dict.fromkeys(LANES, 0.0) | ({} if typed.lanes else {str(lane): n for lane, n in given.lanes.items()}),
        "strategies": ["auto", *(name for name in STRATEGIES if name != "auto")],
        "per": list(PER),
        "quota_keys": ["policy", *QUOTA_FIELDS],
        "quotas": [*rows, *[blank] * max(QUOTA_ROWS - len(rows), 1)],
        "costs": asdict(Costs()),
        "settings": {
            "budget": given.budget,
            "overlap": given.overlap,
            "assisted_blind_share": given.assisted_blind_share,
        },
    }


def _field(place: Place) -> str:
    """A field of the request as the form names it."""
    name, *rest = map(str, place)
    if name == "costs" and rest:
        return COST + rest[0]
    if name == "lanes" and rest and rest[-1] in LANES:
        return LANE + rest[-1]
    return ".".join([name, *rest]) if name == "quotas" else name


def _problems(error: Exception) -> tuple[str, ...]:
    return tuple(getattr(error, "problems", ())) or (str(error),)
