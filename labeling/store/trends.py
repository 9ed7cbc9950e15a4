"""Alerts of trends."""

from __future__ import annotations

import sqlalchemy as sa

from labeling.errors import Conflict, NotFound
from labeling.insights.trend_records import AlertState, TrendAlert
from labeling.store.audit import write_audit
from labeling.store.database import Database, for_update
from labeling.store.rows import dump, insert_missing, load
from labeling.store.trend_tables import trend_alerts


class SqlTrends:
    """``Trends`` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[TrendAlert]:
        query = sa.select(trend_alerts).order_by(trend_alerts.c.last_day.desc(), trend_alerts.c.alert_id)
        with self._database.read() as connection:
            return [load(TrendAlert, row) for row in connection.execute(query).mappings()]

    def get(self, alert_id: str) -> TrendAlert:
        with self._database.read() as connection:
            return _get(connection, alert_id)

    def put(self, alert: TrendAlert) -> None:
        row = dump(alert)
        told = {name: row[name] for name in ("last_day", "body", "item_ids")}
        with self._database.write() as connection:
            if not insert_missing(connection, trend_alerts, [row], trend_alerts.c.alert_id):
                connection.execute(
                    sa.update(trend_alerts).where(trend_alerts.c.alert_id == alert.alert_id).values(told)
                )

    def watch(self, alert_id: str, round_id: str, actor: str) -> TrendAlert:
        with self._database.write() as connection:
            connection.execute(for_update(connection, sa.select(trend_alerts).where(_is(alert_id))))
            before = _get(connection, alert_id)
            if before.round_id == round_id:
                return before
            if before.round_id:
                raise Conflict(f"alert {alert_id!r} is watched by round {before.round_id!r} already")
            values = {"state": AlertState.WATCHED.value, "round_id": round_id}
            connection.execute(sa.update(trend_alerts).where(_is(alert_id)).values(values))
            write_audit(connection, actor, "trend.watch", alert_id, {"round_id": round_id})
            return _get(connection, alert_id)


def _is(alert_id: str) -> sa.ColumnElement[bool]:
    return trend_alerts.c.alert_id == alert_id


def _get(connection: sa.Connection, alert_id: str) -> TrendAlert:
    row = connection.execute(sa.select(trend_alerts).where(_is(alert_id))).mappings().one_or_none()
    if row is None:
        raise NotFound(f"no alert has the id {alert_id!r} (goldfold trends list)")
    return load(TrendAlert, row)
