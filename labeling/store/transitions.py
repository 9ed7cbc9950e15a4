"""Golden items that go from one state to another without a new label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import sqlalchemy as sa

from labeling.records import GoldenItem, GoldState
from labeling.store.database import now
from labeling.store.rows import chunks, dump_json, load
from labeling.store.tables import audit, gold_events, golden_items

_KEY = sa.and_(golden_items.c.item_id == sa.bindparam("item"), golden_items.c.policy_id == sa.bindparam("policy"))


def move_gold(
    connection: sa.Connection,
    rows: Sequence[sa.RowMapping],
    state: GoldState,
    actor: str,
    detail: Mapping[str, object],
) -> int:
    """Put golden rows (locked, whole) into ``state``, with an event and an audit row each, inside a write of somebody
    else; how many there were. ``detail`` says why, and is kept with each."""
    at = now(connection)
    change = sa.update(golden_items).where(_KEY).values(state=sa.bindparam("to"))
    for part in chunks(rows, 1000):
        items = [replace(load(GoldenItem, row), state=state) for row in part]
        keys = [{"item_id": item.item_id, "policy_id": item.policy_id} for item in items]
        connection.execute(
            change, [{"item": item.item_id, "policy": item.policy_id, "to": state.value} for item in items]
        )
        events = [
            key | {"adjudication_id": item.adjudication_id, "row": dump_json(item), "at": at}
            for key, item in zip(keys, items, strict=True)
        ]
        connection.execute(sa.insert(gold_events), events)
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
