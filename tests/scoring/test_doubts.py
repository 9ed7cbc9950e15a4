from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scoring.doubts import LEAST_TEXTS, with_doubts
from scoring.first_stage import FirstStage
from tests.scoring.stages import WORDS, tiny_stage, tiny_tokenizer


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> FirstStage:
    return tiny_stage(tiny_tokenizer(tmp_path_factory.mktemp("stage")), ("abuse", "violence"))


def texts_of(n: int, seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, rng.integers(1, 30))) for _ in range(n)]


def test_longer_texts_are_doubted_more_where_they_are_guessed_worse(stage: FirstStage) -> None:
    texts = texts_of(800, 0)
    reading = stage.read(texts)
    lengths = np.array([len(row) for row in stage.token_ids(texts)])
    noise = np.random.default_rng(1).normal(size=reading.logits.shape) * 0.1 * lengths[:, None]
    made = with_doubts(stage, texts, reading.logits + noise)
    assert made.tensors["doubt"][1] == pytest.approx(1, abs=0.25)  # an error that grows as the length
    short, long = made.read(["fox", " ".join(["fox dog"] * 8)]).doubts
    assert long > 2 * short
    np.testing.assert_array_equal(made.read(texts).logits, reading.logits)


def test_nothing_is_learned_from_too_few(stage: FirstStage) -> None:
    texts = texts_of(LEAST_TEXTS - 1, 0)
    assert with_doubts(stage, texts, np.zeros((len(texts), 2))) is stage


def test_lengths_must_agree(stage: FirstStage, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="2 texts but 1 rows"):
        with_doubts(stage, ["a", "b"], np.zeros((1, 2)))
