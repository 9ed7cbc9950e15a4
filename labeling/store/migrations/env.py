"""Alembic runs this file for each command; the caller hands over its connection, and its transaction with it."""

from __future__ import annotations

from alembic import context

from labeling.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite changes a table by copying it
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
