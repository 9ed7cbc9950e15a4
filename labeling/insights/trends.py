"""Trends of a day: what the lake holds of the last weeks, counted by the frozen clusters, and what stands out of it.

Two passes over the kept embeddings: the first assigns clusters and keeps the vectors of the last days alone, the second
counts how often the themes that these propose were there before. Days are UTC days of the items' ``created_at``; items
without one, or without an embedding, take no part and are counted.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labeling.errors import NothingToDo
from labeling.insights.trend_alerts import LICENCE, TrendStores, alerts_of
from labeling.insights.trend_clusters import Clusters, load, save
from labeling.insights.trend_frame import DAYS, Frame, fitted, ordinal, read_frame, rows_of, timed
from labeling.insights.trend_records import TrendAlert
from labeling.policies import Policies
from labeling.quality.themes import WINDOW
from labeling.quality.trend_day import Day, judge_day, propose
from labeling.quality.trends import LEAST_DAYS, RATE, SEASON_DAYS, WATCHED
from labeling.scorebook import LakeScorer, embedding_group
from labeling.store.interfaces import Lake


@dataclass(frozen=True, slots=True)
class Report:
    """A day's run. ``items``: of the ``DAYS`` days; ``left_out``: why others took no part; ``cells``, ``themes``:
    tested; ``alerts``: what stands, the highest score first; ``lasting``: how many of them last."""

    day: date
    clusters: int
    clusters_version: str
    items: int
    left_out: dict[str, int]
    cells: int
    themes: int
    alpha: float
    alerts: tuple[TrendAlert, ...]
    lasting: int

    def as_dict(self) -> dict[str, object]:
        """JSON-able: counts and ids."""
        told = {n: getattr(self, n) for n in self.__slots__ if n not in ("day", "alerts")}
        rates = {"rate": RATE, "season_days": SEASON_DAYS, "licence": LICENCE}
        return {"day": self.day.isoformat(), **told, **rates, "alerts": [one.alert_id for one in self.alerts]}


def trends(
    stores: TrendStores,
    lake: Lake,
    policies: Policies,
    scorer: LakeScorer,
    folder: Path,
    day: date | None = None,
    *,
    refit: bool = False,
) -> Report:
    """Judge a UTC day (default: the newest whole one with items), and note its alerts in the ledger; the same day again
    notes them once. Raises NothingToDo without clusters' worth of items, or with less than ``LEAST_DAYS`` + ``WATCHED``
    days of them."""
    table, without_time = timed(lake)
    chosen = day or _newest(table)
    table = _within(table, chosen)
    group = embedding_group(scorer)
    path = folder / f"clusters-{hashlib.sha256(group.encode()).hexdigest()[:12]}.safetensors"
    clusters = None if refit else load(path)
    if clusters is None:
        clusters = fitted(lake, group, table)
        save(clusters, path)
    frame, without_embedding = read_frame(lake, group, table, clusters, chosen)
    judged = _judge(lake, group, frame, clusters, chosen)
    alerts = alerts_of(stores, lake, policies, scorer, frame, judged, clusters, chosen)
    for alert in alerts:
        stores.trends.put(alert)
    left_out = {"without_time": without_time, "without_embedding": without_embedding}
    return Report(
        day=chosen,
        clusters=len(clusters.centroids),
        clusters_version=clusters.version,
        items=len(frame.ids),
        left_out=left_out,
        cells=len(judged.markets),
        themes=len(judged.groups),
        alpha=judged.cells.alpha,
        alerts=tuple(sorted(alerts, key=lambda a: (-float(str(a.body["score"])), a.alert_id))),
        lasting=sum(bool(alert.body["lasts"]) for alert in alerts),
    )


def _newest(table: pa.Table) -> date:
    """The newest day before today that has items."""
    today = ordinal(datetime.now(UTC).date())
    found = pc.max(table.filter(pc.less(table["day"], today))["day"]).as_py()
    if found is None:
        raise NothingToDo("no item is older than today: trends are told of whole days")
    return date(1970, 1, 1) + timedelta(days=found)


def _within(table: pa.Table, day: date) -> pa.Table:
    last = ordinal(day)
    found = table.filter(pc.and_(pc.greater(table["day"], last - DAYS), pc.less_equal(table["day"], last)))
    seen = len(pc.unique(found["day"]))
    if seen < LEAST_DAYS + WATCHED:
        raise NothingToDo(f"{seen} of the {DAYS} days up to {day} have items: {LEAST_DAYS + WATCHED} are needed")
    return found.combine_chunks()


def _judge(lake: Lake, group: str, frame: Frame, clusters: Clusters, day: date) -> Day:
    items = frame.items
    groups = propose(items, frame.window, DAYS)
    tested = groups.count(frame.window[~items.half[frame.late]])
    before = np.zeros(len(groups), np.int64)
    early = {frame.ids[i]: int(i) for i in np.flatnonzero(items.day < DAYS - WINDOW)} if len(groups) else {}
    for _, vectors in rows_of(lake, group, early) if early else ():
        before += groups.count(vectors)
    return judge_day(items, DAYS, len(frame.markets), len(clusters.centroids), groups, tested, before, ordinal(day))
