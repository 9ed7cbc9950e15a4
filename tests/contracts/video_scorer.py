"""What every video scorer must do; subclass ``VideoScorerContract`` and inherit the suite."""

from __future__ import annotations

from abc import ABC, abstractmethod
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scoring.base import VideoScorer, VideoScores
from tests.scoring.videos import plain, sound, video

IDS = ("dark", "red", "green")
FILES = tuple(video([plain(color)] * 15) for color in ((10, 10, 10), (200, 0, 0), (0, 120, 0)))
PLAYLIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n"


class VideoScorerContract(ABC):
    """``atol``: how far a probability may move with the videos beside it."""

    atol = 1e-5

    @classmethod
    @abstractmethod
    def make(cls) -> VideoScorer:
        """The scorer under test; called once a class."""

    @classmethod
    @abstractmethod
    def make_other(cls) -> VideoScorer:
        """The same kind of scorer, another one in what it says."""

    @pytest.fixture(scope="class")
    @classmethod
    def scorer(cls) -> VideoScorer:
        return cls.make()

    @pytest.fixture(scope="class")
    @classmethod
    def scores(cls, scorer: VideoScorer) -> VideoScores:
        return scorer.score(IDS, FILES)

    def test_shapes_types_and_ranges(self, scorer: VideoScorer, scores: VideoScores) -> None:
        assert (scores.ids, scores.policies, scores.failures) == (IDS, scorer.policies, ())
        assert scores.probabilities.dtype == np.float32
        assert scores.probabilities.shape == (len(IDS), len(scorer.policies))
        assert ((scores.probabilities >= 0) & (scores.probabilities <= 1)).all()
        assert scores.embeddings.dtype == np.float16
        np.testing.assert_allclose(np.linalg.norm(scores.embeddings.astype(np.float32), axis=1), 1, atol=2e-3)

    def test_the_evidence_belongs_to_its_item(self, scores: VideoScores) -> None:
        assert len(scores.frames) == len(scores.segments) == len(IDS)
        for frames, segments in zip(scores.frames, scores.segments, strict=True):
            assert frames.probabilities.shape == (len(frames.times_s), len(frames.policies))
            assert (np.diff(frames.times_s) >= 0).all()
            assert {segment.policy for segment in segments} == set(frames.policies)
            for segment in segments:
                assert 0 <= segment.start_s <= segment.end_s <= 1.5
                column = frames.probabilities[:, frames.policies.index(segment.policy)]
                inside = (frames.times_s >= segment.start_s - 1e-4) & (frames.times_s <= segment.end_s + 1e-4)
                assert segment.probability == pytest.approx(column[inside].max())

    def test_a_score_does_not_depend_on_its_neighbours(self, scorer: VideoScorer, scores: VideoScores) -> None:
        alone = scorer.score(IDS[1:2], FILES[1:2])
        np.testing.assert_allclose(alone.probabilities[0], scores.probabilities[1], rtol=0, atol=self.atol)

    def test_paths_and_open_files_score_as_their_bytes_do(
        self, scorer: VideoScorer, scores: VideoScores, tmp_path: Path
    ) -> None:
        path = tmp_path / "clip"
        path.write_bytes(FILES[0])
        found = scorer.score(IDS, [path, BytesIO(FILES[1]), FILES[2]])
        np.testing.assert_array_equal(found.probabilities, scores.probabilities)

    @pytest.mark.parametrize(
        "bad",
        [
            b"",
            b"plain text, no video " * 50,
            sound(),
            FILES[0][:900],
            PLAYLIST,
            Path("/no/such/file.mp4"),
            None,
            "text",
        ],
        ids=["empty", "text", "sound", "cut", "playlist", "missing", "none", "string"],
    )
    def test_a_bad_file_fails_alone(self, scorer: VideoScorer, scores: VideoScores, bad: Any) -> None:
        found = scorer.score([IDS[0], "bad", *IDS[1:]], [FILES[0], bad, *FILES[1:]])
        assert found.ids == IDS
        assert [failure.item_id for failure in found.failures] == ["bad"]
        assert found.failures[0].reason
        np.testing.assert_allclose(found.probabilities, scores.probabilities, rtol=0, atol=self.atol)

    def test_nothing_in_nothing_out(self, scorer: VideoScorer, scores: VideoScores) -> None:
        none = scorer.score([], [])
        assert none.probabilities.shape == (0, len(scorer.policies))
        assert none.embeddings.shape == (0, scores.embeddings.shape[1])
        assert (none.frames, none.segments) == ((), ())

    def test_ids_must_fit(self, scorer: VideoScorer) -> None:
        with pytest.raises(ValueError, match="dark"):
            scorer.score(["dark", "dark"], FILES[:2])
        with pytest.raises(ValueError, match="2 ids but 1"):
            scorer.score(["a", "b"], FILES[:1])

    def test_progress_rises_to_the_whole(self, scorer: VideoScorer) -> None:
        heard: list[tuple[int, int]] = []
        scorer.score(["a", "bad"], [FILES[0], b""], lambda done, total: heard.append((done, total)))
        assert heard == [(1, 2), (2, 2)]

    def test_the_version_names_what_it_says(self, scorer: VideoScorer) -> None:
        assert self.make().version == scorer.version
        assert self.make_other().version != scorer.version
