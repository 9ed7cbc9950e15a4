from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.long_text import RULES, rule_named, spans


@given(st.integers(1, 400), st.integers(1, 60), st.sampled_from(sorted(RULES)))
def test_windows_cover_what_they_can(tokens: int, size: int, name: str) -> None:
    rule = rule_named(name)
    found = spans(tokens, size, rule)
    assert 1 <= len(found) <= rule.most
    assert all(0 <= start < stop <= tokens and stop - start <= size for start, stop in found)
    assert found[0][0] == 0
    read = {token for start, stop in found for token in range(start, stop)}
    assert len(read) == min(tokens, rule.most * size)
    if rule.tail:
        assert found[-1][1] == tokens


def test_the_ends_of_a_long_text_are_read() -> None:
    assert spans(100, 10, RULES["windows"]) == [(0, 10), (10, 20), (80, 90), (90, 100)]
    assert spans(35, 10, RULES["windows"]) == [(0, 10), (10, 20), (20, 30), (25, 35)]
    assert spans(100, 10, RULES["cut"]) == [(0, 10)]


def test_a_note_says_what_was_read() -> None:
    windows, cut = RULES["windows"], RULES["cut"]
    assert windows.note(30, 1, "") == cut.note(30, 1, "") == ""
    assert windows.note(30, 3, "") == "read whole, in 3 windows of at most 30 tokens"
    assert windows.note(30, 4, "9 tokens") == (
        "read in 4 windows, the first and the last 60 tokens; 9 tokens in the middle were not read"
    )
    assert cut.note(30, 1, "9 tokens") == "only the first 30 tokens were read; 9 tokens were not"


def test_an_unknown_rule_is_refused() -> None:
    with pytest.raises(ValueError, match="'middle' is unknown; use one of windows, cut"):
        rule_named("middle")
