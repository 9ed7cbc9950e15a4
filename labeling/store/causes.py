"""Findings, codings and corrective actions in SQL."""

from __future__ import annotations

from typing import Any, TypeVar

import sqlalchemy as sa

from labeling.cause_records import Action, ActionEvent, Coding, Finding, Role
from labeling.errors import Conflict, NotFound
from labeling.store.audit import write_audit
from labeling.store.cause_tables import action_events, actions, codings, findings
from labeling.store.database import Database
from labeling.store.rows import dump, insert_missing, insert_row, load

T = TypeVar("T")
_ROLES = {role.value: place for place, role in enumerate(Role)}


class SqlCauses:
    """``Causes`` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open(self, finding: Finding) -> None:
        with self._database.write() as connection:
            same = sa.select(findings.c.finding_id).where(findings.c.origin == finding.origin)
            if finding.origin and (there := connection.execute(same).scalar()):
                raise Conflict(f"origin: {finding.origin} is told by finding {there} already")
            if not insert_missing(connection, findings, [dump(finding)], findings.c.finding_id):
                raise Conflict(f"finding {finding.finding_id!r} is there already; use another id")
            write_audit(connection, finding.opened_by, "finding.open", finding.finding_id, {"title": finding.title})

    def findings(self) -> list[Finding]:
        return self._all(Finding, sa.select(findings).order_by(findings.c.opened_at, findings.c.finding_id))

    def code(self, coding: Coding) -> None:
        with self._database.write() as connection:
            _check(connection, findings.c.finding_id, coding.finding_id, "finding")
            if not insert_missing(connection, codings, [dump(coding)], codings.c.role):
                raise Conflict(f"finding {coding.finding_id!r} has its {coding.role.value} code already")
            detail = {"role": coding.role.value, "code": coding.code}
            write_audit(connection, coding.coder, "finding.code", coding.finding_id, detail)

    def codings(self) -> list[Coding]:
        found = self._all(Coding, sa.select(codings))
        return sorted(found, key=lambda one: (one.finding_id, _ROLES[one.role]))

    def act(self, action: Action) -> None:
        with self._database.write() as connection:
            _check(connection, findings.c.finding_id, action.finding_id, "finding")
            if not insert_missing(connection, actions, [dump(action)], actions.c.action_id):
                raise Conflict(f"action {action.action_id!r} is there already; use another id")
            write_audit(connection, action.opened_by, "action.open", action.action_id, {"finding": action.finding_id})

    def actions(self) -> list[Action]:
        return self._all(Action, sa.select(actions).order_by(actions.c.opened_at, actions.c.action_id))

    def move(self, event: ActionEvent) -> None:
        with self._database.write() as connection:
            _check(connection, actions.c.action_id, event.action_id, "action")
            insert_row(connection, action_events, dump(event))
            detail = {"state": event.state.value, "reason": event.reason}
            write_audit(connection, event.actor, "action.move", event.action_id, detail)

    def events(self) -> list[ActionEvent]:
        return self._all(ActionEvent, sa.select(action_events).order_by(action_events.c.seq))

    def _all(self, kind: type[T], query: sa.Select[Any]) -> list[T]:
        with self._database.read() as connection:
            return [load(kind, row) for row in connection.execute(query).mappings()]


def _check(connection: sa.Connection, column: sa.Column[str], value: str, noun: str) -> None:
    if connection.execute(sa.select(column).where(column == value)).scalar() is None:
        raise NotFound(f"there is no {noun} {value!r}")
