"""Golden items that go from one state to another because their policy changed, inside a write of somebody else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import sqlalchemy as sa

from labeling.records import GoldAction, GoldenItem, GoldState
from labeling.store.database import now
from labeling.store.gold_chain import append_event
from labeling.store.rows import chunks, load
from labeling.store.tables import audit, golden_items

ACTIONS = {GoldState.STALE: GoldAction.STALED, GoldState.RETIRED: GoldAction.RETIRED}
_KEY = sa.and_(golden_items.c.item_id == sa.bindparam("item"), golden_items.c.policy_id == sa.bindparam("policy"))


def move_gold(
    connection: sa.Connection,
    rows: Sequence[sa.RowMapping],
    state: GoldState,
    actor: str,
    detail: Mapping[str, object],
) -> int:
    """Put golden rows (locked, whole, under the lock of the event chain) into ``state``, stale or retired, with an
    event and an audit row each; how many there were. ``detail`` says why (``reason``), and is kept with each."""
    at = now(connection)
    change = sa.update(golden_items).where(_KEY).values(state=sa.bindparam("to"))
    for part in chunks(rows, 1000):
        items = [replace(load(GoldenItem, row), state=state) for row in part]
        connection.execute(
            change, [{"item": item.item_id, "policy": item.policy_id, "to": state.value} for item in items]
        )
        for item in items:
            append_event(connection, item, ACTIONS[state], actor, str(detail["reason"]), at)
        told = [
            {
                "actor": actor,
                "action": f"golden.{state.value}",
                "target": f"{item.item_id}/{item.policy_id}",
                "detail": {**detail, "from_state": str(row["state"]), "label_version": item.policy_version},
                "at": at,
            }
            for row, item in zip(part, items, strict=True)
        ]
        connection.execute(sa.insert(audit), told)
    return len(rows)
