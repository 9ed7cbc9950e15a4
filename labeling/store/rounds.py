"""Rounds and their picks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from labeling.errors import Conflict, NotFound
from labeling.records import PickRow, Round, RoundState, Task, TaskKind, TaskState
from labeling.store.database import Database, for_update, now
from labeling.store.rows import dump, insert_missing, load
from labeling.store.tables import picks, rounds, tasks
from labeling.store.tasks import check_items, insert_tasks

# Whence a round may go where. A failed round may be taken up again at the step it had reached.
MOVES: dict[RoundState, frozenset[RoundState]] = {
    RoundState.PLANNED: frozenset({RoundState.FAILED, RoundState.CANCELLED}),
    RoundState.SELECTED: frozenset({RoundState.OPEN, RoundState.FAILED, RoundState.CANCELLED}),
    RoundState.OPEN: frozenset({RoundState.CLOSED, RoundState.FAILED, RoundState.CANCELLED}),
    RoundState.FAILED: frozenset({RoundState.PLANNED, RoundState.SELECTED, RoundState.OPEN, RoundState.CANCELLED}),
    RoundState.CLOSED: frozenset(),
    RoundState.CANCELLED: frozenset(),
}
_RECORDED = (RoundState.SELECTED, RoundState.OPEN, RoundState.CLOSED)


class SqlRounds:
    """``Rounds`` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, round_: Round) -> Round:
        with self._database.write() as connection:
            insert_missing(connection, rounds, [dump(round_)], rounds.c.round_id)
            there = _get(connection, round_.round_id)
            if there.plan != json.loads(json.dumps(round_.plan)) or there.seed != round_.seed:
                raise Conflict(f"round {round_.round_id!r} is there already with another plan; use another id")
            return there

    def get(self, round_id: str) -> Round:
        with self._database.read() as connection:
            return _get(connection, round_id)

    def all(self) -> list[Round]:
        """Oldest first."""
        with self._database.read() as connection:
            query = sa.select(rounds).order_by(rounds.c.created_at, rounds.c.round_id)
            return [load(Round, row) for row in connection.execute(query).mappings()]

    def record_selection(
        self,
        round_id: str,
        picks_: Sequence[PickRow],
        tasks_: Sequence[Task],
        frame: Mapping[str, object],
        scorer_version: str,
        notes: Sequence[str],
    ) -> None:
        """A failed round takes its selection too; a cancelled one is a Conflict. Raises UnknownItem."""
        with self._database.write() as connection:
            there = _get(connection, round_id, lock=True)
            if there.state in _RECORDED:
                return
            if there.state is RoundState.CANCELLED:
                raise Conflict(f"round {round_id!r} is cancelled; it takes no picks")
            values: dict[str, object] = {"state": RoundState.SELECTED.value, "updated_at": now(connection)}
            if not _has_picks(connection, round_id):
                check_items(connection, [pick.item_id for pick in picks_])
                if picks_:
                    connection.execute(sa.insert(picks), [dump(pick) for pick in picks_])
                insert_tasks(connection, tasks_)
                values |= {"frame": dict(frame), "scorer_version": scorer_version}
                values["notes"] = [*there.notes, *notes]
            connection.execute(sa.update(rounds).where(rounds.c.round_id == round_id).values(values))

    def set_state(self, round_id: str, state: RoundState, note: str = "") -> None:
        """Raises Conflict when the round cannot go there; the state it has already is a no-op."""
        with self._database.write() as connection:
            there = _get(connection, round_id, lock=True)
            if state is not there.state and state not in MOVES[there.state]:
                raise Conflict(f"round {round_id!r} is {there.state}; it cannot become {state}")
            notes = [*there.notes, note] if note and note not in there.notes else list(there.notes)
            values = {"state": state.value, "notes": notes, "updated_at": now(connection)}
            connection.execute(sa.update(rounds).where(rounds.c.round_id == round_id).values(values))

    def picks(self, round_id: str | None = None) -> list[PickRow]:
        """Sorted by (round, lane, policy, item)."""
        query = sa.select(picks).order_by(picks.c.round_id, picks.c.lane, picks.c.policy_id, picks.c.item_id)
        if round_id is not None:
            query = query.where(picks.c.round_id == round_id)
        with self._database.read() as connection:
            return [load(PickRow, row) for row in connection.execute(query).mappings()]

    def pick_page(self, round_id: str, *, limit: int, offset: int = 0) -> list[PickRow]:
        """``limit`` of a round from the ``offset``th on, sorted by (policy, item): an order that tells no lane."""
        order = (picks.c.policy_id, picks.c.item_id, picks.c.lane)
        query = sa.select(picks).where(picks.c.round_id == round_id).order_by(*order).limit(limit).offset(offset)
        with self._database.read() as connection:
            return [load(PickRow, row) for row in connection.execute(query).mappings()]

    def judged(self) -> set[tuple[str, str]]:
        picked = sa.and_(picks.c.round_id == tasks.c.round_id, picks.c.item_id == tasks.c.item_id)
        assisted = sa.and_(
            tasks.c.kind == TaskKind.ASSISTED.value,  # an import's was not picked: a round may still ask it blind
            sa.exists().where(picked, picks.c.policy_id == tasks.c.policy_id),
        )
        query = (
            sa.select(tasks.c.item_id, tasks.c.policy_id)
            .distinct()
            .where(sa.or_(tasks.c.kind == TaskKind.BLIND.value, assisted))
            .where(tasks.c.state != TaskState.WITHDRAWN.value)
        )
        with self._database.read() as connection:
            return {(item_id, policy_id) for item_id, policy_id in connection.execute(query)}


def _get(connection: sa.Connection, round_id: str, *, lock: bool = False) -> Round:
    query = sa.select(rounds).where(rounds.c.round_id == round_id)
    row = connection.execute(for_update(connection, query) if lock else query).mappings().one_or_none()
    if row is None:
        raise NotFound(f"no round has the id {round_id!r}")
    return load(Round, row)


def _has_picks(connection: sa.Connection, round_id: str) -> bool:
    return (
        connection.execute(sa.select(picks.c.round_id).where(picks.c.round_id == round_id).limit(1)).first() is not None
    )
