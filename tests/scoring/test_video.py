"""Videos by their frames, on a scorer that says how red and how green a frame is."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.base import Failure, Note, Progress, Scores, VideoScorer
from scoring.errors import ModelFailed
from scoring.frame_scorer import F32
from scoring.frames import Sampling
from scoring.opennsfw import OpenNSFW
from scoring.video import VideoByFrames
from scoring.video_files import VideoLimits
from tests.contracts.video_scorer import FILES, IDS, VideoScorerContract
from tests.scoring.fake_images import Means
from tests.scoring.videos import BLACK, GREEN, RED, plain, video

NO_SCENES = Sampling(scene=0.99)


class TestMeans(VideoScorerContract):
    @classmethod
    def make(cls) -> VideoScorer:
        return VideoByFrames(Means())

    @classmethod
    def make_other(cls) -> VideoScorer:
        return VideoByFrames(Means(), top=1)


class TestOpenNSFW(VideoScorerContract):
    @classmethod
    def make(cls) -> VideoScorer:
        return VideoByFrames(OpenNSFW("sexual", threads=1))

    @classmethod
    def make_other(cls) -> VideoScorer:
        return VideoByFrames(OpenNSFW("sexual", threads=1), sampling=Sampling(floor_s=0.5))


class Words:
    """A text scorer: "red" counts for ``red``, "slur" for ``hate``; it refuses "broken" and remarks on "long"."""

    name, version, policies = "words", "1", ("hate", "red")

    def score(self, ids: Sequence[str], texts: Sequence[str], progress: Progress | None = None) -> Scores:
        kept = [i for i, text in enumerate(texts) if "broken" not in text]
        shares = [[0.9 * ("slur" in texts[i]), 0.6 * ("red" in texts[i])] for i in kept]
        return Scores(
            ids=tuple(ids[i] for i in kept),
            policies=self.policies,
            probabilities=np.array(shares, np.float32).reshape(len(kept), 2),
            embeddings=np.zeros((len(kept), 2), np.float16),
            failures=tuple(Failure(ids[i], "injected") for i in range(len(ids)) if i not in kept),
            notes=tuple(Note(ids[i], "cut") for i in kept if "long" in texts[i]),
        )


def test_a_planted_moment_is_found_where_it_is() -> None:
    frames = [plain(BLACK)] * 80
    frames[40:70] = [plain(RED)] * 30
    found = VideoByFrames(Means()).score(["a"], [video(frames)])
    (red,) = [segment for segment in found.segments[0] if segment.policy == "red"]
    assert found.probabilities[0, 0] == pytest.approx(1, abs=0.05)
    assert red.start_s == pytest.approx(4, abs=1)
    assert red.end_s == pytest.approx(7, abs=1)
    assert red.probability == pytest.approx(1, abs=0.05)


def test_one_frame_between_two_regular_ones_is_found() -> None:
    frames = [plain(BLACK)] * 30
    frames[15] = plain(RED)
    found = VideoByFrames(Means(), top=1).score(["a"], [video(frames)])
    assert found.probabilities[0, 0] > 0.9
    red = next(segment for segment in found.segments[0] if segment.policy == "red")
    assert red.start_s == pytest.approx(1.5, abs=0.01)
    assert red.end_s == pytest.approx(1.6, abs=0.01)


def test_the_score_is_the_mean_of_the_highest_three() -> None:
    frames = [plain((red, 0, 0)) for red in (0, 60, 120, 180, 240) for _ in range(10)]
    scores = VideoByFrames(Means(), sampling=NO_SCENES).score(["a"], [video(frames)])
    shares = scores.frames[0].probabilities[:, 0]
    assert len(shares) == 5
    assert scores.probabilities[0, 0] == pytest.approx(np.sort(shares)[-3:].mean())
    assert scores.probabilities[0, 0] == pytest.approx(180 / 255, abs=0.05)


def test_fewer_frames_than_three_are_enough() -> None:
    scores = VideoByFrames(Means()).score(["a"], [video([plain(RED)] * 3)])
    assert len(scores.frames[0].times_s) == 1
    assert scores.probabilities[0, 0] == pytest.approx(1, abs=0.05)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=12), st.integers(1, 4))
@settings(deadline=None, max_examples=25)
def test_segments_hold_exactly_the_highest_frames(levels: list[int], top: int) -> None:
    frames = [plain((level * 50, 0, 0), (16, 16)) for level in levels for _ in range(2)]
    found = VideoByFrames(Means(), sampling=NO_SCENES, top=top).score(["a"], [video(frames, rate=2, size=(16, 16))])
    shares, times = found.frames[0].probabilities[:, 0], found.frames[0].times_s
    red = [segment for segment in found.segments[0] if segment.policy == "red"]
    inside = [any(one.start_s <= t < max(one.end_s, one.start_s + 0.1) for one in red) for t in times.tolist()]
    assert sum(inside) == min(top, len(levels))
    assert np.sort(shares[inside]).tolist() == np.sort(shares)[-top:].tolist()
    assert all(one.end_s < other.start_s for one, other in pairwise(red))


def test_the_higher_of_pictures_and_transcript_counts() -> None:
    scorer = VideoByFrames(Means(), transcript=Words())
    assert scorer.policies == ("red", "green", "hate")
    found = scorer.score(IDS, FILES, transcripts=["a slur, red", "red", None])
    np.testing.assert_allclose(found.probabilities[0], [0.6, 10 / 255, 0.9], atol=0.05)
    assert found.probabilities[1, 0] == pytest.approx(200 / 255, abs=0.05)
    assert found.probabilities[2, 2] == 0
    assert [(note.item_id, note.text) for note in found.notes] == [
        ("green", "without a transcript this was not judged: hate"),
        ("dark", "the transcript scores higher than the pictures for hate, red"),
    ]
    assert found.frames[0].policies == ("red", "green")


def test_what_the_text_scorer_remarks_is_passed_on() -> None:
    found = VideoByFrames(Means(), transcript=Words()).score(IDS, FILES, transcripts=["broken", "long", " "])
    told = [(note.item_id, note.text) for note in found.notes]
    assert ("dark", "the transcript could not be scored: injected") in told
    assert ("red", "transcript: cut") in told
    assert ("green", "without a transcript this was not judged: hate") in told
    assert found.ids == IDS


def test_a_video_that_fails_takes_its_transcript_along() -> None:
    found = VideoByFrames(Means(), transcript=Words()).score(["a", "b"], [b"", FILES[0]], transcripts=["slur", "slur"])
    assert (found.ids, found.failures[0].item_id) == (("b",), "a")


def test_transcripts_must_fit() -> None:
    with pytest.raises(ValueError, match="3 ids but 1 transcripts"):
        VideoByFrames(Means(), transcript=Words()).score(IDS, FILES, transcripts=["a"])
    with pytest.raises(ValueError, match="made without one for texts"):
        VideoByFrames(Means()).score(IDS, FILES, transcripts=[None] * 3)


def test_a_frame_that_fails_is_told_and_the_rest_counts() -> None:
    def explode(rows: Sequence[F32]) -> None:
        if any(row[1] > 200 for row in rows):
            raise RuntimeError("injected")

    frames = [plain(color) for color in (RED, GREEN, RED) for _ in range(10)]
    found = VideoByFrames(Means(hook=explode), sampling=NO_SCENES).score(["a"], [video(frames)])
    assert found.frames[0].times_s.tolist() == [0, 2]
    assert found.notes[0].text.startswith("1 frames could not be scored")
    assert [segment.start_s for segment in found.segments[0] if segment.policy == "red"] == [0, 2]


def test_a_video_of_which_no_frame_can_be_scored_fails() -> None:
    def explode(rows: Sequence[F32]) -> None:
        raise RuntimeError("injected")

    found = VideoByFrames(Means(hook=explode)).score(["a"], [FILES[0]])
    assert "none of the video's frames could be scored" in found.failures[0].reason
    frames = [plain((i % 2 * 255, 0, 0)) for i in range(80)]
    with pytest.raises(ModelFailed):
        VideoByFrames(Means(hook=explode)).score(["a"], [video(frames)])


def test_what_was_left_out_is_told() -> None:
    frames = [plain((i % 2 * 255, 0, 0)) for i in range(80)]
    found = VideoByFrames(Means(), sampling=Sampling(frames=8)).score(["a"], [video(frames)])
    assert len(found.frames[0].times_s) <= 8
    assert any("scene changes were scored" in note.text for note in found.notes)


def test_the_version_covers_all_that_shapes_a_score() -> None:
    made = [
        VideoByFrames(Means()),
        VideoByFrames(Means(), transcript=Words()),
        VideoByFrames(Means(), top=2),
        VideoByFrames(Means(), sampling=Sampling(floor_s=2)),
        VideoByFrames(Means(), limits=VideoLimits(work=10**9)),
    ]
    assert len({scorer.version for scorer in made}) == 5
    assert made[0].embedding_version == made[1].embedding_version == made[2].embedding_version
    assert made[0].embedding_version != made[3].embedding_version


@pytest.mark.parametrize("wrong", [{"top": 0}, {"threads": 0}])
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        VideoByFrames(Means(), **wrong)  # type: ignore[arg-type]
