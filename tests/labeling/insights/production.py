"""A shop whose items were decided about in production, yesterday."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from labeling.insights.daily_qa import Terms
from labeling.insights.decisions import import_decisions
from labeling.policies import Policy
from labeling.policy_versions import ChangeKind, version_of
from tests.labeling.shop import NOW, Shop, items, open_shop

DAY = date(2026, 2, 28)
NOON = datetime(2026, 2, 28, 12, 0, tzinfo=UTC)


def open_production(folder: Path, count: int = 20) -> Shop:
    """``count`` items of fraud, those with an even number speak of it."""
    shop = open_shop(folder)
    versions = [
        version_of(one, [ChangeKind.NEW], [], reason="first", actor="ann", at=NOW - timedelta(days=9))
        for one in shop.policies.values()
    ]
    shop.ledger.policies.first(versions)
    shop.ingest(items(range(0, count, 2), "cheat money fast w{n} v{n}"))
    shop.ingest(items(range(1, count, 2), "a walk outside w{n} v{n}"))
    shop.score()
    return shop


def row(number: int, **changes: object) -> dict[str, object]:
    """A right decision about item ``number``."""
    bad = number % 2 == 0
    base: dict[str, object] = {
        "decision_id": f"d{number}",
        "source": "human",
        "who": "mod-1",
        "item": f"ext-{number}",
        "policy": "fraud",
        "outcome": "violates" if bad else "ok",
        "rule": "general" if bad else None,
        "action": "remove" if bad else "keep",
        "decided_at": (NOON + timedelta(seconds=number)).isoformat(),
        "project": "forum",
    }
    return base | changes


def decide(shop: Shop, *rows: Mapping[str, object]) -> None:
    import_decisions(list(rows), shop.ledger, shop.lake)


def terms(shop: Shop, **changes: Any) -> Terms:
    def policy(policy_id: str, _version: str) -> Policy:
        return shop.policies[policy_id]

    given: dict[str, Any] = {"policies": shop.policies, "policy": policy, "budget": 50} | changes
    return Terms(**given)
