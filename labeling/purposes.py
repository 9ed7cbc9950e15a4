"""What a round is for, where it is no ordinary one: its plan has a ``purpose``, which ordinary rounds have not.

``relabel``: stale gold under the new version; ``bridge``: a sample under both versions, a round for each side;
``daily_qa``: items of a day's sample of production's decisions; ``watch``: the items of an alert of trends;
``coverage``: a cluster of traffic that gold lacks.
"""

from __future__ import annotations

from labeling.records import Round

RELABELS = "relabel"
DAILY_QA = "daily_qa"
COVERAGE = "coverage"
BRIDGE = "bridge"
WATCH = "watch"
OLD, NEW = "old", "new"  # the sides of a bridge


def purpose(round_: Round) -> str:
    """``relabel``, ``bridge``, ``daily_qa``, ``watch``, ``coverage``, or nothing of an ordinary round."""
    return str(round_.plan.get("purpose", ""))


def is_old_side(round_: Round) -> bool:
    """Whether a round is the old side of a bridge: its answers are compared, and label nothing."""
    return purpose(round_) == BRIDGE and round_.plan.get("side") == OLD
