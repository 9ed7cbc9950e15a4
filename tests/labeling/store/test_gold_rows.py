from __future__ import annotations

import dataclasses
import json

import pytest

from labeling.errors import IntegrityError
from labeling.records import GoldenItem
from labeling.store.gold_rows import columns_of, item_of
from labeling.store.rows import dump
from labeling.store.tables import golden_items, golden_members
from tests.labeling.golden.made import golden_item

ITEM = golden_item("a")


def test_columns_are_the_fields_in_order() -> None:
    names = [field.name for field in dataclasses.fields(GoldenItem)]
    for table in (golden_items, golden_members):
        found = [getattr(column, "name", "") or column.clause.name for column in columns_of(table)]
        assert found == names


def test_a_row_becomes_the_item_it_was() -> None:
    row = dump(ITEM) | {"votes": json.dumps(ITEM.votes)}
    one, other = item_of(list(row.values())), item_of(list(row.values()))
    assert one == other == ITEM
    one.votes["allowed"] = 9
    assert other == item_of(list(row.values())) == ITEM


@pytest.mark.parametrize(("field", "value"), [("outcome", "perhaps"), ("votes", "{")])
def test_a_value_that_is_none_of_its_kind_is_refused(field: str, value: object) -> None:
    row = dump(ITEM) | {"votes": json.dumps(ITEM.votes), field: value}
    with pytest.raises(IntegrityError, match=r"golden item a, policy harm: a value of it is damaged"):
        item_of(list(row.values()))
