"""The weekly pack: what a week showed, drafted from the ledger as one document, and signed by a person.

A draft is named by the hash of its content and never changed; drafting again with nothing new gives the same draft. A
person signs the newest; that revision is frozen, and what is drafted later belongs to the next.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from labeling.decision_records import Decided
from labeling.errors import Conflict, InvalidInput, NotFound
from labeling.golden.newest import newest_name
from labeling.golden.planner import GoldPlan
from labeling.golden.stale import stale_shares
from labeling.insights import weekly_parts
from labeling.insights.causes import Stores as DeskStores
from labeling.insights.causes import desk, measure
from labeling.insights.daily_qa import bounds
from labeling.insights.qa_report import Targets, qa_report
from labeling.policies import Policies
from labeling.store.weekly_interface import WeeklyPacks
from labeling.weekly_records import Pack, Signature

_WEEK = re.compile(r"(?P<year>\d{4})-W(?P<week>\d{2})")
Json = dict[str, object]


class Stores(DeskStores, Protocol):
    """The part of the ledger that a pack is drafted from."""

    @property
    def weekly(self) -> WeeklyPacks: ...


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a pack is drafted from beside the ledger. ``coverage`` as ``labeling.insights.coverage`` tells it, None with
    the reason ``no_coverage``; ``patterns`` and ``alerts``: entries as ``weekly_parts.entry`` makes them, None where
    nobody looks for any."""

    policies: Policies
    zone: str = "UTC"
    targets: Targets = field(default_factory=Targets)
    actions: Mapping[str, Decided] = field(default_factory=dict)
    coverage: Json | None = None
    no_coverage: str = "not asked for"
    plan: GoldPlan | None = None
    patterns: Sequence[Json] | None = None
    alerts: Sequence[Json] | None = None


def week_of(now: datetime, zone: str) -> str:
    """The week of yesterday, so that on a Monday it is the one that is over."""
    year, week, _ = (now.astimezone(ZoneInfo(zone)).date() - timedelta(days=1)).isocalendar()
    return f"{year}-W{week:02}"


def monday(week: str) -> date:
    """The first day of a week. Raises InvalidInput."""
    found = _WEEK.fullmatch(week)
    try:
        if found is None:
            raise ValueError(week)
        return date.fromisocalendar(int(found["year"]), int(found["week"]), 1)
    except ValueError as error:
        raise InvalidInput(f"week: {week!r} is none; write it as 2026-W48") from error


def draft(stores: Stores, week: str, inputs: Inputs, actor: str, now: datetime) -> Pack:
    """Draft a week's pack and keep it. Raises InvalidInput for a week that is none or has not begun."""
    first = monday(week)
    days = [first + timedelta(days=n) for n in range(7)]
    window = (bounds(days[0], inputs.zone)[0], bounds(days[-1], inputs.zone)[1])
    if window[0] > now:
        raise InvalidInput(f"week: {week} has not begun yet in {inputs.zone}")
    revision = 1 + len(stores.weekly.signatures(week))
    drafts = [pack for pack in stores.weekly.packs(week) if pack.revision == revision]
    content = _document(stores, week, days, window, inputs, now) | {"revision": revision}
    if drafts and {key: value for key, value in drafts[-1].body.items() if key != "supersedes"} == content:
        return drafts[-1]
    body = content | {"supersedes": drafts[-1].content_hash if drafts else ""}
    pack = Pack(content_hash(body), week, revision, body, actor, now)
    stores.weekly.add(pack)
    return pack


def sign(stores: Stores, week: str, content: str, signer: str, now: datetime) -> Signature:
    """Sign a week's newest draft. ``content``: the beginning of its hash, so that one signs what one has read; "": the
    newest, whatever it is. Raises InvalidInput, NotFound, Conflict."""
    if not signer.strip():
        raise InvalidInput("by: say who signs")
    pack = newest(stores, week)
    if content and not pack.content_hash.startswith(content):
        raise Conflict(f"the newest draft of {week} is {pack.content_hash[:12]}, not {content}: read and sign that one")
    made = Signature(week, pack.revision, pack.content_hash, signer.strip(), now)
    stores.weekly.sign(made)
    return made


def newest(stores: Stores, week: str, revision: int = 0) -> Pack:
    """The newest draft of a week, or of one of its revisions. Raises InvalidInput, NotFound."""
    monday(week)
    found = [pack for pack in stores.weekly.packs(week) if revision in (0, pack.revision)]
    if not found:
        raise NotFound(
            f"week {week} has no draft{f' of revision {revision}' if revision else ''}: goldfold weekly draft"
        )
    return found[-1]


def signature_of(stores: Stores, pack: Pack) -> Signature | None:
    """Who stands for exactly this draft; None: nobody."""
    found = stores.weekly.signatures(pack.week)
    return next((one for one in found if one.content_hash == pack.content_hash), None)


def content_hash(body: Mapping[str, object]) -> str:
    """SHA-256 (hex) of a document's canonical JSON."""
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _document(
    stores: Stores, week: str, days: Sequence[date], window: weekly_parts.Window, inputs: Inputs, now: datetime
) -> Json:
    today = now.astimezone(ZoneInfo(inputs.zone)).date()
    golden, told = newest_name(stores.golden), desk(stores, today)
    versions: Json = {name: policy.version for name, policy in sorted(inputs.policies.items())}
    stale = stale_shares(stores.golden.items())
    return {
        "kind": "goldfold weekly pack",
        "week": week,
        "from": days[0].isoformat(),
        "to": days[-1].isoformat(),
        "zone": inputs.zone,
        "as_of": today.isoformat(),
        "golden_version": golden,
        "policy_versions": versions,
        "sections": [
            weekly_parts.findings(told, window),
            weekly_parts.given("patterns", "Patterns", inputs.patterns),
            weekly_parts.gaps(inputs.coverage, inputs.no_coverage, inputs.plan, stale, (golden, versions)),
            weekly_parts.risks(_reports(stores, days, inputs), inputs.alerts),
            weekly_parts.asks(told),
            weekly_parts.actions(told, window, _since(stores, told, inputs)),
        ],
    }


def _reports(stores: Stores, days: Sequence[date], inputs: Inputs) -> list[Json]:
    sampled = {day.day for day in stores.decisions.days()}
    return [qa_report(stores, day, inputs.targets, inputs.actions) for day in days if day.isoformat() in sampled]


def _since(stores: Stores, told: Sequence[Json], inputs: Inputs) -> dict[str, Json]:
    """The KPI of each action that is done and neither verified nor missed, since it was done."""
    found: dict[str, Json] = {}
    for one in told:
        for action in weekly_parts.actions_of(one):
            if action["state"] == "done":
                done_at = max(event["at"] for event in action["events"] if event["state"] == "done")
                now = measure(stores, action["kpi"], action["slice"], inputs.actions, since=done_at)
                found[action["action_id"]] = now.as_dict()
    return found
