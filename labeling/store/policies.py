"""The policies' published versions, and what publishing one does to gold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

import sqlalchemy as sa

from labeling.errors import Conflict
from labeling.policy_versions import History, PolicyVersion, after, by_policy, moved_to
from labeling.records import GoldState, Outcome
from labeling.store.audit import write_audit
from labeling.store.database import Database, for_update, now
from labeling.store.gold_chain import lock_chain
from labeling.store.rows import chunks, dump, insert_missing, load
from labeling.store.tables import golden_items, policy_versions
from labeling.store.transitions import move_gold

_LOCK = 3_141_906_117_250_063  # any number, as long as every process takes the same one
_MOVABLE = [GoldState.ACTIVE.value, GoldState.STALE.value]


class SqlPolicyVersions:
    """``PolicyVersions`` in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def mark(self) -> int:
        with self._database.read() as connection:
            return int(connection.execute(sa.select(sa.func.max(policy_versions.c.seq))).scalar_one() or 0)

    def all(self) -> list[PolicyVersion]:
        with self._database.read() as connection:
            return _all(connection)

    def first(self, versions: Sequence[PolicyVersion]) -> None:
        if not versions:
            return
        with self._database.write() as connection:
            _alone(connection)
            known = set(connection.execute(sa.select(policy_versions.c.policy_id)).scalars())
            for version in versions:
                if version.policy_id not in known:
                    _insert(connection, version)

    def publish(self, versions: Sequence[PolicyVersion]) -> dict[str, int]:
        with self._database.write() as connection:
            _alone(connection)
            lock_chain(connection)
            histories = by_policy(_all(connection))
            for version in versions:
                history = histories.get(version.policy_id, [])
                newest = history[-1].version if history else None
                if newest != version.parent:
                    raise Conflict(
                        f"policy {version.policy_id}: {newest or 'nothing'} is its newest version now, not "
                        f"{version.parent or 'nothing'}: somebody published meanwhile; look again and raise the version"
                    )
                _insert(connection, version)
            return _restate(connection, {version.policy_id for version in versions})

    def restate(self) -> dict[str, int]:
        with self._database.write() as connection:
            _alone(connection)
            lock_chain(connection)
            return _restate(connection, None)


def _alone(connection: sa.Connection) -> None:
    """One publication at a time, over all processes; SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))


def _all(connection: sa.Connection) -> list[PolicyVersion]:
    query = sa.select(policy_versions).order_by(policy_versions.c.seq)
    return [load(PolicyVersion, row) for row in connection.execute(query).mappings()]


def _insert(connection: sa.Connection, version: PolicyVersion) -> None:
    row = dump(version) | {"at": now(connection)}
    if not insert_missing(connection, policy_versions, [row], policy_versions.c.version):
        raise Conflict(f"policy {version.policy_id} {version.version} is published already; versions never change")
    detail = {"kinds": row["kinds"], "reason": version.reason, "content_hash": version.content_hash}
    write_audit(connection, version.actor, "policy.publish", f"{version.policy_id} {version.version}", detail)


def _restate(connection: sa.Connection, policies: Collection[str] | None) -> dict[str, int]:
    """Move the gold of these policies (None: of all) that what was published since its label touches."""
    moved = Counter({GoldState.STALE.value: 0, GoldState.RETIRED.value: 0})
    for policy_id, history in by_policy(_all(connection)).items():
        if policies is None or policy_id in policies:
            for state, count in _move(connection, policy_id, history).items():
                moved[state] += count
    return dict(moved)


def _move(connection: sa.Connection, policy_id: str, history: History) -> Counter[str]:
    names = ("item_id", "policy_version", "outcome", "rule", "state")
    query = sa.select(*(golden_items.c[name] for name in names)).where(
        golden_items.c.policy_id == policy_id,
        golden_items.c.policy_version != history[-1].version,
        golden_items.c.state.in_(_MOVABLE),
    )
    wanted: dict[tuple[str, str], list[str]] = {}  # by (state, label's version), since that tells the reason
    for row in connection.execute(query.order_by(golden_items.c.item_id)):
        to = moved_to(history, GoldState(row.state), row.policy_version, Outcome(row.outcome), row.rule)
        if to is not None:
            wanted.setdefault((to.value, row.policy_version), []).append(row.item_id)
    moved: Counter[str] = Counter()
    for (state, version), item_ids in sorted(wanted.items()):
        cause = after(history, version)[-1]
        detail = {"policy_version": cause.version, "kinds": [k.value for k in cause.kinds], "reason": cause.reason}
        for part in chunks(item_ids, 1000):
            whole = sa.select(golden_items).where(
                golden_items.c.policy_id == policy_id,
                golden_items.c.policy_version == version,
                golden_items.c.state.in_(_MOVABLE),
                golden_items.c.item_id.in_(part),
            )
            rows = connection.execute(for_update(connection, whole.order_by(golden_items.c.item_id))).mappings().all()
            moved[state] += move_gold(connection, rows, GoldState(state), cause.actor, detail)
    return moved
