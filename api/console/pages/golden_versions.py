"""Golden versions: what there is, what the next one would change, two side by side, and the second person's word:
/console/golden/versions.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from api.console.actors import unnamed
from api.console.page import Ask, EngineerAsk, LeadAsk, Page, ViewerAsk
from api.console.pages.golden import HERE, SHOWN, tabs
from api.routes.golden import Bump, PublishIn, VersionOut, publish_version
from api.routes.golden_versions import DecisionIn, approve, reject
from labeling.golden.diff import Which, diff, told_errata
from labeling.golden.outlook import outlook
from labeling.records import GoldenVersion, VersionState

router = APIRouter(prefix="/golden/versions")
VERSIONS = f"{HERE}/versions"
KINDS = ("added", "removed", "flipped", "rule", "severity", "moved", "tier", "policy", "evidence", "erased")


@router.get("")
def all_versions(ask: ViewerAsk, skip: int = 0) -> Response:
    """Every version, the newest first."""
    everything = list(reversed(ask.goldfold.ledger.golden.versions(everything=True)))
    start = max(skip, 0)
    data = {
        "tabs": tabs(ask),
        "versions": [_told(ask, each) for each in everything[start : start + SHOWN]],
        "names": [each.version for each in everything],
        "all": len(everything),
        "skip": start,
        "shown": SHOWN,
        "waiting": next((each.version for each in everything if each.state is VersionState.PROPOSED), ""),
        "two_person": ask.goldfold.settings.two_person_release,
    }
    return ask.show(Page("Golden versions", "golden_versions.html", data))


@router.get("/publish")
def look_ahead(ask: LeadAsk, bump: Bump | None = None) -> Response:
    """What a version would change if it were published now; nothing is written."""
    golden = ask.goldfold.ledger.golden
    data = {
        "tabs": tabs(ask),
        "outlook": ask.kept(("outlook", bump), lambda: outlook(golden, bump, SHOWN)),
        "bump": bump or "",
        "two_person": ask.goldfold.settings.two_person_release,
    }
    return ask.show(Page("Publish a version", "golden_publish.html", data))


@router.post("/publish")
def publish(ask: LeadAsk) -> Response:
    """Publish it, or propose it where two people release."""
    made = publish_version(ask.goldfold, ask.visitor.key, ask.typed(PublishIn))
    is_proposed = made.state is VersionState.PROPOSED
    said = f"Version {made.version} is {'proposed: another lead approves it' if is_proposed else 'published'}."
    return ask.back(f"{VERSIONS}/{made.version}", said)


@router.get("/compare")
def compare(ask: EngineerAsk, before: str = "", after: str = "", kind: str = "", skip: int = 0) -> Response:
    """What changed from one version to another; sealed rows are counted, not listed."""
    golden = ask.goldfold.ledger.golden
    which = Which(limit=SHOWN, skip=max(skip, 0), kind=kind, sealed=False)
    for name in filter(None, (before, after)):
        golden.version(name)
    found = None
    if before and after:
        found = ask.kept(("diff", before, after, which), lambda: diff(golden, before, after, which=which))
    data = {
        "tabs": tabs(ask),
        "diff": found,
        "before": before,
        "after": after,
        "kind": kind,
        "kinds": KINDS,
        "skip": which.skip,
        "shown": SHOWN,
        "names": _names(golden.versions(everything=True)),
    }
    title = f"What changed from {before} to {after}" if found else "Compare versions"
    return ask.show(Page(title, "golden_diff.html", data))


@router.get("/{version}")
def one_version(ask: ViewerAsk, version: str) -> Response:
    """One version: its counts, root, who released it, and what of it is known to be wrong."""
    golden = ask.goldfold.ledger.golden
    found = golden.version(version)
    data: dict[str, Any] = {
        "tabs": tabs(ask),
        "version": _told(ask, found),
        "errata": [unnamed(ask, asdict(erratum)) for erratum in told_errata(golden, golden.errata(version)[:SHOWN])],
        "exports": _handed(ask, found) if ask.is_lead else None,
        "may_decide": ask.is_lead and found.state is VersionState.PROPOSED and found.author != ask.actor,
    }
    return ask.show(Page(f"Golden version {found.name}", "golden_version.html", data))


@router.post("/{version}/approve")
def say_yes(ask: LeadAsk, version: str) -> Response:
    """Release a proposed version; whoever proposed it is refused."""
    made = approve(ask.goldfold, version, ask.visitor.key, ask.typed(DecisionIn))
    return ask.back(f"{VERSIONS}/{version}", f"Version {made.version} is released.")


@router.post("/{version}/reject")
def say_no(ask: LeadAsk, version: str) -> Response:
    """Turn a proposed version down."""
    made = reject(ask.goldfold, version, ask.visitor.key, ask.typed(DecisionIn))
    return ask.back(f"{VERSIONS}/{version}", f"Version {made.version} is rejected; its number is not given again.")


def _told(ask: Ask, version: GoldenVersion) -> dict[str, Any]:
    return unnamed(ask, VersionOut.of(version).model_dump())


def _names(versions: list[GoldenVersion]) -> list[str]:
    return [each.version for each in reversed(versions)]


def _handed(ask: Ask, version: GoldenVersion) -> list[dict[str, Any]]:
    """Who got which export of it."""
    exports = ask.goldfold.ledger.erasures.exports()
    return [asdict(each) for each in exports if each.version == version.version][:SHOWN]
