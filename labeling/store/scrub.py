"""PostgreSQL's files after an erasure: what a client can rewrite in them, and what it has to leave to others.

Rows that were deleted or overwritten stay in a table's files until these are rewritten (``VACUUM (FULL)`` does, TOAST
and indexes with it), and in the write-ahead log until its segments are gone. A checkpoint lets go of the segments
before it, but renames them for reuse, with all that is in them, where ``wal_recycle`` is on. Statistics of columns hold
values too: columns with content have none (migration 0013).
"""

from __future__ import annotations

import time

import sqlalchemy as sa

from labeling.errors import StoreError

# Every table that a text, its hash or a rationale is ever in.
WITH_CONTENT = (
    "tasks",
    "annotation_events",
    "adjudications",
    "golden_items",
    "golden_members",
    "gold_events",
    "items",
    "legal_stops",
    "decisions",
    "objections",
)
_POLL_S = 0.1
_MAY_SWITCH = "SELECT has_function_privilege('pg_switch_wal()', 'EXECUTE')"
_MAY_CHECKPOINT = """SELECT current_setting('is_superuser') = 'on' OR EXISTS (
    SELECT 1 FROM pg_roles WHERE rolname = 'pg_checkpoint' AND pg_has_role(oid, 'USAGE'))"""
# Whoever may still see rows that were gone before this transaction: VACUUM keeps these. Of other roles' sessions a role
# sees this only with pg_read_all_stats.
_OLDER = sa.text(
    """SELECT 'session ' || pid || ' of ' || coalesce(usename, '?') FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND age(backend_xmin) > age(CAST(:mine AS xid))
    UNION ALL SELECT 'replication slot ' || slot_name FROM pg_replication_slots
    WHERE age(xmin) > age(CAST(:mine AS xid))"""
)


def scrub_postgres(connection: sa.Connection, timeout_s: float) -> None:
    """Rewrite the tables that hold content, then close the log's segment and have a checkpoint let go of it, where the
    role may. ``connection``: in autocommit, for this alone. Raises StoreError when somebody still sees what was erased
    after ``timeout_s``, and SQLAlchemy's errors when a lock is not had by then."""
    connection.exec_driver_sql(f"SET lock_timeout = '{timeout_s}s'")
    _wait(connection, timeout_s)
    connection.exec_driver_sql(f"VACUUM (FULL) {', '.join(WITH_CONTENT)}")
    if _asks(connection, _MAY_SWITCH):
        connection.exec_driver_sql("SELECT pg_switch_wal()")
    if _asks(connection, _MAY_CHECKPOINT):
        connection.exec_driver_sql("CHECKPOINT")
    connection.exec_driver_sql("RESET lock_timeout")


def remains_in_postgres(connection: sa.Connection) -> tuple[str, ...]:
    """Where content may still be after ``scrub_postgres``, and who lets go of it; by the server's settings and the
    role's rights of now."""
    found = []
    if not (_asks(connection, _MAY_SWITCH) and _asks(connection, _MAY_CHECKPOINT)):
        found.append(
            "PostgreSQL's write-ahead log holds it until the server has let go of today's segments by itself: GRANT "
            "pg_checkpoint, and EXECUTE ON FUNCTION pg_switch_wal(), to the ledger's role"
        )
    if _setting(connection, "wal_recycle") != "off":
        found.append(
            "PostgreSQL keeps old segments of its log for reuse with what is in them, until they are written over: set "
            "wal_recycle to off"
        )
    if _setting(connection, "archive_mode") != "off":
        found.append("PostgreSQL archives its log (archive_mode): the archive holds it until you let it expire")
    if _setting(connection, "wal_keep_size") not in ("0", ""):
        found.append("PostgreSQL keeps segments of its log for standbys (wal_keep_size), until newer ones fill it")
    slots = connection.exec_driver_sql("SELECT slot_name FROM pg_replication_slots ORDER BY slot_name").scalars().all()
    if slots:
        found.append(f"replication slots keep PostgreSQL's log until they are read: {', '.join(slots)}")
    return tuple(found)


def _wait(connection: sa.Connection, timeout_s: float) -> None:
    mine = connection.exec_driver_sql("SELECT pg_current_xact_id()::xid::text").scalar_one()
    give_up_at = time.monotonic() + timeout_s
    while older := connection.execute(_OLDER, {"mine": mine}).scalars().all():
        if time.monotonic() > give_up_at:
            raise StoreError(
                f"the ledger: {older[0]} still sees what was erased, so its rows cannot be removed: end it, then call "
                "it again"
            )
        time.sleep(_POLL_S)


def _asks(connection: sa.Connection, question: str) -> bool:
    return bool(connection.exec_driver_sql(question).scalar_one())


def _setting(connection: sa.Connection, name: str) -> str:
    """ "" where this version has no such setting."""
    query = sa.text("SELECT setting FROM pg_settings WHERE name = :name")
    return str(connection.execute(query, {"name": name}).scalar_one_or_none() or "")
