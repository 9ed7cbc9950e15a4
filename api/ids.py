"""Ids for jobs, rounds and models that nobody named: sortable by time, unlikely to meet."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime


def new_id(kind: str) -> str:
    """Such as ``round-20261122-143005-9f3a``."""
    return f"{kind}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
