"""The two shapes that answers share: a figure, and a page of the items behind one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from api.composition import Goldfold
from labeling.item_pages import MOST, PAGE, page_of

FIRST = PAGE  # items of a page, where nothing is said
After = Annotated[str, Query(description="`next` of the page before.")]
Limit = Annotated[int, Query(ge=1, le=MOST, description="Items of a page.")]


class FigureOut(BaseModel):
    """An estimate that can be quoted by itself. What else is known of it stands beside."""

    model_config = ConfigDict(extra="allow")

    value: float | None = Field(description="null: too few answers to say one.")
    low: float | None
    high: float | None = Field(description="low to high: the 95 % interval.")
    n: int
    licence: str = Field(description="What it may be read as: population, sample, provisional, none, ...")
    golden_version: str
    policy_version: str
    items: str = Field(description="Path that names the items behind it.")


class NamedItemOut(BaseModel):
    """An item by its ids; content is never told."""

    model_config = ConfigDict(from_attributes=True)

    item_id: str
    external_id: str | None = Field(description="null: it is gone.")


class ItemPageOut(BaseModel):
    """A page of items, by item id."""

    model_config = ConfigDict(from_attributes=True)

    items: list[NamedItemOut]
    count: int = Field(description="Of all pages.")
    next: str | None = Field(description="Give it as `after`; null on the last page.")
    withheld: int = Field(description="Items of sealed and anchor that are counted, not named.")

    @classmethod
    def of(
        cls, goldfold: Goldfold, item_ids: Iterable[str], after: str, limit: int, *, withheld: int = 0
    ) -> ItemPageOut:
        """The page behind ``after``."""
        return cls.model_validate(page_of(goldfold.ledger.items, item_ids, after, limit, withheld=withheld))
