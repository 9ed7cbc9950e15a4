"""Golden events in a hash chain with actor and reason, salted golden rows, experts on the roster, and versions that
somebody else approves, with their errata; erasures, holds, and who got which export."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0006"

_TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")
_TIME = sa.DateTime(timezone=True)
_COVERED = ("number", "item_id", "policy_id", "action", "actor", "reason", "adjudication_id", "row_sha256", "previous")


def upgrade() -> None:
    for table in ("golden_items", "golden_members"):
        op.add_column(table, sa.Column("salt", _TEXT, nullable=False, server_default=""))
    op.add_column("people", sa.Column("expert", sa.Boolean(), nullable=False, server_default=sa.false()))
    head = op.create_table(
        "gold_head",
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("sha256", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_gold_head")),
    )
    with op.batch_alter_table("gold_events") as events:
        events.alter_column("row", existing_type=sa.JSON(), nullable=True)
        events.alter_column("adjudication_id", existing_type=_TEXT, nullable=True)
        events.add_column(sa.Column("number", sa.BigInteger(), nullable=True))
        for name in ("action", "actor", "reason", "row_sha256", "previous", "sha256"):
            events.add_column(sa.Column(name, _TEXT, nullable=False, server_default=""))
    _versions()
    _erasures()
    number, sha256 = _chain()
    if number:  # the first event makes the head of an empty chain
        op.bulk_insert(head, [{"name": "gold", "number": number, "sha256": sha256}])
    with op.batch_alter_table("gold_events") as events:
        events.alter_column("number", existing_type=sa.BigInteger(), nullable=False)
        for name in ("action", "actor", "reason", "row_sha256", "previous", "sha256"):
            events.alter_column(name, existing_type=_TEXT, server_default=None)
        events.create_unique_constraint(op.f("uq_gold_events_number"), ["number"])


def downgrade() -> None:
    op.execute('DELETE FROM gold_events WHERE "row" IS NULL')
    with op.batch_alter_table("gold_events") as events:
        events.drop_constraint(op.f("uq_gold_events_number"), type_="unique")
        for name in ("number", "action", "actor", "reason", "row_sha256", "previous", "sha256"):
            events.drop_column(name)
        events.alter_column("row", existing_type=sa.JSON(), nullable=False)
        events.alter_column("adjudication_id", existing_type=_TEXT, nullable=False)
    for table in (
        "erasure_notices",
        "golden_exports",
        "legal_holds",
        "erasures",
        "erased_leaves",
        "golden_derivations",
    ):
        op.drop_table(table)
    for table in ("golden_errata", "golden_decisions", "gold_head"):
        op.drop_table(table)
    with op.batch_alter_table("golden_versions") as versions:
        for name in ("events_sha256", "events", "needs_approval", "author"):
            versions.drop_column(name)
    with op.batch_alter_table("people") as people:
        people.drop_column("expert")
    for table in ("golden_members", "golden_items"):
        with op.batch_alter_table(table) as golden:
            golden.drop_column("salt")


def _versions() -> None:
    for name in ("author", "events_sha256"):
        op.add_column("golden_versions", sa.Column(name, _TEXT, nullable=False, server_default=""))
    op.add_column(
        "golden_versions", sa.Column("needs_approval", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.add_column("golden_versions", sa.Column("events", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_table(
        "golden_decisions",
        sa.Column("version", _TEXT, nullable=False),
        sa.Column("decision", _TEXT, nullable=False),
        sa.Column("decided_by", _TEXT, nullable=False),
        sa.Column("reason", _TEXT, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["version"], ["golden_versions.version"], name=op.f("fk_golden_decisions_version")),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_golden_decisions")),
    )
    op.create_table(
        "golden_errata",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("version", _TEXT, nullable=False),
        sa.Column("item_id", _TEXT, nullable=False),
        sa.Column("policy_id", _TEXT, nullable=False),
        sa.Column("reason", _TEXT, nullable=False),
        sa.Column("actor", _TEXT, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["version"], ["golden_versions.version"], name=op.f("fk_golden_errata_version")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_golden_errata")),
    )
    for column in ("version", "item_id"):
        op.create_index(op.f(f"ix_golden_errata_{column}"), "golden_errata", [column], unique=False)


def _erasures() -> None:
    _table(
        "golden_derivations",
        ["version", "number"],
        {"version": _TEXT, "number": sa.BigInteger()},
        {"leaves": sa.BigInteger(), "manifest_path": _TEXT, "at": _TIME},
        {"version": "golden_versions.version"},
    )
    _table(
        "erased_leaves",
        ["version", "item_id", "policy_id"],
        {"version": _TEXT, "item_id": _TEXT, "policy_id": _TEXT},
        {"leaf": _TEXT},
        {"version": "golden_versions.version"},
    )
    _table(
        "erasures",
        ["erasure_id"],
        {"erasure_id": _TEXT, "item_id": _TEXT, "external_id": _TEXT},
        {"actor": _TEXT, "reason": _TEXT, "asked_at": _TIME, "done": sa.JSON()},
        {},
        late=["finished_at"],
        unique=["item_id", "external_id"],
    )
    _table(
        "legal_holds",
        ["hold_id"],
        {"hold_id": _TEXT, "item_id": _TEXT, "external_id": _TEXT, "reason": _TEXT},
        {"actor": _TEXT, "at": _TIME, "released_by": _TEXT, "release_reason": _TEXT},
        {},
        late=["released_at"],
    )
    _table(
        "golden_exports",
        ["export_id"],
        {"export_id": _TEXT, "version": _TEXT, "folder": _TEXT, "form": _TEXT},
        {"partitions": sa.JSON(), "recipient": _TEXT, "actor": _TEXT, "at": _TIME},
        {"version": "golden_versions.version"},
    )
    _table(
        "erasure_notices",
        ["erasure_id", "export_id"],
        {"erasure_id": _TEXT, "export_id": _TEXT},
        {"recipient": _TEXT, "version": _TEXT, "external_id": _TEXT, "acknowledged_by": _TEXT, "note": _TEXT},
        {"erasure_id": "erasures.erasure_id", "export_id": "golden_exports.export_id"},
        late=["acknowledged_at"],
    )
    op.create_index(op.f("ix_legal_holds_item_id"), "legal_holds", ["item_id"], unique=False)
    op.create_index(op.f("ix_golden_exports_version"), "golden_exports", ["version"], unique=False)


def _table(
    name: str,
    key: list[str],
    first: dict[str, Any],
    more: dict[str, Any],
    foreign: dict[str, str],
    *,
    late: Sequence[str] = (),
    unique: Sequence[str] = (),
) -> None:
    """``late``: times that come later, if ever."""
    columns = [
        sa.Column(column, kind, nullable=False, autoincrement=False) for column, kind in {**first, **more}.items()
    ]
    times = [sa.Column(column, _TIME, nullable=True) for column in late]
    links = [
        sa.ForeignKeyConstraint([column], [target], name=op.f(f"fk_{name}_{column}"))
        for column, target in foreign.items()
    ]
    uniques = [sa.UniqueConstraint(column, name=op.f(f"uq_{name}_{column}")) for column in unique]
    op.create_table(name, *columns, *times, *links, *uniques, sa.PrimaryKeyConstraint(*key, name=op.f(f"pk_{name}")))


def _chain() -> tuple[int, str]:
    """Link the events that are there, as they stand; the head."""
    events = sa.table(
        "gold_events",
        *(sa.column(name) for name in ("seq", "item_id", "policy_id", "adjudication_id")),
        *(sa.column(name) for name in ("number", "action", "reason", "row_sha256", "previous", "sha256")),
        sa.column("row", sa.JSON()),
        sa.column("at", sa.DateTime(timezone=True)),
    )
    connection = op.get_bind()
    number, previous = 0, ""
    for event in connection.execute(sa.select(events).order_by(events.c.seq)).mappings().all():
        number += 1
        told = {name: value for name, value in event["row"].items() if name != "text"}
        values = {
            "number": number,
            "action": "folded",
            "reason": "from before there was a chain",
            "row_sha256": _sha256(told),
            "previous": previous,
        }
        covered = {name: (dict(event) | {"actor": ""} | values)[name] for name in _COVERED}
        previous = _sha256(covered | {"at": _utc(event["at"])})
        mine = sa.update(events).where(events.c.seq == event["seq"])
        connection.execute(mine.values(**values, sha256=previous))
    return number, previous


def _utc(at: datetime) -> str:
    return (at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)).isoformat()


def _sha256(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
