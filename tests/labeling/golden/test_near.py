from __future__ import annotations

import numpy as np
import pytest

from labeling.golden import near
from labeling.golden.near import Signals, Sources, Subject, groups_of
from labeling.golden.text import content_hash
from tests.labeling.golden.test_partition import Angles, Pictures

SUBJECTS = [
    Subject("a", "It was all so long ago", "h1"),
    Subject("b", "it was ALL so long ago!", "h2"),
    Subject("c", "", "h1"),
    Subject("d", "quite another thing", "h3"),
    Subject("e", "a caption", "h4"),
    Subject("f", "a caption", "h5"),
    Subject("g", "", ""),
    Subject("h", "", content_hash("")),
    Subject("i", "", content_hash("")),
]
SOURCES = Sources.at(0.95, Angles({"d": 10, "g": 11}), Pictures({"e": 0xFF00, "f": 0xFFFF0000}))


@pytest.mark.parametrize("batch", [2, 100])
def test_groups_are_chains_of_what_any_signal_finds_close(batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near, "BATCH", batch)
    labels = dict(zip("abcdefghi", groups_of(SUBJECTS, SOURCES).tolist(), strict=True))
    assert labels["a"] == labels["b"] == labels["c"]
    assert labels["d"] == labels["g"]
    assert len(set(labels.values())) == 6
    assert groups_of([], SOURCES).tolist() == []


def test_signals_say_nothing_where_there_is_nothing() -> None:
    signals = Signals.of(SUBJECTS, SOURCES)
    assert signals.forms == ["itwasallsolongago", "itwasallsolongago", "", "quiteanotherthing", "", "", "", "", ""]
    assert (signals.letters != 0).tolist() == [True, True, False, True] + [False] * 5
    assert (signals.contents != 0).tolist() == [True] * 6 + [False] * 3
    assert signals.pictures.tolist() == [0] * 4 + [0xFF00, 0xFFFF0000, 0, 0, 0]
    assert np.flatnonzero(signals.embeddings.any(axis=1)).tolist() == [3, 6]


def test_a_group_is_named_by_what_its_founder_says() -> None:
    signals = Signals.of(SUBJECTS, SOURCES)
    names = [signals.founder(row) for row in range(len(SUBJECTS))]
    assert names[0] == names[1]
    assert len(set(names)) == len(names) - 1
    assert Signals.of([SUBJECTS[4]], Sources.at(1.0, Angles({}), Pictures({"e": 0xFF00}))).founder(0) == names[4]
