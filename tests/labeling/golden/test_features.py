from __future__ import annotations

from typing import Any

import pytest

from labeling.golden.columns import page_of_items
from labeling.golden.features import COLUMNS, SCHEMA, cells, described, soft_label, told
from labeling.records import GoldenItem, Outcome
from tests.labeling.golden.made import golden_item


def row(item: GoldenItem) -> dict[str, Any]:
    [values] = told(page_of_items([item]), "1.0.0").to_pylist()
    return dict(values)


def test_a_row_has_every_column_and_no_other() -> None:
    values = row(golden_item("a"))
    assert list(values) == [c.name for c in COLUMNS] == SCHEMA.names
    assert (values["label"], values["weight"], values["soft_label"]) == (1, 4.0, 1.0)


def test_an_allowed_row_picked_on_purpose() -> None:
    values = row(golden_item("a", outcome=Outcome.ALLOWED, pi=None))
    assert (values["label"], values["rule"], values["severity"], values["pi"], values["weight"]) == (0, *[None] * 4)


@pytest.mark.parametrize(
    ("votes", "share"),
    [
        ({"allowed": 1, "violates/slur": 2, "violates/threat": 1}, 0.75),
        ({"context_missing": 2, "allowed": 1}, 0.0),
        ({"context_missing": 2}, None),
        ({}, None),
    ],
)
def test_soft_labels(votes: dict[str, int], share: float | None) -> None:
    assert soft_label(votes) == share


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "  =1+1", "\t=1", "\r=1", "\n=1", "＝1+1", "\u00a0=1"]
)
def test_formulas_are_disarmed(text: str) -> None:
    found = cells(row(golden_item("a", text)))
    assert found[[c.name for c in COLUMNS].index("text")] == f"'{text}"


def test_plain_text_and_numbers_stay() -> None:
    found = dict(zip([c.name for c in COLUMNS], cells(row(golden_item("a", "1 - 1 = 0"))), strict=True))
    assert (found["text"], found["severity"], found["pi"]) == ("1 - 1 = 0", 2, 0.25)
    assert found["votes"] == '[{"answer": "violates/threat", "people": 2}]'


def test_described_features_differ_in_votes_alone() -> None:
    lists, texts = described(votes_as_text=False), described(votes_as_text=True)
    assert [f["name"] for f, g in zip(lists, texts, strict=True) if f != g] == ["votes"]
