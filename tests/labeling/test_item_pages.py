"""Pages of items: every item once, whatever comes in between, and what is gone has no name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.item_pages import page_of
from labeling.store.interfaces import ItemRegistry


class Registry:
    """Knows every item but those that start with ``gone``."""

    def by_id(self, item_ids: Sequence[str]) -> dict[str, Any]:
        return {name: Known(f"ext-{name}") for name in item_ids if not name.startswith("gone")}


class Known:
    def __init__(self, external_id: str) -> None:
        self.external_id = external_id


REGISTRY = cast("ItemRegistry", Registry())


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text("ab", min_size=1, max_size=4)), st.integers(1, 5))
def test_pages_name_every_item_once_in_order(ids: list[str], limit: int) -> None:
    seen, after = [], ""
    while True:
        page = page_of(REGISTRY, ids, after, limit)
        assert page.count == len(set(ids))
        assert len(page.items) <= limit
        seen += [one.item_id for one in page.items]
        if page.next is None:
            break
        after = page.next
    assert seen == sorted(set(ids))


def test_what_is_gone_has_no_external_id_and_what_is_withheld_is_counted() -> None:
    page = page_of(REGISTRY, ["gone-1", "it-2"], withheld=3)
    assert [(one.item_id, one.external_id) for one in page.items] == [("gone-1", None), ("it-2", "ext-it-2")]
    assert (page.count, page.next, page.withheld) == (2, None, 3)
    assert page_of(REGISTRY, [], "x").items == ()
