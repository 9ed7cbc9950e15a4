"""The designer of rounds: /console/rounds/new. A dry run tells cost and likely yield; a second button starts the job.

What is typed stands in the address, so that a design can be kept, sent to somebody, and filled in by other pages.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
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
    """What was typed, field by field, as strings; ``standing``: what the form's fields hold where nothing was."""

    typed: Typed
    standing: Mapping[str, str] = field(default_factory=dict)

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
        """The shares that were typed, but for those of nothing; none where they are those of the settings."""
        shares = {lane: self.one(LANE + lane) for lane in LANES}
        if all(_same(share or "0", self.standing.get(LANE + lane, "0")) for lane, share in shares.items()):
            return {}
        return {lane: share for lane, share in shares.items() if share and not _same(share, "0")}

    def own(self, name: str) -> str:
        """A field's value, "" where it is what stands there anyway: the settings' own, or a constant's."""
        said = self.one(name)
        return "" if _same(said, self.standing.get(name, "")) else said

    def address(self, **more: str) -> str:
        """Where this design is looked at."""
        kept = {name: values for name, values in self.typed.items() if any(values) and name not in more}
        return f"{PATH}?{urlencode({**kept, **more}, doseq=True)}"

    def given(self) -> dict[str, Any]:
        """The design as ``POST /v1/rounds`` takes it. Raises InvalidInput naming each field."""
        named: dict[str, Any] = {name: self.own(name) for name in (*PLAIN, *ASSISTED) if self.own(name)}
        lanes = self.lanes
        costs = {each.name: self.own(COST + each.name) for each in fields(Costs) if self.own(COST + each.name)}
        quotas = [{name: value for name, value in row.items() if value} for row in self.quotas if row["value"]]
        named |= {"policies": self.many("policies"), "quotas": quotas}
        named |= {"costs": costs} if costs else {}
        named |= {"lanes": "auto"} if self.one("lanes") == "auto" else {"lanes": lanes} if lanes else {}
        return checked(RoundIn, named, _field).request()


@router.get("/new")
def design(ask: EngineerAsk) -> Response:
    """The form; with ``plan`` also what a round of it would cost and is likely to bring."""
    query = ask.request.query_params
    typed = Design({name: query.getlist(name) for name in query}, _standing(ask))
    if not typed.one("round_id"):  # its seed comes from its id: what is shown must be what would start
        return RedirectResponse(typed.address(round_id=new_id("round")), status_code=303)
    return ask.show(_page(ask, typed, planned=bool(typed.one(PLAN))))


@router.post("/new")
def start(ask: EngineerAsk) -> Response:
    """Start the round that was designed."""
    typed = Design(parse_qs(ask.form.get("design", ""), keep_blank_values=True), _standing(ask))
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


def _standing(ask: Ask) -> dict[str, str]:
    """What stands in each field where nothing is typed: the settings, and the constants of the estimate."""
    given = ask.goldfold.settings
    costs = {COST + name: f"{value:g}" for name, value in asdict(Costs()).items()}
    lanes = dict.fromkeys(LANES, 0.0) | {str(lane): share for lane, share in given.lanes.items()}
    return costs | {
        **{LANE + lane: f"{share:g}" for lane, share in lanes.items()},
        "budget": str(given.budget),
        "overlap": str(given.overlap),
        "assisted": "0",
        "assisted_blind_share": f"{given.assisted_blind_share:g}",
    }


def _choices(ask: Ask, typed: Design) -> dict[str, Any]:
    """What the form offers, and what stands where nothing is typed."""
    rows = [row for row in typed.quotas if any(value for name, value in row.items() if name != "key")]
    blank = dict.fromkeys(QuotaIn.model_fields, "")
    standing = dict(typed.standing)
    if any(typed.one(LANE + lane) for lane in LANES):
        standing |= {LANE + lane: "0" for lane in LANES}
    return {
        "policies": sorted(ask.goldfold.policies),
        "lanes": list(LANES),
        "strategies": ["auto", *(name for name in STRATEGIES if name != "auto")],
        "per": list(PER),
        "quota_keys": ["policy", *QUOTA_FIELDS],
        "quotas": [*rows, *[blank] * max(QUOTA_ROWS - len(rows), 1)],
        "is_bound": bool(rows),
        "costs": list(asdict(Costs())),
        "standing": standing,
        "known": _known(ask),
    }


def _known(ask: Ask) -> list[tuple[str, str]]:
    """Values of bounds that the system knows, each with what it is: policies, and what the newest frame had."""
    frames = (each.frame for each in reversed(ask.goldfold.ledger.rounds.all()) if "languages" in each.frame)
    frame = next(frames, {})
    found = [(policy, "policy") for policy in sorted(ask.goldfold.policies)]
    for name in QUOTA_FIELDS:
        values = frame.get({"modality": "modalities"}.get(name, f"{name}s"))
        found += [(str(value), name) for value in sorted(values)] if isinstance(values, Mapping) else []
    return found


def _same(one: str, other: str) -> bool:
    """Whether two fields say the same, as numbers where they are."""
    try:
        return float(one) == float(other)
    except ValueError:
        return one == other


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
