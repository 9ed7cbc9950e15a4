"""Links to the items behind a figure, for whoever may open them: others are told the figure without one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from api.auth import RANK, Role
from api.console.kept import Kept
from api.console.page import Ask

NEEDS = (  # the role that a list of the API needs, where it is more than a viewer
    (re.compile(r"/v1/golden/items\b"), Role.ENGINEER),
    (re.compile(r"/v1/agreement/items\b"), Role.ENGINEER),
    (re.compile(r"/v1/policies/[^/]+/bridge/items\b"), Role.ENGINEER),
    (re.compile(r"/v1/qa/items\b"), Role.LEAD),
)
ITEMS = "items"


def may_open(role: Role, address: str) -> bool:
    """Whether somebody of that role may look at the list at that address."""
    return all(RANK[need] <= RANK[role] for path, need in NEEDS if path.match(address))


def openable(ask: Ask, told: Any) -> Any:
    """Plain values with the ``items`` of their figures only where the visitor may open them, else None."""
    if isinstance(told, Mapping):
        return {name: _link(ask, value) if name == ITEMS else openable(ask, value) for name, value in told.items()}
    return [openable(ask, each) for each in told] if isinstance(told, (list, tuple)) else told


def openable_kept(ask: Ask, found: Kept[Any]) -> Kept[Any]:
    """The same of a kept figure."""
    return found if found.value is None else replace(found, value=openable(ask, found.value))


def _link(ask: Ask, value: Any) -> Any:
    if not isinstance(value, str):
        return openable(ask, value)
    return value if may_open(ask.visitor.role, value) else None
