"""For every test: no model is ever fetched. ``tests.postgres`` has the session's PostgreSQL, ``tests.ledgers`` makes
fresh ledgers quickly."""

from __future__ import annotations

import os

from tests.ledgers import _ledgers_are_copied
from tests.postgres import postgres

__all__ = ["_ledgers_are_copied", "postgres"]

os.environ["HF_HUB_OFFLINE"] = "1"  # before anything imports the hub's client, which reads it once
