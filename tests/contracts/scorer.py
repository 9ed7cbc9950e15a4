"""What every scorer must do: subclass ``ScorerContract``, or ``AnyScorerContract`` for one that is no torch module."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch

from scoring.base import Scorer, Scores

TEXTS = (
    "a fox",
    "what a lovely day to walk in the park",
    "bad words can hurt people more than we think so let us choose them with care",
    "birds sing",
    "the quick brown fox jumps over the lazy dog while a hundred small birds sing " * 6,
    "good friends talk about books",
    "jumps",
    "care",
    "the lazy dog",
    "Ça va? 🦊 ¿qué tal? 你好",
)
IDS = tuple(f"item-{i}" for i in range(len(TEXTS)))
POISON = "the poison fox"
Hook = Callable[[torch.Tensor], None]


def rows(scores: Scores) -> dict[str, np.ndarray[Any, Any]]:
    """Probabilities by item id."""
    return dict(zip(scores.ids, scores.probabilities, strict=True))


class AnyScorerContract(ABC):
    """``atol``: how far a probability may move with the batch it is computed in (float32 sums differ by shape)."""

    atol = 1e-5

    @classmethod
    @abstractmethod
    def make(cls) -> Scorer:
        """The scorer under test; called once a class."""

    @classmethod
    @abstractmethod
    def make_other(cls) -> Scorer:
        """The same kind of scorer with other weights."""

    @pytest.fixture(scope="class")
    @classmethod
    def scorer(cls) -> Scorer:
        return cls.make()

    @pytest.fixture(scope="class")
    @classmethod
    def scores(cls, scorer: Scorer) -> Scores:
        return scorer.score(IDS, TEXTS)

    def test_shapes_types_and_ranges(self, scorer: Scorer, scores: Scores) -> None:
        assert scores.ids == IDS
        assert scores.policies == scorer.policies
        assert scores.failures == ()
        assert scores.probabilities.dtype == np.float32
        assert scores.probabilities.shape == (len(IDS), len(scorer.policies))
        assert ((scores.probabilities >= 0) & (scores.probabilities <= 1)).all()
        assert scores.embeddings.dtype == np.float16
        assert scores.embeddings.shape[0] == len(IDS)
        np.testing.assert_allclose(np.linalg.norm(scores.embeddings.astype(np.float32), axis=1), 1, atol=2e-3)
        assert scorer.name
        assert scorer.version

    def test_different_texts_get_different_scores(self, scores: Scores) -> None:
        assert len(np.unique(scores.probabilities.round(6), axis=0)) == len(TEXTS)

    def test_a_score_does_not_depend_on_its_batch(self, scorer: Scorer, scores: Scores) -> None:
        for i, text in enumerate(TEXTS):
            alone = scorer.score([IDS[i]], [text])
            np.testing.assert_allclose(alone.probabilities[0], scores.probabilities[i], rtol=0, atol=self.atol)
            np.testing.assert_allclose(
                alone.embeddings[0].astype(np.float32), scores.embeddings[i].astype(np.float32), rtol=0, atol=1e-3
            )

    def test_the_order_of_ids_is_kept_under_permutation(self, scorer: Scorer, scores: Scores) -> None:
        order = np.random.default_rng(3).permutation(len(IDS))
        mixed = scorer.score([IDS[i] for i in order], [TEXTS[i] for i in order])
        assert mixed.ids == tuple(IDS[i] for i in order)
        np.testing.assert_allclose(mixed.probabilities, scores.probabilities[order], rtol=0, atol=self.atol)

    def test_the_same_call_gives_the_same_bits(self, scorer: Scorer, scores: Scores) -> None:
        again = scorer.score(IDS, TEXTS)
        np.testing.assert_array_equal(again.probabilities, scores.probabilities)
        np.testing.assert_array_equal(again.embeddings, scores.embeddings)

    def test_nothing_in_nothing_out(self, scorer: Scorer, scores: Scores) -> None:
        none = scorer.score([], [])
        assert none.ids == ()
        assert none.probabilities.shape == (0, len(scorer.policies))
        assert none.embeddings.shape == (0, scores.embeddings.shape[1])

    def test_an_id_twice_is_refused_by_name(self, scorer: Scorer) -> None:
        with pytest.raises(ValueError, match="item-0"):
            scorer.score(["item-0", "item-1", "item-0"], ["a", "b", "c"])

    def test_ids_without_texts_are_refused(self, scorer: Scorer) -> None:
        with pytest.raises(ValueError, match="2 ids but 1 texts"):
            scorer.score(["a", "b"], ["text"])

    @pytest.mark.parametrize("bad", ["", " \n\t\u00a0", None, 7, b"bytes", "half \ud800 a pair"])
    def test_a_bad_item_fails_alone(self, scorer: Scorer, scores: Scores, bad: object) -> None:
        texts: list[Any] = [*TEXTS[:2], bad, *TEXTS[2:]]
        found = scorer.score([*IDS[:2], "bad", *IDS[2:]], texts)
        assert found.ids == IDS
        assert [failure.item_id for failure in found.failures] == ["bad"]
        assert found.failures[0].reason
        np.testing.assert_allclose(found.probabilities, scores.probabilities, rtol=0, atol=self.atol)

    def test_progress_rises_to_the_whole(self, scorer: Scorer) -> None:
        heard: list[tuple[int, int]] = []
        scorer.score([*IDS, "bad"], [*TEXTS, ""], lambda done, total: heard.append((done, total)))
        assert heard[-1] == (len(IDS) + 1, len(IDS) + 1)
        assert heard == sorted(heard)

    def test_the_version_names_the_weights(self, scorer: Scorer) -> None:
        assert self.make().version == scorer.version
        assert self.make_other().version != scorer.version


class ScorerContract(AnyScorerContract):
    """As above, for scorers around a torch module."""

    @abstractmethod
    def module(self, scorer: Scorer) -> torch.nn.Module:
        """The transformers model inside, where faults are injected."""

    @contextmanager
    def before_forward(self, scorer: Scorer, hook: Hook) -> Iterator[None]:
        """Call ``hook`` with the (n, t) token ids of every batch before the model sees it."""

        def call(_module: torch.nn.Module, _args: object, kwargs: dict[str, torch.Tensor]) -> None:
            hook(kwargs["input_ids"])

        handle = self.module(scorer).register_forward_pre_hook(call, with_kwargs=True)
        try:
            yield
        finally:
            handle.remove()

    def test_an_item_that_breaks_the_model_fails_alone(self, scorer: Scorer, scores: Scores) -> None:
        seen: list[torch.Tensor] = []
        with self.before_forward(scorer, seen.append):
            scorer.score(["poison"], [POISON])
        poison = seen[0][0]

        def explode(batch: torch.Tensor) -> None:
            width = min(batch.shape[1], len(poison))
            if width == len(poison) and (batch[:, :width] == poison).all(dim=1).any():
                raise RuntimeError("injected")

        with self.before_forward(scorer, explode):
            found = scorer.score([*IDS[:3], "poison", *IDS[3:]], [*TEXTS[:3], POISON, *TEXTS[3:]])
        assert found.ids == IDS
        assert [failure.item_id for failure in found.failures] == ["poison"]
        assert "injected" in found.failures[0].reason
        np.testing.assert_allclose(found.probabilities, scores.probabilities, rtol=0, atol=self.atol)

    @pytest.mark.parametrize("error", [torch.OutOfMemoryError("injected"), RuntimeError("can't allocate memory")])
    def test_out_of_memory_halves_the_batch_and_goes_on(self, scorer: Scorer, scores: Scores, error: Exception) -> None:
        sizes: list[int] = []

        def starve(batch: torch.Tensor) -> None:
            sizes.append(len(batch))
            if len(batch) > 2:
                raise error

        with self.before_forward(scorer, starve):
            found = scorer.score(IDS, TEXTS)
        assert max(sizes) > 2
        assert found.ids == IDS
        assert found.failures == ()
        np.testing.assert_allclose(found.probabilities, scores.probabilities, rtol=0, atol=self.atol)
