from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from scoring import engine
from scoring.engine import run
from scoring.networks import Array, Fetch, Plain
from scoring.tokens import Reading, Tokens
from scoring.window import Lane, prepare
from tests.scoring.test_engine import Double, expected


class Words(Plain):
    """Each word of a text is a row of its own; a text is the largest of its words. Notes what happens when."""

    packed = True

    def __init__(self) -> None:
        super().__init__(Double())
        self.batch_tokens = 6
        self.heard: list[str] = []

    def read(self, texts: list[str]) -> list[Reading]:
        found = []
        for text in texts:
            words = text.split()
            found.append(Reading(tuple(self.tokenize(words)), f"{len(words)} words" if len(words) > 1 else ""))
        return found

    def start(self, rows: Sequence[Tokens], place: int) -> Fetch:
        number = sum(event.startswith("start") for event in self.heard)
        self.heard.append(f"start {number}")
        found = super().start(rows, place)()

        def fetch() -> tuple[Array, ...]:
            self.heard.append(f"fetch {number}")
            return found

        return fetch

    def join(self, parts: tuple[Array, ...]) -> tuple[Array, ...]:
        return tuple(part.max(axis=0) for part in parts)


def test_rows_of_one_text_are_joined_and_noted() -> None:
    found = run(Words(), ["a", "b", "c"], ["ab", "bb abc ccc", "x nan"])
    assert found.ids == ("a", "b")
    np.testing.assert_array_equal(found.arrays[0][:, 0], [expected("ab"), expected("ccc")])
    assert [(note.item_id, note.text) for note in found.notes] == [("b", "3 words")]
    assert list(found.parts) == [1]
    np.testing.assert_array_equal(found.parts[1][0][:, 0], [expected(word) for word in ("bb", "abc", "ccc")])
    assert [failure.item_id for failure in found.failures] == ["c"]


def test_a_batch_is_fetched_after_the_next_was_started() -> None:
    network = Words()
    run(network, ["a", "b", "c"], ["abcdef", "ghijkl", "mnopqr"])
    assert network.heard == ["start 0", "start 1", "fetch 0", "start 2", "fetch 1", "fetch 2"]


def test_a_batch_that_cannot_start_waits_for_the_one_before() -> None:
    network = Words()
    found = run(network, ["a", "b", "c"], ["abcdef", "raise", "mnop"])
    assert found.ids == ("a", "c")
    assert network.heard[:3] == ["start 0", "start 1", "fetch 0"]


def test_only_the_text_that_cannot_be_tokenized_is_at_fault() -> None:
    window = prepare(Plain(Double()), ["ab", "untokenizable", "", "cde"], [3, 1, 0])
    assert window.spans == [(3, 0, 1), (0, 1, 2)]
    assert list(window.faults) == [1]
    assert "cannot tokenize" in window.faults[1]


def test_a_lane_settles_in_order_one_behind() -> None:
    heard: list[int] = []
    lane = Lane()
    for number in range(3):
        lane.put(lambda number=number: heard.append(number))  # type: ignore[misc]
        assert heard == list(range(number))
    lane.flush()
    lane.flush()
    assert heard == [0, 1, 2]


def test_texts_that_cannot_be_tokenized_make_no_good_model_hopeless(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["untokenizable but long" for _ in range(40)] + ["good, and the longest text of all"]
    keys = [str(n) for n in range(len(texts))]
    monkeypatch.setattr(engine, "WINDOW_ITEMS", 1)  # the good one has a window of its own, and comes first
    found = run(Plain(Double()), keys, texts)
    assert found.ids == (keys[-1],)
    assert len(found.failures) == 40
