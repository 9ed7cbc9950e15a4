"""The golden set: what it has and needs, what is contested or known to be wrong, and whether its hashes hold:
/console/golden. Its versions are in ``golden_versions``.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Literal

from fastapi import APIRouter
from fastapi.responses import Response

from api.auth import RANK, Role
from api.console.actors import unnamed
from api.console.kept import Kept
from api.console.page import Ask, EngineerAsk, LeadAsk, Page, ViewerAsk
from api.console.pages.golden_grid import by_policy, grid_of, tallies
from api.routes.golden import get_golden
from api.routes.golden_versions import ErratumIn, add_erratum
from labeling.golden.audit import audit
from labeling.golden.contests import contests
from labeling.golden.diff import told_errata
from labeling.golden.planner import GoldPlan
from labeling.golden_records import Erratum
from labeling.records import GoldenVersion, VersionState
from labeling.suspects import kept as suspects

router = APIRouter(prefix="/golden")
HERE = "/console/golden"
SHOWN = 50  # rows of a page
SHARE = 0.9  # around which a share is expected, as /v1/golden/plan has it
TABS = (
    ("", "Have and need", Role.VIEWER),
    ("/versions", "Versions", Role.VIEWER),
    ("/contests", "Contests", Role.ENGINEER),
    ("/errors", "Known errors", Role.VIEWER),
    ("/items", "History of an item", Role.LEAD),
    ("/verify", "Hashes", Role.ENGINEER),
)


def tabs(ask: Ask) -> list[tuple[str, str]]:
    """The parts of the golden set that the visitor may see."""
    return [(HERE + part, label) for part, label, role in TABS if RANK[role] <= RANK[ask.visitor.role]]


class NotedIn(ErratumIn):
    """An erratum, and of which version."""

    version: str


@router.get("")
def overview(
    ask: ViewerAsk,
    policy: str = "",
    partition: Literal["train", "calibration", "dev"] = "dev",
    half_width: float = 0.1,
) -> Response:
    """What there is of each kind, and what each stratum has and needs."""
    goldfold = ask.goldfold
    versions = goldfold.ledger.golden.versions(everything=True)
    plan = ask.kept(("gold plan", partition, half_width), lambda: goldfold.gold_plan(partition, SHARE, half_width))
    chosen = policy or _neediest(plan)
    grid = None if plan.value is None else grid_of(plan.value, chosen)
    data = {
        "tabs": tabs(ask),
        "counts": ask.kept("golden counts", lambda: tallies(get_golden(goldfold))),
        "plan": plan,
        "by_policy": [] if plan.value is None else by_policy(plan.value),
        "grid": grid,
        "asked": {"policy": chosen, "partition": partition, "half_width": half_width},
        "policies": sorted(goldfold.policies),
        "newest": next((_told(each) for each in reversed(versions) if each.state is VersionState.RELEASED), None),
        "proposed": next((_told(each) for each in versions if each.state is VersionState.PROPOSED), None),
        "beside": _beside(ask),
    }
    return ask.show(Page("Golden set", "golden.html", data, charts=[] if grid is None else [grid.chart()]))


@router.get("/contests")
def contested(ask: EngineerAsk, skip: int = 0) -> Response:
    """Golden items without one right answer; sealed ones only counted."""
    found = ask.kept("contests", lambda: contests(ask.goldfold.ledger.golden))
    data = {"tabs": tabs(ask), "contests": found, "skip": max(skip, 0), "shown": SHOWN}
    return ask.show(Page("Contests", "golden_contests.html", data))


@router.get("/errors")
def ledger_of_errors(ask: ViewerAsk, skip: int = 0, item: str = "", policy: str = "", version: str = "") -> Response:
    """Rows of versions that are known to be wrong; for leads also labels that look wrong. ``item``, ``policy`` and
    ``version`` fill in the form by which a lead notes one."""
    golden = ask.goldfold.ledger.golden
    errata = golden.errata()[::-1]
    start = max(skip, 0)
    suspected: Kept[Any] | None = None
    if ask.is_lead:
        suspected = ask.kept("suspects", lambda: suspects(golden, ask.goldfold.cache_dir))
    data = {
        "tabs": tabs(ask),
        "errata": [_named(ask, erratum) for erratum in told_errata(golden, errata[start : start + SHOWN])],
        "all": len(errata),
        "skip": start,
        "shown": SHOWN,
        "suspected": suspected,
        "versions": [each.version for each in reversed(golden.versions())] if ask.is_lead else [],
        "filled": {"item": item, "policy": policy, "version": version},
    }
    return ask.show(Page("Known errors", "golden_errors.html", data))


@router.post("/errors")
def add(ask: LeadAsk) -> Response:
    """Say that a row of a released version is wrong."""
    given = ask.typed(NotedIn)
    erratum = ErratumIn(**given.model_dump(exclude={"version"}))
    made = add_erratum(ask.goldfold, given.version, ask.visitor.key, erratum)
    return ask.back(f"{HERE}/errors", f"Noted against version {made.version}, which stays as it is.")


@router.get("/verify")
def verify(ask: EngineerAsk) -> Response:
    """Whether every hash holds: of the chain, of the set as it is, of each version."""
    found = ask.kept("golden audit", lambda: audit(ask.goldfold.ledger.golden))
    return ask.show(Page("Hashes", "golden_verify.html", {"tabs": tabs(ask), "audited": found}))


def _neediest(plan: Kept[GoldPlan]) -> str:
    """The policy of the largest gap, which the plan has first."""
    return "" if plan.value is None or not plan.value.needs else plan.value.needs[0].stratum.policy


def _named(ask: Ask, erratum: Erratum) -> dict[str, Any]:
    """With the caller's own id of the item, while there is one."""
    rows = ask.goldfold.ledger.golden.rows_of(erratum.item_id)
    return unnamed(ask, asdict(erratum)) | {"external_id": rows[0].external_id if rows else ""}


def _told(version: GoldenVersion) -> dict[str, Any]:
    """A version as the overview tells it."""
    return {"version": version.name, "created_at": version.created_at, "counts": version.counts}


def _beside(ask: Ask) -> dict[str, int]:
    """What else the ledger keeps of the golden set, counted."""
    erasures = ask.goldfold.ledger.erasures
    return {
        "errata": len(ask.goldfold.ledger.golden.errata()),
        "erasures": len(erasures.all()),
        "holds": len(erasures.holds()),
        "exports": len(erasures.exports()),
    }
