"""Alembic's environment and the ledger's migrations; run by ``labeling.store.schema``, never by hand."""
