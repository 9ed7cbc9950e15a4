"""What a round is for, where it follows something: its plan has a ``purpose``, which ordinary rounds have not.

``relabel``: stale gold under the new version; ``bridge``: a sample under both versions, a round for each side;
``watch``: the items of an alert of trends.
"""

from __future__ import annotations

from labeling.records import Round

RELABELS = "relabel"
BRIDGE = "bridge"
WATCH = "watch"
OLD, NEW = "old", "new"  # the sides of a bridge


def purpose(round_: Round) -> str:
    """``relabel``, ``bridge``, ``watch``, or nothing of an ordinary round."""
    return str(round_.plan.get("purpose", ""))


def is_old_side(round_: Round) -> bool:
    """Whether a round is the old side of a bridge: its answers are compared, and label nothing."""
    return purpose(round_) == BRIDGE and round_.plan.get("side") == OLD
