"""The sections of a weekly pack, each from plain values: what the desk, daily QA, coverage and the planner say.

A section is ``id``, ``title``, ``note`` and ``entries``; an entry is ``head``, ``lines``, ``figures`` and ``link``.
Nothing of an item is in them, not even its id: they link to where the items are told to whoever may see them, so an
erasure has nothing to take back from a pack.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from labeling.figures import FIGURE
from labeling.golden.gold_links import GoldAsked
from labeling.golden.planner import GoldPlan
from labeling.golden.stale import StaleShare
from labeling.insights.qa_report import AT_RISK, BELOW
from labeling.quality.intervals import FEW
from labeling.records import GoldState

Json = dict[str, Any]
Window = tuple[datetime, datetime]  # from, until
CLUSTERS, NEEDS = 3, 5  # how many of each are told
COUNTED = "counted: all rows of the golden set, so there is no sampling error"
NOT_GIVEN = "Nothing was given to this draft."


def section(id_: str, title: str, entries: Iterable[Json], note: str = "") -> Json:
    """One section; where nothing is in it, it says so."""
    found = list(entries)
    return {"id": id_, "title": title, "note": note or ("" if found else "Nothing this week."), "entries": found}


def entry(head: str, lines: Iterable[str] = (), figures: Iterable[Json] = (), link: str = "") -> Json:
    """One entry; empty lines are left out."""
    return {"head": head, "lines": [line for line in lines if line], "figures": list(figures), "link": link}


def figure(name: str, told: Any, **origin: str) -> Json:
    """A figure by its name, with all that it needs to be quoted by itself. Raises KeyError where that lacks."""
    whole = {**told, **origin}
    return {"name": name, **{key: whole[key] for key in FIGURE}}


def findings(desk: Sequence[Json], window: Window) -> Json:
    """Opened, settled or come back within the window. Codes are told once all are in, as the desk tells them."""
    return section("findings", "Findings", (_finding(one, window) for one in desk if _moved(one, window)))


def given(id_: str, title: str, entries: Sequence[Json] | None) -> Json:
    """A section that somebody else made; None: nobody did."""
    return section(id_, title, entries or (), NOT_GIVEN if entries is None else "")


def gaps(
    coverage: Json | None, why: str, plan: GoldPlan | None, stale: Sequence[StaleShare], versions: tuple[str, Json]
) -> Json:
    """What gold lacks. ``why``: there is no coverage; ``versions``: golden, and of policies by id."""
    entries = [] if coverage is None else _coverage(coverage)
    entries += [] if plan is None else _needs(plan)
    entries += [_stale(share, versions) for share in stale]
    return section("gaps", "Gaps", entries, "" if coverage is not None else f"No coverage: {why}")


def risks(reports: Sequence[Json], alerts: Sequence[Json] | None) -> Json:
    """Projects that are below their target, or at risk, by the days that daily QA sampled; and alerts."""
    entries = [
        _breach(report, project)
        for report in reports
        for project in report["projects"]
        if project["state"] in (BELOW, AT_RISK)
    ]
    days = ", ".join(str(report["day"]) for report in reports) or "none"
    note = f"Days of daily QA: {days}." + (" No alerts were given to this draft." if alerts is None else "")
    return section("risks", "Risks", [*entries, *(alerts or ())], note)


def asks(desk: Sequence[Json]) -> Json:
    """Actions that are open or missed, by owner; late ones first."""
    owners: dict[str, list[tuple[bool, date, str]]] = {}
    for one in desk:
        for action in one["actions"]:
            if action["state"] in ("open", "missed"):
                late = "; LATE" if action["is_late"] else ""
                again = "; missed its target, so do more" if action["state"] == "missed" else ""
                line = (
                    f"{action['action_id']} ({one['finding_id']}): {action['what']}; due {action['due']}{late}{again}"
                )
                owners.setdefault(action["owner"], []).append((not action["is_late"], action["due"], line))
    return section(
        "asks", "Asks", (entry(owner, [line for *_, line in sorted(rows)]) for owner, rows in sorted(owners.items()))
    )


def actions(desk: Sequence[Json], window: Window, now: Mapping[str, Json]) -> Json:
    """Verified or missed within the window, and done but not proven yet (``now``: their KPI since then, by id)."""
    entries = [
        _action(one, action, found)
        for one in desk
        for action in one["actions"]
        if (found := _proof(action, window, now)) is not None
    ]
    return section("actions", "Actions: did they help?", entries)


def policy_version(name: str, versions: Mapping[str, Any]) -> str:
    """A policy's, or those of all."""
    named = [name] if name in versions else sorted(versions)
    return ", ".join(f"{each} {versions[each]}" for each in named) or "none"


def _within(at: datetime, window: Window) -> bool:
    return window[0] <= at < window[1]


def _settled_at(one: Json) -> datetime | None:
    codings = one["codings"]
    return max(coding["at"] for coding in codings) if one["cause"] and codings else None


def _moved(one: Json, window: Window) -> bool:
    settled = _settled_at(one)
    return _within(one["opened_at"], window) or (settled is not None and _within(settled, window))


def _finding(one: Json, window: Window) -> Json:
    settled, cause = _settled_at(one), one["cause"]
    told = ["opened"] if _within(one["opened_at"], window) else []
    told += ["settled"] if settled is not None and _within(settled, window) else []
    told += ["recurring"] if one["recurs"] else []
    waits = f"waits for a {one['waits_for']} code" if one["waits_for"] else f"{cause} ({one['cause_text']})"
    lines = [
        one["statement"],
        f"{', '.join(told)}; severity {one['severity']}; cause: {waits}; state: {one['state']}",
        f"Where: {', '.join(f'{key}={value}' for key, value in sorted(one['slice'].items()))}" if one["slice"] else "",
        f"Earlier findings thought mended: {', '.join(one['recurs'])}" if one["recurs"] else "",
        f"Cost so far, as told by who opened it: {one['cost_minutes']:g} minutes" if one["cost_minutes"] else "",
        f"Items that show it: {len(one['item_ids'])}; golden {one['golden_version']}, "
        f"policy {one['policy_version'] or 'not told'}",
    ]
    return entry(f"{one['finding_id']}: {one['title']}", lines, link=f"/v1/findings/{one['finding_id']}")


def _coverage(told: Json) -> list[Json]:
    apart = told["divergence"]
    whole = [
        figure("share of texts near gold", told["near"]),
        figure("share of risky texts near gold, by weight", told["near_risky"]),
        figure("divergence of gold from risky texts, bits", apart | {"n": apart["gold"]}),
    ]
    chance = (
        f"Near: a cosine of {told['cosine']:g}. By chance alone the divergence reaches {apart['by_chance']:.3f} bits."
    )
    entries = [entry("Coverage", [chance], whole, "/v1/coverage")]
    for one in told["clusters"][:CLUSTERS]:
        head = (
            f"Dark cluster {one['cluster']}: {one['items']} texts, {one['gold']} gold, dark risk {one['dark_risk']:g}"
        )
        entries.append(entry(head, (), [figure("share near gold", one["near"])], "/v1/coverage"))
    return entries


def _needs(plan: GoldPlan) -> list[Json]:
    """As one entry; none where nothing is missing."""
    short = [need for need in plan.needs if need.gap]
    lines = [
        f"{s.policy}, {s.zone}{f', {s.rule}' if s.rule else ''}, {s.language}: {need.have} of {need.need} rows"
        for need in short[:NEEDS]
        for s in (need.stratum,)
    ]
    head = f"{len(short)} strata are short of gold in {plan.partition}; at least {plan.labels} labels close them all"
    return [entry(head, lines)] if short else []


def _stale(share: StaleShare, versions: tuple[str, Json]) -> Json:
    golden, policies = versions
    n = share.stale + share.active
    told = {"value": share.share if n > FEW else None, "low": share.share, "high": share.share, "n": n}
    origin = {
        "licence": COUNTED,
        "golden_version": golden,
        "policy_version": policy_version(share.policy_id, policies),
        "items": GoldAsked(policy=share.policy_id, state=GoldState.STALE).link(),
    }
    return entry(f"Stale gold of {share.policy_id}: {share.stale} rows", (), [figure("share stale", told, **origin)])


def _breach(report: Json, project: Json) -> Json:
    told = project["accuracy"]
    head = f"{report['day']}: project {project['project']} is {project['state']}"
    line = f"Target {project['target']:g}; probability of being below it {project['below_target']:.2f}"
    return entry(head, [line], [figure("accuracy", told)], told["items"])


def _proof(action: Json, window: Window, now: Mapping[str, Json]) -> tuple[str, Json] | None:
    """What is said of an action, and the figure behind it; None where nothing is."""
    for event in reversed(action["events"]):
        if str(event["state"]) in ("verified", "missed") and _within(event["at"], window):
            return str(event["state"]), event["figure"]
    return ("not yet", now[action["action_id"]]) if action["action_id"] in now else None


def _action(one: Json, action: Json, proof: tuple[str, Json]) -> Json:
    said, after = proof
    where = action["slice"]
    aim = "at least" if action["kpi"] == "accuracy" else "at most"
    lines = [
        f"{action['what']} (owner {action['owner']}, for {one['finding_id']})",
        f"Target: {action['kpi']} {aim} {action['target']:g}"
        + (f" where {', '.join(f'{key}={value}' for key, value in sorted(where.items()))}" if where else ""),
    ]
    figures = [figure("before", action["before"]), figure("after", after)]
    return entry(f"{action['action_id']}: {said}", lines, figures, f"/v1/findings/{one['finding_id']}")


def actions_of(one: Json) -> list[Json]:
    """The actions of a finding, as the desk tells them."""
    found: list[Json] = one["actions"]
    return found
