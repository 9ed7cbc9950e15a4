"""What versions of a policy brought, in an installation: its clock and its QA file around the use case."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from api.composition import Goldfold
from api.daily_qa import actions_of
from configs.qa_files import read_qa_file
from labeling.insights.policy_effect import effect_items, policy_effects

MOST_VERSIONS = 50
Json = dict[str, Any]


def effects(goldfold: Goldfold, policy_id: str, limit: int = 10) -> list[Json]:
    """The newest versions with their figures before and after, the newest first. Raises NotFound."""
    actions = actions_of(read_qa_file(goldfold.settings.qa_file))
    return policy_effects(goldfold.ledger, goldfold.lake, policy_id, actions, datetime.now(UTC), limit)


def items_of_effect(goldfold: Goldfold, policy_id: str, what: str, since: datetime, until: datetime) -> list[str]:
    """The items behind one of these figures. Raises NotFound, InvalidInput."""
    return effect_items(goldfold.ledger, goldfold.lake, policy_id, what, since, until)
