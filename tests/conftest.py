"""For every test: no model is ever fetched. The session's PostgreSQL lies in ``tests.postgres``."""

from __future__ import annotations

import os

from tests.postgres import postgres

__all__ = ["postgres"]

os.environ["HF_HUB_OFFLINE"] = "1"  # before anything imports the hub's client, which reads it once
