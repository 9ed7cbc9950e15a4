"""The items behind a figure, a page at a time: ids, never content."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from labeling.store.interfaces import ItemRegistry

PAGE, MOST = 100, 1000  # items of a page: by default, and at most


@dataclass(frozen=True, slots=True)
class NamedItem:
    """``external_id``: None where the item is gone."""

    item_id: str
    external_id: str | None


@dataclass(frozen=True, slots=True)
class ItemPage:
    """``items`` by item id, of ``count`` on all pages; ``next``: what to give as ``after`` for the next page, None on
    the last. ``withheld`` more are counted and not named: which items lie in ``sealed`` and ``anchor``, and which
    answers they have, is nobody's business."""

    items: tuple[NamedItem, ...]
    count: int
    next: str | None
    withheld: int = 0


def page_of(
    registry: ItemRegistry, item_ids: Iterable[str], after: str = "", limit: int = PAGE, *, withheld: int = 0
) -> ItemPage:
    """The ``limit`` items behind ``after`` ("": the first), 1 or more. The order is that of item ids, so a page means
    the same while the items stay the same, and none is told twice where some come in between."""
    ids = sorted(set(item_ids))
    start = bisect_right(ids, after)
    return page_named(registry, ids[start : start + limit + 1], limit, len(ids), withheld)


def page_named(registry: ItemRegistry, following: Sequence[str], limit: int, count: int, withheld: int = 0) -> ItemPage:
    """The first ``limit`` of ``following``, which has one more where it is not the last page."""
    shown = following[:limit]
    known = registry.by_id(shown)
    items = tuple(NamedItem(name, known[name].external_id if name in known else None) for name in shown)
    return ItemPage(items, count, shown[-1] if len(following) > limit else None, withheld)
