"""A figure's origin: in each object that has ends, and in no other; its own word stands. And links that can be read."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

from labeling.figures import Origin, link, versions_of
from tests.figures import lacking

ORIGIN = Origin("sample: some", "1.0.0", "fraud 1.0.0", "/v1/x")
BARE = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 20}


def test_each_figure_at_any_depth_gets_the_origin_and_nothing_else_does() -> None:
    told = ORIGIN.within({"n": 3, "parts": [BARE, {"a": BARE | {"licence": "none: own"}}], "left": None})
    assert told["n"] == 3
    assert set(told) == {"n", "parts", "left"}
    parts: Any = told["parts"]
    first, second = parts
    assert first == {**BARE, **ORIGIN.as_dict()}
    assert second["a"]["licence"] == "none: own"
    assert lacking(told) == []


def test_the_check_names_what_a_figure_lacks() -> None:
    assert lacking({"a": [{**BARE, **ORIGIN.as_dict()}]}) == []
    assert lacking({"a": [BARE]}) == [
        f".a[0]: {name}" for name in ("licence", "golden_version", "policy_version", "items")
    ]
    odd = {**BARE, **ORIGIN.as_dict(), "items": ["it-1"], "licence": "", "golden_version": None}
    said = lacking(odd)
    assert said == [": golden_version is no text", ": items is no text", ": licence is empty", ": items is no path"]


def test_versions_are_told_once_each_and_links_hold_their_filters() -> None:
    assert versions_of([("b", "2.0.0"), ("a", "1.0.0"), ("b", "2.0.0")]) == "a 1.0.0, b 2.0.0"
    made = link("/v1/x", day=None, project="", who="a&b c", since="2026-01-01T00:00:00Z")
    assert parse_qs(urlsplit(made).query, keep_blank_values=True) == {
        "project": [""],
        "who": ["a&b c"],
        "since": ["2026-01-01T00:00:00Z"],
    }
    assert link("/v1/x") == "/v1/x"
