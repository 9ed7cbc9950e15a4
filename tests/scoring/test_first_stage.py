from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.first_stage import CHARS_PER_TOKEN, FirstStage, pair_places
from tests.contracts.scorer import TEXTS
from tests.scoring.stages import tiny_stage, tiny_tokenizer

POLICIES = ("abuse", "violence")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> FirstStage:
    return tiny_stage(tiny_tokenizer(tmp_path_factory.mktemp("stage")), POLICIES)


def test_one_row_a_text(stage: FirstStage) -> None:
    reading = stage.read(TEXTS)
    logits, whole = reading.logits, reading.whole
    assert logits.shape == (len(TEXTS), 2)
    assert logits.dtype == np.float32
    assert whole.sum() == len(TEXTS) - 1  # one has more than 64 tokens
    assert len(np.unique(logits[whole].round(5), axis=0)) == whole.sum()


@settings(max_examples=40, deadline=None)
@given(st.permutations(range(len(TEXTS))), st.integers(1, len(TEXTS)))
def test_a_guess_does_not_depend_on_its_batch(stage: FirstStage, order: list[int], size: int) -> None:
    reading = stage.read(TEXTS)
    some = order[:size]
    again = stage.read([TEXTS[i] for i in some])
    np.testing.assert_allclose(again.logits, reading.logits[some], rtol=0, atol=1e-5)
    np.testing.assert_array_equal(again.whole, reading.whole[some])


def test_what_cannot_be_read_as_a_whole_is_not_judged(stage: FirstStage) -> None:
    long_word = "a" * (stage.max_tokens * CHARS_PER_TOKEN + 1)
    texts: list[Any] = [
        "",
        " \n",
        None,
        7,
        b"fox",
        "half \ud800 a pair",
        "\u200b\u00a0",
        "fox " * 65,
        long_word,
        "a fox",
    ]
    reading = stage.read(texts)
    logits, whole = reading.logits, reading.whole
    assert whole.tolist() == [False] * 9 + [True]
    assert not logits[:9].any()
    assert logits[9].any()


def test_nothing_in_nothing_out(stage: FirstStage) -> None:
    reading = stage.read([])
    assert reading.logits.shape == (0, 2)
    assert reading.whole.shape == (0,)


def test_the_version_names_all_that_shapes_a_guess(stage: FirstStage) -> None:
    assert replace(stage).version == stage.version
    changed = [
        replace(stage, max_tokens=63),
        replace(stage, policies=("violence", "abuse")),
        replace(stage, tensors={**stage.tensors, "votes": stage.tensors["votes"] * np.float32(2)}),
        replace(stage, tensors={**stage.tensors, "pairs": stage.tensors["pairs"] * np.float32(2)}),
    ]
    assert len({stage.version, *(one.version for one in changed)}) == 5


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("votes", np.zeros((200, 3), np.float32), r"votes must be float32 of shape \(200, 2\)"),
        ("pairs", np.zeros((50, 3), np.float32), r"pairs must be float32 of shape \(50, 2\)"),
        ("pairs", np.zeros((0, 2), np.float32), "pairs must be"),
        ("pairs", np.zeros((), np.float32), "pairs must be"),
        ("hidden", np.zeros((3, 5), np.float32), "hidden must be float32 of shape"),
        ("kernel", np.zeros((4, 4, 6), np.float32), "kernel must be float32 of shape"),
        ("output_bias", np.zeros(2), "output_bias must be float32"),
        ("output_bias", np.array([0, np.nan], np.float32), "output_bias must be finite"),
        ("tokens", np.zeros(200, np.float32), "two dimensions"),
        ("tokens", np.zeros((3, 4), np.float32), "votes must be"),
        ("extra", np.zeros(1, np.float32), "tensors must be"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(stage: FirstStage, name: str, value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(stage, tensors={**stage.tensors, name: value})


def test_other_faults_are_refused(stage: FirstStage) -> None:
    with pytest.raises(ValueError, match="policies must be named"):
        replace(stage, policies=())
    with pytest.raises(ValueError, match="max_tokens must be at least 1"):
        replace(stage, max_tokens=0)
    with pytest.raises(ValueError, match="Cannot instantiate Tokenizer"):
        replace(stage, tokenizer="{}")


def test_a_tokenizer_with_more_tokens_than_vectors_is_refused(stage: FirstStage) -> None:
    few = {**stage.tensors, **{name: stage.tensors[name][:9] for name in ("tokens", "votes")}}
    with pytest.raises(ValueError, match="more than there are vectors"):
        replace(stage, tensors=few)


def test_a_hand_computed_guess(tmp_path: Path) -> None:
    """Votes of tokens and pairs alone: their sum over the root of the number of tokens."""
    blank = tiny_stage(tiny_tokenizer(tmp_path), ("abuse",))
    zeros = {name: np.zeros_like(array) for name, array in blank.tensors.items()}
    votes = np.arange(200, dtype=np.float32)[:, None]
    pairs = np.arange(50, dtype=np.float32)[:, None] / np.float32(10)
    bias = np.array([0.5], np.float32)
    stage = replace(blank, tensors={**zeros, "votes": votes, "pairs": pairs, "output_bias": bias})
    ids = stage.token_ids(["a lazy dog"])[0]
    places = [((one * 1_000_003) ^ (two * 7_919)) % 50 for one, two in pairwise(ids)]
    assert len(set(places)) == len(ids) - 1
    expected = (sum(ids) + sum(places) / 10) / len(ids) ** 0.5 + 0.5
    assert stage.read(["a lazy dog"]).logits[0, 0] == pytest.approx(expected)


def test_a_single_token_has_no_pair(stage: FirstStage) -> None:
    text = next(word for word in ("a", "fox", "dog") if len(stage.token_ids([word])[0]) == 1)
    without = replace(stage, tensors={**stage.tensors, "pairs": np.zeros_like(stage.tensors["pairs"])})
    np.testing.assert_array_equal(stage.read([text]).logits, without.read([text]).logits)
    assert (stage.read([f"{text} {text}"]).logits != without.read([f"{text} {text}"]).logits).all()


@given(st.lists(st.integers(0, 2**31 - 1), min_size=2, max_size=20), st.integers(1, 2**20))
def test_a_pair_has_one_place_of_those_there_are(ids: list[int], places: int) -> None:
    row = np.array(ids)
    found = pair_places(row[:-1], row[1:], places)
    assert ((found >= 0) & (found < places)).all()
    np.testing.assert_array_equal(pair_places(row[None, :-1], row[None, 1:], places)[0], found)
