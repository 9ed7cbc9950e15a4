from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from scoring.base import Failure, Progress, Scores
from scoring.errors import ModelRefused
from scoring.vocabulary import ask, read_vocabulary
from tests.scoring.stages import tiny_vocabulary


class ByLength:
    """Thinks worse of longer texts; has nothing to say of one letter, and is sure of "people"."""

    name, version, policies = "by length", "1", ("abuse", "violence")

    def score(self, ids: Sequence[str], texts: Sequence[str], progress: Progress | None = None) -> Scores:
        good = [i for i, text in enumerate(texts) if len(text) > 1]
        bad = [Failure(ids[i], "short") for i in range(len(ids)) if i not in good]
        p = np.array([1.0 if texts[i] == "people" else len(texts[i]) / 100 for i in good], np.float32)
        both = np.stack([p, 1 - p], axis=1)
        return Scores(
            tuple(ids[i] for i in good), self.policies, both, np.zeros((len(good), 2), np.float16), tuple(bad)
        )


def test_the_default_encoders_vocabulary() -> None:
    vocabulary = read_vocabulary()
    assert vocabulary.vectors.shape == (30522, 384)
    assert vocabulary.vectors.dtype == np.float32


def test_a_folder_without_a_vocabulary_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelRefused, match="to start from"):
        read_vocabulary(tmp_path)


def test_every_token_is_asked_about_once_and_by_itself(tmp_path: Path) -> None:
    vocabulary = tiny_vocabulary(tmp_path)
    assert vocabulary.opinions is None
    told = ask(vocabulary, ByLength())
    found = told.opinions
    assert found is not None
    assert found.shape == (200, 2)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()  # though the scorer is sure of one
    tokens = Tokenizer.from_str(vocabulary.tokenizer).get_vocab()
    asked = [i for token, i in tokens.items() if len(token.removeprefix("##")) > 1]
    np.testing.assert_allclose(found[asked].mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(found[asked].std(axis=0), 1, atol=1e-4)
    assert not np.delete(found, asked, axis=0).any()
    assert found[tokens["people"], 0] == found[:, 0].max()
    np.testing.assert_allclose(found[:, 1], -found[:, 0], atol=1e-4)
    word = next(token for token in tokens if not token.startswith(("##", "[")) and len(token) > 1)
    same = [i for token, i in tokens.items() if len(token.removeprefix("##")) == len(word) and token != "people"]
    assert len(np.unique(found[same, 0])) == 1  # the mark of a piece is not part of it
