"""Image and video scorers from their scorer files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from api.media_scorers import build_image_scorer, build_video_scorer
from api.scorers import Makings
from configs.errors import SettingsError
from configs.scorer_files import judged_policies, packaged_scorers, read_scorer
from configs.settings import PACKAGED_POLICIES, Settings
from labeling.policies import read_policies
from labeling.scorebook import LakeScorer
from tests.contracts.image_scorer import FILES, IDS
from tests.scoring.tiny import write_model
from tests.scoring.tiny_images import write_classifier, write_dual
from tests.scoring.videos import RED, plain, video

POLICIES = read_policies(PACKAGED_POLICIES)


def no_head() -> LakeScorer:
    raise AssertionError("no file here asks for the deployment's own scorer")


@pytest.fixture
def makings(tmp_path: Path) -> Makings:
    return Makings(Settings(data_dir=tmp_path, device="cpu"), POLICIES, no_head, tmp_path)


def test_the_default_needs_no_file_of_ones_own(makings: Makings) -> None:
    scorer = build_image_scorer("opennsfw", makings)
    assert scorer.policies == ("sexual",)
    assert scorer.score(IDS, FILES).failures == ()


def test_a_classifier_beside_its_file(makings: Makings, tmp_path: Path) -> None:
    write_classifier(tmp_path / "vit", "vit")
    (tmp_path / "own.yaml").write_text("kind: hf-image\nmodel: vit\nlabels: {gore: violence}\nactivation: sigmoid\n")
    scorer = build_image_scorer("own.yaml", makings)
    assert scorer.policies == ("violence",)
    assert scorer.score(IDS, FILES).ids == IDS


@pytest.mark.parametrize(("kind", "neutral"), [("siglip", ""), ("clip", "    neutral: [a lovely day]\n")])
def test_captions_from_the_file(makings: Makings, tmp_path: Path, kind: str, neutral: str) -> None:
    write_dual(tmp_path / "dual", kind)
    text = f"kind: image-text\nmodel: dual\nprompts:\n  violence:\n    violates: [a bad fox]\n{neutral}"
    (tmp_path / "own.yaml").write_text(text)
    assert build_image_scorer("own.yaml", makings).score(IDS, FILES).policies == ("violence",)


def test_captions_that_the_model_cannot_use_are_a_fault_of_the_file(makings: Makings, tmp_path: Path) -> None:
    write_dual(tmp_path / "dual", "clip")
    text = "kind: image-text\nmodel: dual\nprompts:\n  violence:\n    violates: [a bad fox]\n"
    (tmp_path / "own.yaml").write_text(text)
    with pytest.raises(SettingsError, match=r"own.yaml: policy violence: .* give some in neutral"):
        build_image_scorer("own.yaml", makings)


def test_videos_with_their_transcripts(makings: Makings, tmp_path: Path) -> None:
    write_model(tmp_path / "bert", "bert")
    text = "kind: hf-text\nmodel: bert\nlabels: {insult: hate_speech}\nmax_tokens: 32\n"
    (tmp_path / "words.yaml").write_text(text)
    (tmp_path / "own.yaml").write_text("kind: video\nimages: opennsfw\ntranscript: words.yaml\nfloor_s: 0.5\ntop: 1\n")
    assert judged_policies("own.yaml", POLICIES, tmp_path) == {"sexual", "hate_speech"}
    found = build_video_scorer("own.yaml", makings).score(["a"], [video([plain(RED)] * 10)], transcripts=["a fox"])
    assert found.policies == ("sexual", "hate_speech")
    assert found.frames[0].times_s.tolist() == [0, 0.5]
    assert (found.probabilities > 0).all()


def test_the_packaged_video_scorer(makings: Makings) -> None:
    found = build_video_scorer("video", makings).score(["a"], [video([plain(RED)] * 10)])
    np.testing.assert_array_equal(found.frames[0].times_s, [0])


@pytest.mark.parametrize(
    ("named", "says"), [("toxic-bert", "reads texts; name a scorer file for images"), ("video", "reads videos")]
)
def test_a_scorer_of_something_else_is_refused(makings: Makings, named: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        build_image_scorer(named, makings)
    with pytest.raises(SettingsError, match="reads images; name a scorer file for videos"):
        build_video_scorer("opennsfw", makings)


def test_every_packaged_file_of_pictures_has_a_builder(makings: Makings) -> None:
    """Those whose weights are not here get as far as asking for them."""
    named = [name for name in packaged_scorers() if read_scorer(name).reads == "image"]
    assert named == ["falconsai-nsfw", "opennsfw", "siglip2-zero-shot"]


def test_a_policy_that_is_not_there_is_named_by_its_key(makings: Makings, tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("kind: opennsfw\npolicy: sexuel\n")
    with pytest.raises(SettingsError, match=r"policy: 'sexuel' is no policy; did you mean 'sexual'\?"):
        build_image_scorer("own.yaml", makings)
