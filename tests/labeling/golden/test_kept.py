from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.golden.kept import Kept
from labeling.golden.near import Subject

ROWS = st.lists(st.tuples(st.integers(0, 6), st.text(max_size=8), st.sampled_from(["", "h1", "ff" * 32])), max_size=12)


@settings(deadline=None, max_examples=50)
@given(ROWS, st.integers(1, 5), st.integers(-3, 14), st.integers(0, 14))
def test_it_is_the_last_row_of_each_item(rows: list[tuple[int, str, str]], page: int, start: int, stop: int) -> None:
    given_ = [Subject(f"i{number}", *rest) for number, *rest in rows]
    wanted = {subject.item_id: subject for subject in given_}
    held, subjects = Kept(), list(wanted.values())
    for first in range(0, len(rows), page):
        part = given_[first : first + page]
        held.extend(pa.RecordBatch.from_pylist([{n: getattr(s, n) for n in Subject.__slots__} for s in part]))
    assert (held.rows, len(held), held.ids.to_pylist()) == (len(rows), len(subjects), list(wanted))
    assert [list(wanted)[place] for place in held.places] == [subject.item_id for subject in given_]
    assert (list(held), held[start:stop]) == (subjects, subjects[start:stop])
    assert [held[n] for n in reversed(range(len(subjects)))] == subjects[::-1]
    if subjects:
        assert held[-1] == subjects[-1]
    with pytest.raises(IndexError):
        held[len(subjects)]
