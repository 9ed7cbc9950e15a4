"""The golden items behind a figure. Which items lie in ``sealed`` and ``anchor`` is told to nobody: they are counted,
whatever their answers are."""

from __future__ import annotations

from labeling.golden.gold_links import GoldAsked
from labeling.golden.judges import ANY, decidable
from labeling.golden.planner import SEEN
from labeling.golden.stale import Moved
from labeling.judging.report import BUILT_IN, SEVERITY, dimensions
from labeling.records import GoldenItem, Partition
from labeling.store.interfaces import Golden, Lake


def golden_items(golden: Golden, lake: Lake, asked: GoldAsked) -> tuple[list[str], int]:
    """Their items, and how many more are withheld. Raises NotFound (version), InvalidInput (dimension)."""
    if not (asked.version or asked.judging or asked.dimension):
        having = {"partition": asked.partition, "policy_id": asked.policy, "modality": asked.modality}
        found = golden.placed(**having, state=asked.state)
        return [i for i, place in found if place in SEEN], len({i for i, place in found if place not in SEEN})
    rows = [row for row in _rows(golden, asked) if _is_meant(row, asked)]
    shown = [row for row in rows if row.partition in SEEN]
    hidden = [row for row in rows if row.partition not in SEEN]
    if asked.dimension:
        read = dimensions(lake, rows, [] if asked.dimension in BUILT_IN else [asked.dimension])[asked.dimension]
        shown = [row for row in shown if read(row) == asked.value]
        # A severity is an answer: a count by it would tell how many answers say so, so none is left out of it.
        hidden = [row for row in hidden if asked.dimension == SEVERITY or read(row) == asked.value]
    return [row.item_id for row in shown], len({row.item_id for row in hidden})


def _rows(golden: Golden, asked: GoldAsked) -> list[GoldenItem]:
    if asked.version:
        moved = Moved.of(golden.drifted(asked.version))
        rows = [row for row in golden.stream(asked.version, asked.partition) if moved.stands(row)]
    else:
        rows = golden.items(partition=asked.partition, policy_id=asked.policy)
    if not asked.judging:
        return rows
    places = [asked.partition] if asked.partition else list(Partition)
    return [row for place in places for row in decidable(rows, place, asked.modality or ANY)]


def _is_meant(row: GoldenItem, asked: GoldAsked) -> bool:
    return (
        asked.partition in (None, row.partition)
        and asked.policy in (None, row.policy_id)
        and asked.modality in (None, row.modality)
        and asked.state in (None, row.state)
    )
