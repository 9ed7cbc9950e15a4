"""Who acted is told to leads alone: the pages of everybody else say what happened, when and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from api.console.page import Ask

ACTORS = ("actor", "author", "decided_by", "by")


def unnamed(ask: Ask, told: Mapping[str, Any]) -> dict[str, Any]:
    """A record as the visitor may see it: for who is no lead, with "" where a person would be named."""
    return dict(told) if ask.is_lead else {name: "" if name in ACTORS else value for name, value in told.items()}
