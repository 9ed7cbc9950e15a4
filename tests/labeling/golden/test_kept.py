from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.golden import kept
from labeling.golden.kept import Kept
from labeling.golden.near import Subject

TEXTS = st.lists(st.tuples(st.text(max_size=8), st.sampled_from(["", "h1", "ff" * 32])), max_size=12)


@settings(deadline=None, max_examples=50)
@given(TEXTS, st.integers(1, 5), st.integers(-3, 14), st.integers(0, 14))
def test_it_is_the_list_of_what_it_was_given(texts: list[tuple[str, str]], block: int, start: int, stop: int) -> None:
    subjects = [Subject(f"i{n}", *each) for n, each in enumerate(texts)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kept, "BLOCK", block)
        held = Kept(subjects)
        assert (list(held), len(held), held.ids) == (subjects, len(subjects), [s.item_id for s in subjects])
        assert held[start:stop] == subjects[start:stop]
        assert [held[n] for n in reversed(range(len(subjects)))] == subjects[::-1]
        if subjects:
            other = Subject("i0", "another \ud800", "h2")
            held.replace(0, other)
            assert held[0] == other
            assert list(held)[1:] == subjects[1:]
            assert held[-1] == (subjects[-1] if len(subjects) > 1 else other)
        with pytest.raises(IndexError):
            held[len(subjects)]
