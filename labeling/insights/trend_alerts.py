"""From what stands out of a day to alerts: figures, an emerging-risk score, and the items behind them; no content."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from labeling.figures import Origin, versions_of
from labeling.golden.newest import newest_name
from labeling.golden.vectors import LakeVectors, unit
from labeling.insights.trend_clusters import Clusters
from labeling.insights.trend_frame import Frame
from labeling.insights.trend_records import TrendAlert, Trends
from labeling.policies import Policies
from labeling.quality.emerging import risk
from labeling.quality.intervals import poisson_ratio
from labeling.quality.themes import WINDOW
from labeling.quality.trend_day import Day
from labeling.quality.trends import WATCHED
from labeling.records import GoldState, Partition
from labeling.scorebook import LakeScorer, embedding_group, read_sheet
from labeling.store.interfaces import Golden, Lake

MOST_ITEMS = 500  # behind one alert
SAME_DAYS, SAME_SHARE = 7, 0.3  # an alert of so many days before with so many of its items is the same theme
LICENCE = "counts of the items in the lake that have a time and an embedding; they say nothing of traffic not ingested"
WHERE = "/v1/trends"
Json = dict[str, object]
F32 = npt.NDArray[np.float32]
I64 = npt.NDArray[np.int64]


class TrendStores(Protocol):
    """The part of the ledger that trends need."""

    @property
    def golden(self) -> Golden: ...

    @property
    def trends(self) -> Trends: ...


def alerts_of(
    stores: TrendStores,
    lake: Lake,
    policies: Policies,
    scorer: LakeScorer,
    frame: Frame,
    judged: Day,
    clusters: Clusters,
    day: date,
) -> list[TrendAlert]:
    """An alert for each cell and theme that stands, the surest first; one that is there already goes on, and a theme
    that stands at two scales is one."""
    numbers = sorted((int(number) for number in np.flatnonzero(judged.stands)), key=lambda n: (judged.p[n], n))
    behind = {number: _behind(frame, judged, number) for number in numbers}
    if not numbers:
        return []
    everybody = sorted({frame.ids[i] for places in behind.values() for i in places})
    prior = _Prior.read(stores.golden, lake, policies, scorer, everybody)
    known, alerts, golden_version = stores.trends.all(), list[TrendAlert](), newest_name(stores.golden)
    for number in numbers:
        body = _body(frame, judged, number, clusters)
        ids = tuple(frame.ids[i] for i in behind[number])
        found = risk(float(judged.p[number]), prior.cosines(ids), prior.severities(ids), _views(frame, behind[number]))
        told: dict[str, object] = {
            **body,
            "score": round(found.score, 2),
            "parts": found.parts,
            "gold": {"items": prior.gold, "as_of": "now", "without": "sealed"},
            "golden_version": golden_version,
            "policy_versions": {policy.id: policy.version for policy in policies.values()},
            "policy": prior.likeliest(ids),
        }
        key = _key(body, clusters, ids)
        made = TrendAlert(f"{day:%Y%m%d}-{hashlib.sha256(key.encode()).hexdigest()[:8]}", key, day, day, told, ids)
        if not any(_same_theme(made, other) for other in alerts):
            alerts.append(_known_again(known, made))
    return alerts


def volume(alert: TrendAlert) -> Json:
    """How many times what was expected there was on the alert's last day, as a figure. The interval is that of the
    count alone; ``p`` takes the spread of other days into account."""
    body = alert.body
    count, expected = int(str(body["count"])), float(str(body["expected"]))
    versions = body["policy_versions"]
    low, high = poisson_ratio(count, expected) if expected > 0 else (None, None)
    told = {"value": count / expected if expected > 0 else None, "low": low, "high": high, "n": count}
    named = versions_of(versions.items()) if isinstance(versions, dict) else ""
    origin = Origin(str(body["licence"]), str(body["golden_version"]), named, f"{WHERE}/{alert.alert_id}/items")
    return origin.of({**told, "expected": expected, "p": body["p"], "method": "garwood, over what was expected"})


def alert_told(alert: TrendAlert) -> Json:
    """An alert as it is shown, JSON-able: its items are counted here and named behind the link."""
    told = {name: getattr(alert, name) for name in alert.__slots__ if name != "item_ids"}
    return {**told, "count": len(alert.item_ids), "volume": volume(alert)}


def by_which_test(body: Mapping[str, Any]) -> str:
    """Which test fired, in a sentence: it is never the last day alone."""
    count, p = int(body["count"]), f"p {body['p']:.2g}"
    if body["kind"] == "theme":
        return (
            f"Of the last {WINDOW} days' items that were kept for the test, {count} lie in the theme where the weeks "
            f"before explain {body['expected']:.3g} ({p})."
        )
    low, high = body["usual"]
    where = "above" if count > high else "inside"
    return (
        f"The last {WATCHED} days together, the newest weighing most, lie {body['ewma']:.1f} standard deviations above "
        f"what the weeks before explain ({p}). The last day alone, {count}, lies {where} its usual {low:.0f} to "
        f"{high:.0f}."
    )


def _same_theme(one: TrendAlert, other: TrendAlert) -> bool:
    """Whether two themes share so many items that they are one."""
    shared = len(set(one.item_ids) & set(other.item_ids))
    is_theme = one.body["kind"] == other.body["kind"] == "theme"
    return is_theme and shared >= SAME_SHARE * min(len(one.item_ids), len(other.item_ids))


def _behind(frame: Frame, judged: Day, number: int) -> I64:
    """The places of the window's items behind a cell or a theme, by draw, ``MOST_ITEMS`` at most."""
    items, late = frame.items, frame.late
    cells = len(judged.markets)
    if number >= cells:
        mine = late[judged.groups.only(number - cells).members(frame.window)[:, 0]]
    else:
        here = items.market[late] == judged.markets[number]
        if judged.clusters[number] >= 0:
            here &= items.cluster[late] == judged.clusters[number]
        mine = late[here]
    return mine[np.argsort(items.order[mine], kind="stable")][:MOST_ITEMS]


def _views(frame: Frame, places: I64) -> int:
    return int(frame.views[places].sum())


def _key(body: dict[str, object], clusters: Clusters, ids: Sequence[str]) -> str:
    own = min(ids, default="") if body["kind"] == "theme" else f"{body['market']}/{body['cluster']}"
    return f"{clusters.version}/{body['kind']}/{own}"


def _body(frame: Frame, judged: Day, number: int, clusters: Clusters) -> dict[str, object]:
    """The figures of a cell (of today) or of a theme (of the window's testing half)."""
    base: dict[str, object] = {
        "p": float(judged.p[number]),
        "lasts": bool(judged.lasts[number]),
        "licence": LICENCE,
        "clusters_version": clusters.version,
    }
    cells = len(judged.markets)
    if number >= cells:
        themes, place = judged.themes, number - cells
        late = frame.late[judged.groups.only(place).members(frame.window)[:, 0]]
        spread = Counter(frame.markets[m] for m in frame.items.market[late])
        figures = {"count": int(themes.count[place]), "expected": float(themes.expected[place])}
        more = {
            "days": WINDOW,
            "near": round(float(judged.groups.near[place]), 2),
            "items": len(late),
            "far": float(frame.items.far[late].mean()),
        }
        return {"kind": "theme", "markets": dict(spread.most_common(5)), **figures, **more, **base}
    cell, cluster = judged.cells, int(judged.clusters[number])
    return {
        "kind": "cluster" if cluster >= 0 else "market",
        "market": frame.markets[judged.markets[number]],
        "cluster": cluster,
        "days": 1,
        "count": int(cell.count[number]),
        "expected": float(cell.expected[number]),
        "usual": [float(cell.low[number]), float(cell.high[number])],
        "ewma": float(cell.ewma[number]),
        **base,
    }


def _known_again(known: Sequence[TrendAlert], made: TrendAlert) -> TrendAlert:
    """The alert of some days ago, or of this day, that this one goes on with, or itself."""
    for old in known:
        near = abs((made.last_day - old.last_day).days) <= SAME_DAYS
        if near and (old.key == made.key or _same_theme(old, made)):
            first, last = min(old.first_day, made.first_day), max(old.last_day, made.last_day)
            newest = made if made.last_day >= old.last_day else old
            return replace(old, first_day=first, last_day=last, body=newest.body, item_ids=newest.item_ids)
    return made


@dataclass(frozen=True, slots=True)
class _Prior:
    """What gold and the scorer know of the alerts' items. ``nearest``: cosine with the nearest gold, by item; None:
    there is no gold with an embedding. ``scored``: (expected severity, policy it comes from), by item."""

    gold: int
    nearest: dict[str, float] | None
    scored: dict[str, tuple[float, str]]

    @classmethod
    def read(cls, golden: Golden, lake: Lake, policies: Policies, scorer: LakeScorer, ids: Sequence[str]) -> _Prior:
        """Gold of every partition but ``sealed``, whose places are nobody's business either."""
        rows = [r for r in golden.items() if r.state is GoldState.ACTIVE and r.partition is not Partition.SEALED]
        vectors = LakeVectors(lake, embedding_group(scorer))
        gold, own = vectors(sorted({row.item_id for row in rows})), vectors(ids)
        nearest = None
        if gold:
            there = [item_id for item_id in ids if item_id in own]
            cosine = unit(np.stack([own[i] for i in there])) @ unit(np.stack(list(gold.values()))).T
            nearest = dict(zip(there, cosine.max(axis=1).tolist(), strict=True))
        return cls(len(gold), nearest, _scored(lake, policies, scorer, ids))

    def cosines(self, ids: Sequence[str]) -> F32 | None:
        if self.nearest is None:
            return None
        return np.array([self.nearest[i] for i in ids if i in self.nearest], np.float32)

    def severities(self, ids: Sequence[str]) -> F32 | None:
        return np.array([self.scored[i][0] for i in ids if i in self.scored], np.float32) if self.scored else None

    def likeliest(self, ids: Sequence[str]) -> str:
        """The policy that most of these items would break, if any; "" where none is scored."""
        said = Counter(self.scored[i][1] for i in ids if i in self.scored)
        return min(said, key=lambda policy: (-said[policy], policy)) if said else ""


def _scored(lake: Lake, policies: Policies, scorer: LakeScorer, ids: Sequence[str]) -> dict[str, tuple[float, str]]:
    sheet = read_sheet(lake, scorer, ids)
    judged = [(j, policies[name]) for j, name in enumerate(sheet.policies) if name in policies]
    if not judged or not sheet.ids:
        return {}
    weight = np.array([2.0**policy.severity / 2.0**4 for _, policy in judged])
    harm = sheet.probabilities[:, [j for j, _ in judged]] * weight
    best = harm.argmax(axis=1)
    return {i: (float(harm[n, best[n]]), judged[best[n]][1].id) for n, i in enumerate(sheet.ids)}
