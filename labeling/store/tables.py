"""The ledger's tables (SQLAlchemy Core); one row per record of ``labeling.records`` unless said otherwise.

A change here needs a migration in ``migrations/versions``; a test compares the two on SQLite and PostgreSQL.
Append-only: ``annotation_events``, ``adjudications``, ``gold_events``, ``golden_versions``, ``golden_decisions``,
``golden_errata``, ``golden_members``, ``model_events``, ``gates``, ``sealed_queries``, ``policy_versions`` and
``audit``.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import TypeDecorator

from labeling.errors import InvalidInput


class UtcTime(TypeDecorator[datetime]):
    """A timezone-aware instant. SQLite keeps no zone, so it stores UTC and gets it back as UTC."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        if value.tzinfo is None:
            raise InvalidInput(f"the time {value.isoformat()} has no zone; give UTC times")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


# Sorted by code point everywhere, as Python and SQLite do, whatever language PostgreSQL was set up for.
_TEXT = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def _text(name: str, *more: Any, nullable: bool = False, **options: Any) -> sa.Column[str]:
    return sa.Column(name, _TEXT, *more, nullable=nullable, **options)


def _json(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.JSON(none_as_null=True), nullable=nullable)


def _time(name: str, *, nullable: bool = False) -> sa.Column[datetime]:
    return sa.Column(name, UtcTime, nullable=nullable)


def _number(name: str, *, nullable: bool = False, **options: Any) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=nullable, **options)


def _real(name: str, *, nullable: bool = False, **options: Any) -> sa.Column[float]:
    return sa.Column(name, sa.Double, nullable=nullable, **options)


def _sequence() -> sa.Column[int]:
    # SQLite numbers rows by itself only when the key is a plain INTEGER.
    return sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True)


items = sa.Table(
    "items",
    metadata,
    _text("item_id", primary_key=True),
    _text("external_id", unique=True),
    _text("content_hash", index=True),
    _number("lake_version"),
    _time("registered_at"),
    _text("modality", server_default="text"),
    _time("gone_at", nullable=True),  # stopped: the row stays for what refers to it, the content is gone
    sa.Index("ix_items_lake_version", "lake_version"),
)

rounds = sa.Table(
    "rounds",
    metadata,
    _text("round_id", primary_key=True),
    _text("state"),
    _number("seed"),
    _json("plan"),
    _json("frame"),
    _text("scorer_version"),
    _json("notes"),
    _time("created_at"),
    _time("updated_at"),
)

picks = sa.Table(
    "picks",
    metadata,
    _text("round_id", sa.ForeignKey("rounds.round_id"), primary_key=True),
    _text("lane", primary_key=True),
    _text("policy_id", primary_key=True),
    _text("item_id", sa.ForeignKey("items.item_id"), primary_key=True),
    _real("pi", nullable=True),
    _real("probability"),
    _text("group_id"),
    _json("reasons"),
    sa.Index("ix_picks_item_id_policy_id", "item_id", "policy_id"),
)

tasks = sa.Table(
    "tasks",
    metadata,
    _text("task_id", primary_key=True),
    _text("kind"),
    _text("round_id", sa.ForeignKey("rounds.round_id")),
    _text("item_id", sa.ForeignKey("items.item_id")),
    _text("policy_id"),
    _text("policy_version"),
    _text("text"),
    _text("content_hash"),
    _number("overlap"),
    _text("state", index=True),
    _number("project_id", nullable=True, index=True),
    _number("studio_task_id", nullable=True),
    _text("parent_task_id", sa.ForeignKey("tasks.task_id"), nullable=True),
    _text("error"),
    _time("created_at"),
    _time("updated_at"),
    _text("prompt"),
    _text("precedents", server_default=""),
    _text("assignee", server_default=""),
    _number("position", server_default="0"),
    _real("exposure", server_default="0"),
    _number("extra", server_default="0"),
    _text("modality", server_default="text"),
    sa.UniqueConstraint("parent_task_id", "kind", "assignee"),
    sa.Index("ix_tasks_item_id_policy_id", "item_id", "policy_id"),
    sa.Index("ix_tasks_round_id_state_kind", "round_id", "state", "kind"),
    sa.Index("ix_tasks_assignee_state", "assignee", "state"),
    # Nobody meets an injected item twice, whatever races.
    sa.Index(
        "uq_tasks_injection",
        "item_id",
        "assignee",
        unique=True,
        sqlite_where=sa.text("kind = 'injection'"),
        postgresql_where=sa.text("kind = 'injection'"),
    ),
)

people = sa.Table(
    "people",
    metadata,
    _text("email", primary_key=True),
    _text("name"),
    _number("desk"),
    sa.Column("active", sa.Boolean, nullable=False),
    _json("languages"),
    _json("opt_outs"),
    _real("daily_exposure", nullable=True),
    _number("severe_in_row", nullable=True),
    sa.Column("paused", sa.Boolean, nullable=False),
    _text("paused_reason"),
    _time("reviewed_at", nullable=True),
    _time("created_at"),
    sa.Column("expert", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.UniqueConstraint("desk"),
)

annotation_events = sa.Table(
    "annotation_events",
    metadata,
    _sequence(),
    _text("task_id", sa.ForeignKey("tasks.task_id")),
    _number("studio_annotation_id"),
    _text("kind"),
    _text("annotator"),
    _text("updated_by"),
    _json("answer", nullable=True),
    _real("lead_time_s", nullable=True),
    _time("studio_updated_at"),
    _text("detail"),
    _text("origin"),
    _time("seen_at"),
    sa.UniqueConstraint("task_id", "studio_annotation_id", "kind", "studio_updated_at"),
    sa.Index("ix_annotation_events_studio_updated_at", "studio_updated_at"),
)

adjudications = sa.Table(
    "adjudications",
    metadata,
    _text("adjudication_id", primary_key=True),
    _text("task_id", sa.ForeignKey("tasks.task_id"), index=True),
    _text("round_id", sa.ForeignKey("rounds.round_id")),
    _text("item_id"),
    _text("policy_id"),
    _text("policy_version"),
    _json("answer"),
    _text("how"),
    _json("votes"),
    _json("annotators"),
    _text("adjudicator"),
    _time("created_at"),
    _text("verdict", nullable=True),
    _text("cause", nullable=True),
)


def _golden_columns() -> list[sa.Column[Any]]:
    """The columns of a golden item beside its key; the frozen copies of a version have the same."""
    return [
        _text("external_id"),
        _text("policy_version"),
        _text("text"),
        _text("content_hash"),
        _text("language"),
        _text("outcome"),
        _text("rule", nullable=True),
        _number("severity", nullable=True),
        _text("how"),
        _json("votes"),
        _text("tier"),
        _text("state"),
        _text("partition"),
        _text("group_id"),
        _text("round_id"),
        _text("lane"),
        _real("pi", nullable=True),
        _text("adjudication_id"),
        _time("folded_at"),
        _text("verdict", nullable=True),
        _text("cause", nullable=True),
        _text("modality", server_default="text"),
        _text("salt", server_default=""),
        _text("caption_hash", server_default=""),
    ]


golden_items = sa.Table(
    "golden_items",
    metadata,
    _text("item_id", primary_key=True),
    _text("policy_id", primary_key=True),
    *_golden_columns(),
    sa.Index("ix_golden_items_group_id", "group_id"),
)

# Each state a golden item has ever been in, whole, in ``row``: golden_items is the newest of them. ``number`` counts
# without gaps; ``sha256`` covers the event and the hash of the one before (labeling.golden.chain).
gold_events = sa.Table(
    "gold_events",
    metadata,
    _sequence(),
    _text("item_id"),
    _text("policy_id"),
    _text("adjudication_id", sa.ForeignKey("adjudications.adjudication_id"), nullable=True),
    _json("row", nullable=True),
    _time("at"),
    _number("number"),
    _text("action"),
    _text("actor"),
    _text("reason"),
    _text("row_sha256"),
    _text("previous"),
    _text("sha256"),
    sa.Index("ix_gold_events_item_id_policy_id", "item_id", "policy_id"),
    sa.UniqueConstraint("number"),
)

# One row: the last event's number and hash. Whoever appends locks it before anything else.
gold_head = sa.Table(
    "gold_head",
    metadata,
    _text("name", primary_key=True),
    _number("number"),
    _text("sha256"),
)

legal_stops = sa.Table(
    "legal_stops",
    metadata,
    _text("stop_id", primary_key=True),
    _text("item_id", index=True),
    _text("external_id", index=True),
    _text("content_hash", index=True),
    _text("policy_id"),
    _text("policy_version"),
    _text("round_id"),
    _text("task_id"),
    _text("who"),
    _time("at"),
    _time("purged_at", nullable=True),
    _time("lifted_at", nullable=True),
    _text("lifted_by"),
    _text("reason"),
)

# Tasks that must not stay in Label Studio, wherever they are found in that project.
studio_removals = sa.Table(
    "studio_removals",
    metadata,
    _text("task_id", primary_key=True),
    sa.Column("project_id", sa.BigInteger, primary_key=True, autoincrement=False),
    _time("asked_at"),
)

golden_versions = sa.Table(
    "golden_versions",
    metadata,
    _text("version", primary_key=True),
    _text("parent", sa.ForeignKey("golden_versions.version"), nullable=True),
    _text("merkle_root"),
    _text("manifest_path"),
    _json("counts"),
    _time("created_at"),
    _text("author", server_default=""),
    sa.Column("needs_approval", sa.Boolean, nullable=False, server_default=sa.false()),
    _number("events", server_default="0"),
    _text("events_sha256", server_default=""),
)

# What became of a proposed version.
golden_decisions = sa.Table(
    "golden_decisions",
    metadata,
    _text("version", sa.ForeignKey("golden_versions.version"), primary_key=True),
    _text("decision"),
    _text("decided_by"),
    _text("reason"),
    _time("at"),
)

golden_errata = sa.Table(
    "golden_errata",
    metadata,
    _sequence(),
    _text("version", sa.ForeignKey("golden_versions.version"), index=True),
    _text("item_id", index=True),
    _text("policy_id"),
    _text("reason"),
    _text("actor"),
    _time("at"),
)

golden_members = sa.Table(
    "golden_members",
    metadata,
    _text("version", sa.ForeignKey("golden_versions.version"), primary_key=True),
    _text("item_id", primary_key=True),
    _text("policy_id", primary_key=True),
    *_golden_columns(),
)

policy_versions = sa.Table(
    "policy_versions",
    metadata,
    _sequence(),
    _text("policy_id"),
    _text("version"),
    _text("content_hash"),
    _json("text"),
    _text("parent", nullable=True),
    _json("kinds"),
    _json("rules"),
    _json("predecessors"),
    _text("reason"),
    _text("actor"),
    _time("at"),
    sa.UniqueConstraint("policy_id", "version"),
)

policy_proposals = sa.Table(
    "policy_proposals",
    metadata,
    _text("proposal_id", primary_key=True),
    *(_text(name) for name in ("policy_id", "version")),
    *(_json(name) for name in ("text", "kinds", "rules", "predecessors")),
    *(_text(name) for name in ("reason", "author")),
    *(_number(name) for name in ("budget", "bridge")),
    _time("at"),
    *(_text(name) for name in ("state", "decided_by")),
    _time("decided_at", nullable=True),
    _text("decision_reason"),
    sa.Index(  # one of a policy waits at a time, whatever races
        "ix_policy_proposals_open",
        "policy_id",
        unique=True,
        sqlite_where=sa.text("state = 'proposed'"),
        postgresql_where=sa.text("state = 'proposed'"),
    ),
)

# Manifests made of a version after erasures: ``leaves`` of its rows are hashes only. The newest is the version's.
golden_derivations = sa.Table(
    "golden_derivations",
    metadata,
    _text("version", sa.ForeignKey("golden_versions.version"), primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    _number("leaves"),
    _text("manifest_path"),
    _time("at"),
)

erased_leaves = sa.Table(
    "erased_leaves",
    metadata,
    _text("version", sa.ForeignKey("golden_versions.version"), primary_key=True),
    _text("item_id", primary_key=True),
    _text("policy_id", primary_key=True),
    _text("leaf"),
)

erasures = sa.Table(
    "erasures",
    metadata,
    _text("erasure_id", primary_key=True),
    _text("item_id", unique=True),
    _text("external_id", unique=True),
    _text("actor"),
    _text("reason"),
    _time("asked_at"),
    _json("done"),
    _time("finished_at", nullable=True),
)

legal_holds = sa.Table(
    "legal_holds",
    metadata,
    _text("hold_id", primary_key=True),
    _text("item_id", index=True),
    _text("external_id"),
    _text("reason"),
    _text("actor"),
    _time("at"),
    _time("released_at", nullable=True),
    _text("released_by"),
    _text("release_reason"),
)

golden_exports = sa.Table(
    "golden_exports",
    metadata,
    _text("export_id", primary_key=True),
    _text("version", sa.ForeignKey("golden_versions.version"), index=True),
    _text("folder"),
    _text("form"),
    _json("partitions"),
    _text("recipient"),
    _text("actor"),
    _time("at"),
)

erasure_notices = sa.Table(
    "erasure_notices",
    metadata,
    _text("erasure_id", sa.ForeignKey("erasures.erasure_id"), primary_key=True),
    _text("export_id", sa.ForeignKey("golden_exports.export_id"), primary_key=True),
    _text("recipient"),
    _text("version"),
    _text("external_id"),
    _time("acknowledged_at", nullable=True),
    _text("acknowledged_by"),
    _text("note"),
)

models = sa.Table(
    "models",
    metadata,
    _text("model_id", primary_key=True),
    _text("version"),
    _text("golden_version"),
    _text("path"),
    _text("state"),
    _json("metrics"),
    _time("created_at"),
    _time("promoted_at", nullable=True),
    _text("artefact", server_default=""),
    _text("family", server_default=""),
    _text("modality", server_default="text"),
    # At most one champion of a modality, whatever races.
    sa.Index(
        "uq_models_champion",
        "modality",
        unique=True,
        sqlite_where=sa.text("state = 'champion'"),
        postgresql_where=sa.text("state = 'champion'"),
    ),
)

model_events = sa.Table(
    "model_events",
    metadata,
    _sequence(),
    _text("model_id", sa.ForeignKey("models.model_id"), index=True),
    _text("kind"),
    _text("before"),
    _text("after"),
    _text("replaced"),
    _text("gate_id"),
    _text("reason"),
    _text("actor"),
    _time("at"),
)

gates = sa.Table(
    "gates",
    metadata,
    _sequence(),
    _text("gate_id", unique=True),
    _json("body"),
    _text("previous", unique=True),  # a chain does not fork, whatever races
    _text("row_hash", unique=True),
    _text("signature"),
)

sealed_queries = sa.Table(
    "sealed_queries",
    metadata,
    _sequence(),
    _text("question_hash", index=True),
    _time("at"),
    _text("actor"),
    _text("model_id"),
    _text("model_version"),
    _text("family", index=True),
    _text("golden_version"),
    _json("question"),
    _json("answer", nullable=True),
    sa.Column("is_repeat", sa.Boolean, nullable=False),
    # A question is answered once, whatever races.
    sa.Index(
        "uq_sealed_queries_answered",
        "question_hash",
        unique=True,
        sqlite_where=sa.text("is_repeat = 0"),
        postgresql_where=sa.text("is_repeat = false"),
    ),
)

# How far each model is mirrored, by the server's address.
projects = sa.Table(
    "projects",
    metadata,
    _text("base_url", primary_key=True),
    sa.Column("project_id", sa.BigInteger, primary_key=True, autoincrement=False),
    _text("policy_id"),
    _text("policy_version"),
    _text("kind"),
    _text("config_sha256"),
    _time("watermark", nullable=True),
    _time("created_at"),
    _text("lease_holder", nullable=True),
    _time("lease_until", nullable=True),
    _text("assignee", server_default=""),
    _number("desk", server_default="0"),
    _text("modality", server_default="text"),
    _time("relinked_at", nullable=True),
    sa.UniqueConstraint(
        "base_url", "policy_id", "policy_version", "kind", "assignee", "modality", name="uq_projects_place"
    ),
)

api_keys = sa.Table(
    "api_keys",
    metadata,
    _text("key_id", primary_key=True),
    _text("name"),
    _text("role"),
    _text("key_hash", unique=True),
    _time("created_at"),
    _time("revoked_at", nullable=True),
)

executors = sa.Table(
    "executors",
    metadata,
    _text("executor_id", primary_key=True),
    _time("beat_at"),
)

audit = sa.Table(
    "audit",
    metadata,
    _sequence(),
    _time("at"),
    _text("actor"),
    _text("action"),
    _text("target"),
    _json("detail"),
)
