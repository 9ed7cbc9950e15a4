"""Audit: every figure's formula and items, the golden set's events, who did what, and whether anything was tampered
with: /console/audit. Here, who did something is told to leads alone; who stands for a release, a promotion or a change
of policy is named on its own page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response

from api.auth import RANK, Role
from api.composition import Goldfold
from api.console.kpi_figures import Shown
from api.console.kpis import REGISTER, Kpi, kpi
from api.console.nav import MENU
from api.console.page import Ask, EngineerAsk, Page, ViewerAsk
from labeling.erasure import standings
from labeling.golden.audit import audit
from labeling.golden.timeline import newest, timeline
from labeling.judging.signing import verify_chain
from labeling.records import Partition

router = APIRouter(prefix="/audit")
EVENTS, ENTRIES, OWN = 50, 50, 20  # of a page; OWN: on a figure's own
OPEN = ("policy", "round", "model", "qa")  # whose targets are no people, and no golden items, sealed ones among them
OPEN_ACTIONS = ("golden.publish", "golden.export", "golden.approved", "golden.rejected")
Before = Annotated[int | None, Query(ge=1)]
Words = Annotated[str, Query(max_length=200)]
Json = dict[str, Any]


@router.get("")
def show(ask: ViewerAsk) -> Response:
    """The register of figures, and what was done to the golden set, in counts."""
    counts = ask.kept(("audit", "counts"), partial(_counts, ask.goldfold))
    data = {"register": [_entry(ask, one) for one in REGISTER], "counts": counts, **_sees(ask)}
    return ask.show(Page("Audit", "audit.html", data))


@router.get("/kpis/{kpi_id}")
def figure(ask: ViewerAsk, kpi_id: str) -> Response:
    """A figure: its formula, who computes it, and as it stands now."""
    one = kpi(kpi_id)
    told = ask.kept(("audit", "kpi", kpi_id), partial(one.read, ask.goldfold)) if _may(ask, one) else None
    versions = _versions(told.value if told is not None and told.value is not None else [])
    names = names_of(ask) if ask.is_lead else {}
    named = {name.split(" ")[0] for name in versions["policies"] if " " in name}
    rows = [_line(row, names, whole=ask.is_lead) for row in _own_events(ask, one, versions["golden"], named)]
    data = {"kpi": _entry(ask, one), "figures": told, "versions": versions, "events": rows, **_sees(ask)}
    return ask.show(Page(one.name, "audit_kpi.html", data))


@router.get("/events")
def events(ask: ViewerAsk, before: Before = None) -> Response:
    """What happened to the golden set, the newest first."""
    found = timeline(ask.goldfold.ledger.golden, EVENTS, before, whole=ask.is_lead)
    last = int(str(found[-1]["number"])) if found else 0
    names = names_of(ask) if ask.is_lead else {}
    rows = [row | {"actor": names.get(str(row["actor"]), row["actor"])} for row in found]
    data = {"events": rows, "next": last if last > 1 else None, **_sees(ask)}
    return ask.show(Page("Events of the golden set", "audit_events.html", data))


@router.get("/trail")
def trail(
    ask: ViewerAsk,
    before: Before = None,
    actor: Words = "",
    action: Words = "",
    target: Words = "",
    of: Words = "",
) -> Response:
    """Who did what to what, the newest first. Who does not lead sees what was done, and to what unless that is a
    person or a golden item. ``of``: what changes that figure of the register alone."""
    given = {"action": action, **({"actor": actor, "target": target} if ask.is_lead else {})}
    latest = ask.goldfold.ledger.audit.latest
    found = latest(ENTRIES, before=before, actions=kpi(of).events if of else (), **given)
    names = names_of(ask) if ask.is_lead else {}
    rows = [_line(row, names, whole=ask.is_lead) for row in found]
    rest = int(str(found[-1]["seq"])) if len(found) == ENTRIES else None
    data = {"entries": rows, "given": {"actor": "", "target": "", "of": of, **given}, "next": rest, **_sees(ask)}
    return ask.show(Page("Audit trail", "audit_trail.html", data))


@router.get("/verify")
def verify(ask: EngineerAsk) -> Response:
    """Every hash computed anew: of the event chain, the set, its versions, and the gate's verdicts."""
    goldfold = ask.goldfold
    secret = goldfold.settings.gate_secret.get_secret_value()
    data = {
        "golden": ask.kept(("audit", "verify"), partial(audit, goldfold.ledger.golden)),
        "gates": ask.kept(("audit", "gates"), lambda: {"count": verify_chain(goldfold.ledger.gates.all(), secret)}),
        **_sees(ask),
    }
    return ask.show(Page("Verify", "audit_verify.html", data))


def _may(ask: Ask, one: Kpi) -> bool:
    return RANK[ask.visitor.role] >= RANK[one.role]


def _sees(ask: Ask) -> dict[str, bool]:
    """What a visitor is led to: ``whole``: who did something."""
    return {"whole": ask.is_lead, "may_verify": RANK[ask.visitor.role] >= RANK[Role.ENGINEER]}


def _entry(ask: Ask, one: Kpi) -> Json:
    """What the register says of a figure, without what makes it."""
    told = {name: getattr(one, name) for name in Kpi.__slots__ if name not in ("read", "role", "events")}
    place = next(place for place in MENU if place.path == one.page)
    return told | {
        "role": one.role.value,
        "is_open": _may(ask, one),
        "may_page": RANK[ask.visitor.role] >= RANK[place.role],
    }


def _versions(shown: Sequence[Shown]) -> dict[str, list[str]]:
    """What the figures shown rest on: golden versions, and policies with theirs."""
    golden = {each.told["golden_version"] for each in shown if each.told.get("golden_version")}
    named = {one for each in shown for one in (each.told.get("policy_version") or "").split(", ") if one}
    return {"golden": sorted(golden), "policies": sorted(named)}


def _own_events(ask: Ask, one: Kpi, golden: Sequence[str], policies: Collection[str]) -> list[dict[str, object]]:
    """The newest entries of the trail that change a figure, and those of the golden versions that it rests on."""
    latest = ask.goldfold.ledger.audit.latest
    found = latest(OWN, actions=one.events)
    for version in golden:
        found += latest(OWN, actions=OPEN_ACTIONS, target=version)
    rows = {int(str(row["seq"])): row for row in found}
    return [rows[seq] for seq in sorted(rows, reverse=True) if _touches(rows[seq], policies)][:OWN]


def _touches(row: Mapping[str, object], policies: Collection[str]) -> bool:
    """Whether an entry on a policy is on one that a figure rests on, where it names them."""
    is_other = str(row["action"]).startswith("policy.") and str(row["target"]).split(" ")[0] not in policies
    return not (policies and is_other)


def _counts(goldfold: Goldfold) -> Json:
    ledger = goldfold.ledger
    erasures, asked = standings(ledger), Counter((one.family, one.is_repeat) for one in ledger.sealed.all())
    families = sorted({family for family, _ in asked})
    return {
        "events": newest(ledger.golden),
        "versions": len(ledger.golden.versions(everything=True)),
        "sealed": [{"family": one, "asked": asked[one, False], "repeats": asked[one, True]} for one in families],
        "sealed_budget": goldfold.settings.sealed_budget,
        "erasures": len(erasures),
        "erasures_unfinished": sum(one.erasure.finished_at is None for one in erasures),
        "notices_open": sum(notice.acknowledged_at is None for one in erasures for notice in one.notices),
        "holds": len(ledger.erasures.holds()),
        "stops": len(ledger.stops.all()),
    }


def names_of(ask: Ask) -> dict[str, str]:
    """Keys by id, as a person knows them."""
    return {key.key_id: key.name for key in ask.goldfold.ledger.keys.all()}


def _line(row: dict[str, object], names: dict[str, str], *, whole: bool) -> Json:
    action, actor, detail = str(row["action"]), str(row["actor"]), row["detail"]
    told = dict(detail) if isinstance(detail, dict) else {}
    if told.get("partition") == Partition.SEALED:
        told.pop("outcome", None)  # a sealed answer
    shown: Json = {"seq": row["seq"], "at": row["at"], "action": action}
    if whole:
        return shown | {"target": row["target"], "actor": actor, "name": names.get(actor, actor), "detail": told}
    is_open = action.partition(".")[0] in OPEN or action in OPEN_ACTIONS
    return shown | {"target": row["target"] if is_open else ""}
