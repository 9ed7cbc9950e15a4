from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from labeling.image_head import HeadOnImages
from labeling.media_scorer import MediaScorer
from scoring.calibration import CalibrationMap, Calibrator
from scoring.errors import ModelRefused
from scoring.head import Head
from tests.labeling.test_round_images import Eye

HEAD = Head(
    policies=("harm", "fraud"),
    weights=np.random.default_rng(0).normal(size=(2, 8)).astype(np.float32),
    bias=np.zeros(2, np.float32),
    platt=np.ones((2, 2), np.float32),
    sources=("trained", "trained"),
    encoder_version="eye-e1",
)
IDS, MEDIA = ["a", "b", "c"], ["1.png", "2.png", "3.png"]


def test_the_head_judges_what_it_knows_and_the_scorer_the_rest() -> None:
    eye = Eye(policies=("harm", "spam"))
    made = HeadOnImages(eye, HEAD)
    assert isinstance(made, MediaScorer)
    assert (made.policies, made.embedding_version) == (("harm", "spam", "fraud"), "eye-e1")
    below, found = eye.score_media(IDS, MEDIA, [""] * 3), made.score_media(IDS, MEDIA, [""] * 3)
    told = HEAD.probabilities(below.embeddings)
    np.testing.assert_array_equal(found.probabilities[:, [0, 2]], told)
    np.testing.assert_array_equal(found.probabilities[:, 1], below.probabilities[:, 1])
    np.testing.assert_array_equal(found.embeddings, below.embeddings)
    assert found.ids == ("a", "b", "c")


def test_a_calibration_is_laid_on_the_heads_policies_and_makes_another_version() -> None:
    eye = Eye()
    line = CalibrationMap("platt", slope=0.5, offset=1.0)
    calibrator = Calibrator(("harm",), (line,), HEAD.version)
    plain, laid = HeadOnImages(eye, HEAD), HeadOnImages(eye, HEAD, calibrator)
    assert len({plain.version, laid.version, eye.version}) == 3
    before, after = (one.score_media(IDS, MEDIA, [""] * 3).probabilities for one in (plain, laid))
    np.testing.assert_array_equal(before[:, 1], after[:, 1])
    assert not np.array_equal(before[:, 0], after[:, 0])


def test_a_head_for_other_embeddings_is_refused() -> None:
    with pytest.raises(ModelRefused, match="set image_scorer back"):
        HeadOnImages(Eye(), replace(HEAD, encoder_version="another"))
