"""The golden items behind a figure. Which items lie in ``sealed`` and ``anchor`` is told to nobody: they are counted,
whatever their answers are."""

from __future__ import annotations

from typing import Protocol

from labeling.golden.gold_links import GoldAsked
from labeling.golden.judges import ANY, decidable
from labeling.golden.planner import SEEN
from labeling.golden.stale import Moved
from labeling.item_pages import PAGE, ItemPage, page_named, page_of
from labeling.judging.report import BUILT_IN, SEVERITY, dimensions
from labeling.records import GoldenItem, Partition
from labeling.store.interfaces import Golden, ItemRegistry, Lake


class Stores(Protocol):
    """The part of the ledger that is read."""

    @property
    def items(self) -> ItemRegistry: ...

    @property
    def golden(self) -> Golden: ...


def golden_items(stores: Stores, lake: Lake, asked: GoldAsked, after: str = "", limit: int = PAGE) -> ItemPage:
    """A page of their items. Raises NotFound (version), InvalidInput (dimension)."""
    if asked.version or asked.judging or asked.dimension:
        found, withheld = _looked_at(stores.golden, lake, asked)
        return page_of(stores.items, found, after, limit, withheld=withheld)
    having = {"partition": asked.partition, "policy_id": asked.policy, "modality": asked.modality, "state": asked.state}
    following, count, withheld = stores.golden.placed(SEEN, after, limit + 1, **having)
    return page_named(stores.items, following, limit, count, withheld)


def _looked_at(golden: Golden, lake: Lake, asked: GoldAsked) -> tuple[list[str], int]:
    """By reading every row: the items, and how many more are withheld."""
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
