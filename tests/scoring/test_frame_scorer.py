"""What all image scorers share, on a network that can be made to fail."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from scoring.base import ImageScorer
from scoring.errors import DeviceError, ModelFailed
from scoring.frame_scorer import F32, unit
from scoring.images import Limits, Pixels
from tests.contracts.image_scorer import FILES, IDS, ImageScorerContract
from tests.scoring.fake_images import Means
from tests.scoring.pictures import encoded


class TestMeans(ImageScorerContract):
    @classmethod
    def make(cls) -> ImageScorer:
        return Means()

    @classmethod
    def make_other(cls) -> ImageScorer:
        return Means(Limits(frames=2))


def plain(red: int, green: int = 0) -> Pixels:
    return np.full((4, 4, 3), (red, green, 9), np.uint8)


def test_frames_of_different_items_share_batches() -> None:
    sizes: list[int] = []
    Means(batch=2, hook=lambda rows: sizes.append(len(rows))).score(IDS, FILES)
    assert sizes == [2, 2, 1]


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("injected"), RuntimeError("can't allocate memory")])
def test_out_of_memory_halves_the_batch_and_remembers(error: Exception) -> None:
    sizes: list[int] = []

    def starve(rows: Sequence[F32]) -> None:
        sizes.append(len(rows))
        if len(rows) > 1:
            raise error

    found = Means(hook=starve).score([*IDS, "more"], [*FILES, FILES[0]])
    assert found.failures == ()
    assert sizes == [4, 2, 1, 1, 2, 1, 1, 1, 1]
    np.testing.assert_array_equal(found.probabilities[:5], Means().score(IDS, FILES).probabilities)


def test_a_picture_too_large_for_the_device_alone_says_so() -> None:
    def starve(rows: Sequence[F32]) -> None:
        if any(row[0] > 200 for row in rows):
            raise torch.OutOfMemoryError("injected")

    found = Means(hook=starve).score_pixels(["a", "big", "c"], [plain(1), plain(250), plain(3)])
    assert found.ids == ("a", "c")
    assert "not enough memory" in found.failures[0].reason


def test_a_picture_that_breaks_the_model_fails_alone() -> None:
    def explode(rows: Sequence[F32]) -> None:
        if any(row[0] == 77 for row in rows):
            raise RuntimeError("injected")

    found = Means(hook=explode).score_pixels(["a", "poison", "c"], [plain(1), plain(77), plain(3)])
    assert found.ids == ("a", "c")
    assert [failure.item_id for failure in found.failures] == ["poison"]
    assert "injected" in found.failures[0].reason


def test_an_answer_that_is_no_number_fails_by_id() -> None:
    class Dark(Means):
        def _forward(self, inputs: Sequence[F32]) -> tuple[F32, F32]:
            probabilities, features = super()._forward(inputs)
            return np.where(features[:, :2] == 0, np.nan, probabilities), features

    found = Dark().score_pixels(["a", "b"], [plain(1, 1), plain(0, 1)])
    assert (found.ids, found.failures[0].item_id) == (("a",), "b")
    assert "not a finite number" in found.failures[0].reason


def test_an_animation_with_one_bad_frame_fails_whole() -> None:
    def explode(rows: Sequence[F32]) -> None:
        if any(row[0] > 250 for row in rows):
            raise RuntimeError("injected")

    pictures = [Image.new("RGB", (8, 8), (red, 0, 0)) for red in (10, 255, 20)]
    moving = encoded(pictures[0], "PNG", save_all=True, append_images=pictures[1:])
    found = Means(batch=1, hook=explode).score(["a", "moving"], [FILES[0], moving])
    assert (found.ids, [failure.item_id for failure in found.failures]) == (("a",), ["moving"])


def test_a_model_that_never_answers_is_told_apart_from_its_pictures() -> None:
    def explode(rows: Sequence[F32]) -> None:
        raise RuntimeError("injected")

    frames = [plain(i) for i in range(40)]
    with pytest.raises(ModelFailed, match="injected"):
        Means(hook=explode).score_pixels([str(i) for i in range(40)], frames)


def test_a_broken_device_stops_the_run() -> None:
    def explode(rows: Sequence[F32]) -> None:
        raise torch.AcceleratorError("injected")

    with pytest.raises(DeviceError, match="restart"):
        Means(hook=explode).score(IDS, FILES)


def test_the_worst_frame_counts_policy_by_policy() -> None:
    pictures = [Image.new("RGB", (8, 8), color) for color in ((200, 10, 0), (10, 100, 0))]
    moving = encoded(pictures[0], "PNG", save_all=True, append_images=pictures[1:])
    found = Means().score(["moving"], [moving])
    np.testing.assert_allclose(found.probabilities[0], [200 / 255, 100 / 255], atol=1e-6)


def test_no_note_speaks_of_a_failed_item() -> None:
    def explode(rows: Sequence[F32]) -> None:
        raise RuntimeError("injected")

    pictures = [Image.new("RGB", (8, 8), (red * 20, 0, 0)) for red in range(12)]
    moving = encoded(pictures[0], "PNG", save_all=True, append_images=pictures[1:])
    found = Means(hook=explode).score(["moving"], [moving])
    assert (len(found.failures), found.notes) == (1, ())


def test_a_batch_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="batch must be at least 1"):
        Means(batch=0)


@given(st.lists(st.tuples(st.integers(0, 255), st.integers(0, 255)), min_size=1, max_size=12), st.integers(1, 5))
def test_batches_change_no_bit(colors: list[tuple[int, int]], batch: int) -> None:
    ids = [str(i) for i in range(len(colors))]
    frames = [plain(*color) for color in colors]
    found, alone = Means(batch=batch).score_pixels(ids, frames), Means(batch=1).score_pixels(ids, frames)
    np.testing.assert_array_equal(found.probabilities, alone.probabilities)
    np.testing.assert_array_equal(found.embeddings, alone.embeddings)


def test_unit_leaves_zeros_alone() -> None:
    np.testing.assert_allclose(unit(np.array([[3, 4], [0, 0]], np.float32)), np.array([[0.6, 0.8], [0, 0]]))
