"""What the page of the golden set lays out: its counts by policy, and one policy's strata as a grid."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from api.console.charts import Chart, Series
from api.routes.golden import StratumOut
from labeling.golden.planner import GoldPlan, Need, Stratum, Zone, round_for

DESIGNER = "/console/rounds/new"
QUOTA = ("key", "value", "at_least", "at_most")
WAYS = ("tier", "state", "partition", "outcome")
ORDER = {Zone.VIOLATING: 0, Zone.NEAR_MISS: 1, Zone.CLEAR: 2}
Kind = tuple[Zone, str, int | None]  # zone, rule, severity


@dataclass(frozen=True, slots=True)
class Cell:
    """A stratum. ``level``: met, near (half or more) or short; ``round``: where the round that would close its gap is
    designed, "" where it has none."""

    have: int
    need: int
    level: str
    round: str


@dataclass(frozen=True, slots=True)
class Grid:
    """One policy's strata: ``rows`` by zone, rule and severity, ``columns`` by language; None: no such stratum."""

    policy: str
    columns: tuple[str, ...]
    rows: tuple[str, ...]
    cells: tuple[tuple[Cell | None, ...], ...]

    def chart(self) -> Chart:
        """How many of the rows that it needs each stratum lacks."""
        gaps = [[None if cell is None else max(0, cell.need - cell.have) for cell in row] for row in self.cells]
        title = f"Rows that {self.policy} lacks, by stratum"
        series = [Series("missing", self.columns, self.rows)]
        return Chart("strata", title, "heat", "language", "stratum", series, z=gaps)


def grid_of(plan: GoldPlan, policy: str) -> Grid | None:
    """The needs of a policy laid out; None where the plan has none of it."""
    mine = {(_kind(need.stratum), need.stratum.language): need for need in plan.needs if need.stratum.policy == policy}
    if not mine:
        return None
    columns = tuple(sorted({language for _, language in mine}))
    kinds = sorted({kind for kind, _ in mine}, key=lambda kind: (ORDER[kind[0]], kind[1], -(kind[2] or 0)))
    cells = tuple(tuple(_cell(plan, mine.get((kind, language))) for language in columns) for kind in kinds)
    return Grid(policy, columns, tuple(map(_name, kinds)), cells)


def by_policy(plan: GoldPlan) -> list[dict[str, Any]]:
    """How many strata each policy has, how many of them lack rows, and how many rows these lack."""
    found = []
    for policy in sorted({need.stratum.policy for need in plan.needs}):
        mine = [need for need in plan.needs if need.stratum.policy == policy]
        gaps = [need.gap for need in mine if need.gap]
        have = sum(need.have for need in mine)
        found.append({"policy": policy, "strata": len(mine), "short": len(gaps), "have": have, "missing": sum(gaps)})
    return found


def tallies(strata: Iterable[StratumOut]) -> dict[str, Any]:
    """The golden set counted by policy in each way that it is cut; ``strata``: as /v1/golden tells them."""
    ways: dict[str, dict[str, Counter[str]]] = {way: {} for way in WAYS}
    total = 0
    for each in strata:
        total += each.items
        for way, found in ways.items():
            found.setdefault(each.policy, Counter())[str(getattr(each, way))] += each.items
    return {"rows": total, "ways": {way: _table(found) for way, found in ways.items()}}


def designer(asked: Mapping[str, Any]) -> str:
    """The round designer with a round filled in as ``planner.round_for`` asks for it."""
    fields = [("budget", str(asked["budget"])), *(("policies", policy) for policy in asked["policies"])]
    fields += [(f"lane_{lane}", f"{share:g}") for lane, share in asked["lanes"].items()]
    for bound in asked["quotas"]:
        fields += [(f"quota_{name}", str(bound.get(name, ""))) for name in QUOTA]
    return f"{DESIGNER}?{urlencode(fields)}"


def _table(found: Mapping[str, Counter[str]]) -> dict[str, Any]:
    columns = sorted({name for counts in found.values() for name in counts})
    return {"columns": columns, "rows": {policy: [found[policy][name] for name in columns] for policy in sorted(found)}}


def _kind(stratum: Stratum) -> Kind:
    return stratum.zone, stratum.rule, stratum.severity


def _name(kind: Kind) -> str:
    zone, rule, severity = kind
    if zone is not Zone.VIOLATING:
        return str(zone).replace("_", " ")
    return f"{rule or 'no rule'}{'' if severity is None else f' S{severity}'}"


def _cell(plan: GoldPlan, need: Need | None) -> Cell | None:
    if need is None:
        return None
    if not need.gap:
        return Cell(need.have, need.need, "met", "")
    only = plan.only(need)
    asked = round_for(only, max(only.labels, 1))
    return Cell(need.have, need.need, "near" if 2 * need.have >= need.need else "short", designer(asked))
