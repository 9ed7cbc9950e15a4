from __future__ import annotations

from dataclasses import fields, replace
from itertools import product

import pyarrow as pa
import pytest

from labeling.errors import IntegrityError
from labeling.golden import text
from labeling.golden.columns import EXPORTED, has_content, page_of, page_of_items, usable, votes_of
from labeling.golden.export import training_rows
from labeling.records import GoldenItem, GoldState, Outcome
from tests.labeling.golden.made import golden_item, sha

ITEM = golden_item("a")


def test_columns_are_fields_and_hold_their_values() -> None:
    page = page_of_items([ITEM, golden_item("b", outcome=Outcome.ALLOWED, pi=None)])
    assert set(page.schema.names) <= {field.name for field in fields(GoldenItem)}
    first, second = page.to_pylist()
    assert (first["outcome"], first["severity"], first["pi"], first["votes"]) == (
        "violates",
        2,
        0.25,
        '{"violates/threat": 2}',
    )
    assert (second["rule"], second["severity"], second["verdict"], second["pi"]) == (None, None, None, None)
    assert page_of_items([]).schema.names == list(EXPORTED)


def test_rows_are_usable_where_their_records_are() -> None:
    options = product(("text", "image"), ("", "words"), ("", "h1"), ("", sha(""), "h2"), GoldState, Outcome)
    items = []
    for n, (kind, words, content, caption, state, outcome) in enumerate(options):
        item = replace(golden_item(f"i{n}", state=state), outcome=outcome, modality=kind, text=words)
        items.append(replace(item, content_hash=content, caption_hash=caption))
    page = page_of_items(items)
    assert has_content(page).to_pylist() == [text.has_content(item) for item in items]
    assert page.filter(usable(page))["item_id"].to_pylist() == [item.item_id for item in training_rows(items, None)]


def test_votes_that_many_rows_have_are_read_once() -> None:
    items = [ITEM, replace(ITEM, votes={"allowed": 1}), ITEM]
    found, which = votes_of(page_of_items(items))
    assert (len(found), [found[place] for place in which.to_pylist()]) == (2, [item.votes for item in items])


@pytest.mark.parametrize(
    ("field", "value"), [("outcome", "perhaps"), ("tier", None), ("severity", "two"), ("severity", 2**40), ("text", 3)]
)
def test_a_value_that_is_none_of_its_kind_is_refused(field: str, value: object) -> None:
    rows = [list(row.values()) for row in page_of_items([golden_item("z"), ITEM]).to_pylist()]
    rows[1][EXPORTED.index(field)] = value
    with pytest.raises(IntegrityError, match=r"golden item a, policy harm: a value of it is damaged"):
        page_of(rows)


@pytest.mark.parametrize("votes", ["{", "null", "3"])
def test_votes_that_are_none_are_refused(votes: str) -> None:
    page = page_of_items([golden_item("z"), ITEM])
    broken = page.set_column(page.schema.get_field_index("votes"), "votes", pa.array(["{}", votes]))
    with pytest.raises(IntegrityError, match=r"golden item a, policy harm: a value of it is damaged"):
        votes_of(broken)
