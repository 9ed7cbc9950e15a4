"""What every image scorer must do; subclass ``ImageScorerContract`` and inherit the suite."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import pytest
from PIL import Image

from scoring.base import ImageScorer, Scores
from tests.scoring.pictures import encoded, noise

IDS = tuple(f"item-{i}" for i in range(5))
PICTURES = tuple(noise(i, (40 + 30 * i, 50)) for i in range(5))
FILES = tuple(encoded(picture) for picture in PICTURES)


class ImageScorerContract(ABC):
    """``atol``: how far a probability may move with the batch it is computed in."""

    atol = 1e-5

    @classmethod
    @abstractmethod
    def make(cls) -> ImageScorer:
        """The scorer under test; called once a class."""

    @classmethod
    @abstractmethod
    def make_other(cls) -> ImageScorer:
        """The same kind of scorer, another one in what it says."""

    @pytest.fixture(scope="class")
    @classmethod
    def scorer(cls) -> ImageScorer:
        return cls.make()

    @pytest.fixture(scope="class")
    @classmethod
    def scores(cls, scorer: ImageScorer) -> Scores:
        return scorer.score(IDS, FILES)

    def test_shapes_types_and_ranges(self, scorer: ImageScorer, scores: Scores) -> None:
        assert (scores.ids, scores.policies, scores.failures) == (IDS, scorer.policies, ())
        assert scores.probabilities.dtype == np.float32
        assert scores.probabilities.shape == (len(IDS), len(scorer.policies))
        assert ((scores.probabilities >= 0) & (scores.probabilities <= 1)).all()
        assert scores.embeddings.dtype == np.float16
        np.testing.assert_allclose(np.linalg.norm(scores.embeddings.astype(np.float32), axis=1), 1, atol=2e-3)

    def test_different_pictures_get_different_scores(self, scores: Scores) -> None:
        assert len(np.unique(scores.probabilities.round(7), axis=0)) == len(IDS)

    def test_a_score_does_not_depend_on_its_batch(self, scorer: ImageScorer, scores: Scores) -> None:
        order = [3, 0, 4, 2, 1]
        mixed = scorer.score([IDS[i] for i in order], [FILES[i] for i in order])
        assert mixed.ids == tuple(IDS[i] for i in order)
        np.testing.assert_allclose(mixed.probabilities, scores.probabilities[order], rtol=0, atol=self.atol)
        alone = scorer.score(IDS[2:3], FILES[2:3])
        np.testing.assert_allclose(alone.probabilities[0], scores.probabilities[2], rtol=0, atol=self.atol)

    def test_pixels_score_as_their_file_does(self, scorer: ImageScorer, scores: Scores) -> None:
        found = scorer.score_pixels(IDS, [np.asarray(picture) for picture in PICTURES])
        np.testing.assert_allclose(found.probabilities, scores.probabilities, rtol=0, atol=self.atol)
        np.testing.assert_allclose(found.embeddings, scores.embeddings, rtol=0, atol=1e-3)

    @pytest.mark.parametrize("shape", [(4, 4), (4, 4, 4), (0, 4, 3)])
    def test_pixels_of_a_wrong_shape_are_refused_by_id(self, scorer: ImageScorer, shape: tuple[int, ...]) -> None:
        with pytest.raises(ValueError, match="item-0"):
            scorer.score_pixels(["item-0"], [np.zeros(shape, np.uint8)])

    @pytest.mark.parametrize("bad", [b"", b"GIF89a", b"not an image", FILES[0][:-40], None, "text"])
    def test_a_bad_file_fails_alone(self, scorer: ImageScorer, scores: Scores, bad: Any) -> None:
        found = scorer.score([*IDS[:2], "bad", *IDS[2:]], [*FILES[:2], bad, *FILES[2:]])
        assert found.ids == IDS
        assert [failure.item_id for failure in found.failures] == ["bad"]
        assert found.failures[0].reason
        np.testing.assert_allclose(found.probabilities, scores.probabilities, rtol=0, atol=self.atol)

    def test_nothing_in_nothing_out(self, scorer: ImageScorer, scores: Scores) -> None:
        none = scorer.score([], [])
        assert none.probabilities.shape == (0, len(scorer.policies))
        assert none.embeddings.shape == (0, scores.embeddings.shape[1])

    def test_ids_must_fit(self, scorer: ImageScorer) -> None:
        with pytest.raises(ValueError, match="item-0"):
            scorer.score(["item-0", "item-0"], FILES[:2])
        with pytest.raises(ValueError, match="2 ids but 1"):
            scorer.score(["a", "b"], FILES[:1])

    def test_one_frame_of_many_can_raise_the_score(self, scorer: ImageScorer, scores: Scores) -> None:
        """An animation is as bad as the worst frame that was read."""
        places = [int(scores.probabilities[:, 0].argmin()), int(scores.probabilities[:, 0].argmax())]
        calm, worst = (PICTURES[i].resize((100, 50)) for i in places)
        still = scorer.score_pixels(["a", "b"], [np.asarray(calm), np.asarray(worst)]).probabilities[:, 0]
        moving = encoded(calm, "PNG", save_all=True, append_images=[worst])
        assert scorer.score(["moving"], [moving]).probabilities[0, 0] == pytest.approx(still.max(), abs=1e-4)

    def test_a_note_says_when_not_every_frame_was_read(self, scorer: ImageScorer) -> None:
        frames = [Image.new("RGB", (20, 20), (i * 20, 0, 0)) for i in range(12)]
        moving = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
        (note,) = scorer.score(["moving"], [moving]).notes
        assert (note.item_id, "of 12 frames" in note.text) == ("moving", True)

    def test_progress_rises_to_the_whole(self, scorer: ImageScorer) -> None:
        heard: list[tuple[int, int]] = []
        scorer.score(["a", "bad"], [FILES[0], b""], lambda done, total: heard.append((done, total)))
        assert heard[-1] == (2, 2)
        assert heard == sorted(heard)

    def test_the_version_names_what_it_says(self, scorer: ImageScorer) -> None:
        assert self.make().version == scorer.version
        assert self.make_other().version != scorer.version
