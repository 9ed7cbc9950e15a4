"""Ids of jobs, rounds and models: made for those that nobody named, and checked for those that somebody did."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime

from labeling.errors import InvalidInput

JOB_ID = r"^[A-Za-z0-9][A-Za-z0-9._-]{2,99}$"  # ids become names of folders and parts of addresses


def new_id(kind: str) -> str:
    """Such as ``round-20261122-143005-9f3a01c7``: sortable by time, unlikely to meet another."""
    return f"{kind}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"


def check_id(given: str) -> str:
    """The id as it was given. Raises InvalidInput."""
    if not re.fullmatch(JOB_ID, given):
        raise InvalidInput(
            f"id: {given!r} must be 3 to 100 characters, each a letter, a digit, '.', '_' or '-', the first no sign"
        )
    return given
