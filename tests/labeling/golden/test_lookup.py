from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.golden import lookup
from labeling.golden.lookup import Lookup
from labeling.golden.near import Signals, Sources, Subject, groups_of, told
from labeling.golden.text import content_hash
from labeling.golden.vectors import F32
from labeling.pictures import no_pictures

RNG = np.random.default_rng(5)
CENTRES = RNG.standard_normal((12, 384))
WORDS = [f"{n:04} {' '.join(content_hash(str(n))[i : i + 5] for i in range(0, 60, 5))}" for n in range(12)]


class Noisy:
    """Each item is a centre with noise, by its number; every third has none."""

    def __call__(self, item_ids: Sequence[str]) -> dict[str, F32]:
        found = {}
        for item_id in item_ids:
            number = int(item_id[1:])
            if number % 3:
                noise = np.random.default_rng(number).standard_normal(384)
                found[item_id] = (CENTRES[number % 12] + noise * 0.2 * (number % 4)).astype(np.float32)
        return found


SOURCES = Sources.at(0.95, Noisy(), no_pictures)


def subject(number: int) -> Subject:
    text = WORDS[number % 7] + " and some more"[: number % 15]
    return Subject(f"i{number}", text, content_hash(text))


def brute(one: Subject, others: Sequence[Subject]) -> list[int]:
    mine, theirs = Signals.of([one], SOURCES), Signals.of(others, SOURCES)
    pairs = (np.zeros(len(others), np.int64), np.arange(len(others)))
    close = np.zeros(len(others), np.bool_)
    for _, shared in told(mine, theirs, pairs, SOURCES.closeness):
        close |= shared
    return [int(row) for row in np.flatnonzero(close)]


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(0, 200), min_size=1, max_size=25, unique=True), st.integers(0, 25))
def test_a_look_finds_what_comparing_with_all_finds(numbers: list[int], given_first: int) -> None:
    subjects = [subject(number) for number in numbers]
    index = Lookup(SOURCES, subjects[:given_first])
    for each in subjects[given_first:]:
        index.add([each], Signals.of([each], SOURCES))
    assert len(index) == len(subjects)
    for each in (subject(7), subject(201), subjects[0]):
        assert index.near(Signals.of([each], SOURCES)).tolist() == brute(each, subjects)


def test_batches_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    subjects = [subject(number) for number in range(60)]
    whole = Lookup(SOURCES, subjects)
    monkeypatch.setattr(lookup, "BATCH", 7)
    parts = Lookup(SOURCES, subjects)
    for number in range(60, 75):
        signals = Signals.of([subject(number)], SOURCES)
        assert parts.near(signals).tolist() == whole.near(signals).tolist()


def test_what_is_looked_up_is_what_groups_are_made_of() -> None:
    """Folding looks things up, the proof of no leaks groups them: both must see the same neighbours."""
    subjects = [subject(number) for number in range(80)]
    index = Lookup(SOURCES, subjects)
    groups = groups_of(subjects, SOURCES)
    reached = np.arange(len(subjects))
    for row, each in enumerate(subjects):
        near = index.near(Signals.of([each], SOURCES))
        assert row in near.tolist()
        for label in set(reached[near].tolist()):
            reached[reached == label] = reached[row]
    pairs = set(zip(reached.tolist(), groups.tolist(), strict=True))
    assert len(pairs) == len(set(reached.tolist())) == len(set(groups.tolist()))


def test_nothing_is_near_in_an_empty_index() -> None:
    assert Lookup(SOURCES).near(Signals.of([subject(1)], SOURCES)).tolist() == []
