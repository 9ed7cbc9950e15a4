"""A text on which the scorer fails does so alone, wherever it stands, and the search for it is bounded."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from api.online.halves import CRASHED, GIVEN_UP, MOST_PARTS, crashed, score_batch
from scoring.errors import DeviceError, ModelNotFound
from tests.api.online.judges import BAD, POISON, POLICY, Judge, probability, raising


@given(st.integers(1, 1000), st.data())
def test_one_bad_text_is_found_among_a_thousand(count: int, data: st.DataObject) -> None:
    where = data.draw(st.integers(0, count - 1))
    judge = Judge()
    with capture_logs():
        rows = score_batch(judge, [POISON if i == where else f"{i}" for i in range(count)])
    assert [i for i, row in enumerate(rows) if row.error] == [where]
    assert rows[where] is CRASHED
    assert len(judge.batches) <= 2 * math.ceil(math.log2(count)) + 1 <= MOST_PARTS


@given(st.lists(st.booleans(), max_size=200))
def test_no_good_text_is_blamed_and_the_search_ends(poisoned: list[bool]) -> None:
    judge = Judge()
    texts = [POISON if bad else f"text {i}" for i, bad in enumerate(poisoned)]
    with capture_logs():
        rows = score_batch(judge, texts)
    assert len(judge.batches) <= MOST_PARTS
    for text, row in zip(texts, rows, strict=True):
        if text == POISON:
            assert crashed(row)
        elif row is not GIVEN_UP:
            assert row.probabilities == {POLICY: pytest.approx(probability(text))}
    if sum(poisoned) <= 2:
        assert GIVEN_UP not in rows


def test_a_scorer_that_is_broken_is_asked_no_more_than_so_often() -> None:
    judge = Judge()
    with capture_logs() as lines:
        rows = score_batch(judge, [POISON] * 500)
    assert len(judge.batches) == MOST_PARTS
    assert all(row is GIVEN_UP for row in rows)
    assert sum(bool(line["exc_info"]) for line in lines) == 1
    assert "content" not in repr([line for line in lines if not line["exc_info"]])


def test_texts_that_the_scorer_refuses_itself_are_told_as_ever() -> None:
    rows = score_batch(Judge(), ["good", f"{BAD} one"])
    assert [(row.error, crashed(row)) for row in rows] == [(None, False), ("cannot be read", False)]


@pytest.mark.parametrize("error", [DeviceError("broke"), ModelNotFound("fetch it"), MemoryError(), KeyboardInterrupt()])
@pytest.mark.parametrize("part", [0, 1, 2])
def test_what_is_no_single_texts_own_ends_the_search(error: BaseException, part: int) -> None:
    judge = Judge(faults=[raising(ValueError("injected"))] * part + [raising(error)])
    with capture_logs(), pytest.raises(type(error)):
        score_batch(judge, ["a", "b", "c", "d"])
    assert len(judge.batches) == part + 1
