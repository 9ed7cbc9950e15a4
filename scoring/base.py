"""What a scorer is: texts, images or videos in, per-policy probabilities and embeddings out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
import numpy.typing as npt

Progress = Callable[[int, int], None]  # (items done, items in all)
VideoFile = Path | bytes | BinaryIO  # a file on this machine, its content, or an open file that can seek


@dataclass(frozen=True, slots=True)
class Failure:
    """One item that could not be scored, and why, in words its sender can act on. ``passing``: not for what it is, so
    that it is worth trying again as it is."""

    item_id: str
    reason: str
    passing: bool = False


@dataclass(frozen=True, slots=True)
class Note:
    """What a score does not say by itself, such as that only parts of a very long text were read.

    An item with a note was scored from more, or less, than its embedding: to score it again one needs the item itself.
    """

    item_id: str
    text: str


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of n items under k policies, row i belonging to ``ids[i]``; items that failed have no row.

    ``probabilities`` (n, k) float32 in [0, 1]: P(item violates policy j); columns as in ``policies``.
    ``embeddings`` (n, d) float16, L2-normalised rows.
    ``disagreement`` (n, k) float32 in [0, ln 2], from a committee only: how far its members differ about a pair, as
    BALD in nats (``scoring.disagreement``), of what the members said before any calibration.
    """

    ids: tuple[str, ...]
    policies: tuple[str, ...]
    probabilities: npt.NDArray[np.float32]
    embeddings: npt.NDArray[np.float16]
    failures: tuple[Failure, ...] = ()
    notes: tuple[Note, ...] = ()
    disagreement: npt.NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True)
class FrameScores:
    """The m frames of a video that were scored: ``times_s`` (m,) float32, seconds after its first picture, rising;
    ``probabilities`` (m, k) float32, columns as in ``policies``, which are those of the frames' scorer."""

    policies: tuple[str, ...]
    times_s: npt.NDArray[np.float32]
    probabilities: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Segment:
    """Where in a video to look for ``policy``, in seconds after its first picture, and the highest score there."""

    start_s: float
    end_s: float
    policy: str
    probability: float


@dataclass(frozen=True, slots=True)
class VideoScores(Scores):
    """``frames`` and ``segments``: the evidence for each item of ``ids``; segments by start."""

    frames: tuple[FrameScores, ...] = ()
    segments: tuple[tuple[Segment, ...], ...] = ()


class Scorer(Protocol):
    """A model pinned by ``name`` and ``version`` (a hash of its weights and settings)."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    @property
    def policies(self) -> tuple[str, ...]: ...

    def score(self, ids: Sequence[str], texts: Sequence[str], progress: Progress | None = None) -> Scores:
        """Score texts in any order and number; the rows come back in the order of ``ids`` (failed ones left out).

        A text longer than the model reads is read in windows: its probability is the highest of theirs, policy by
        policy, its embedding their mean as a unit vector, and a note says what was read.

        A score depends on its own text only, not on its batch. Raises ValueError when ids and texts differ in
        length or an id comes twice.
        """


class ImageScorer(Protocol):
    """As ``Scorer``, for images; ``embedding_version`` names what made the embeddings."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    @property
    def embedding_version(self) -> str: ...

    @property
    def policies(self) -> tuple[str, ...]: ...

    def score(self, ids: Sequence[str], images: Sequence[bytes], progress: Progress | None = None) -> Scores:
        """Score encoded image files (JPEG, PNG, WebP, GIF); a file that cannot be decoded safely fails by its id."""

    def score_pixels(self, ids: Sequence[str], frames: Sequence[npt.NDArray[np.uint8]]) -> Scores:
        """Score decoded frames, (h, w, 3) uint8 RGB each. Raises ValueError as ``Scorer.score`` does."""


class VideoScorer(Protocol):
    """As ``ImageScorer``, for videos."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    @property
    def embedding_version(self) -> str: ...

    @property
    def policies(self) -> tuple[str, ...]: ...

    def score(
        self,
        ids: Sequence[str],
        videos: Sequence[VideoFile],
        progress: Progress | None = None,
        *,
        transcripts: Sequence[str | None] | None = None,
    ) -> VideoScores:
        """Score video files (MP4/MOV, WebM/MKV, AVI, MPEG-TS) one after the other, none of them read whole.

        ``transcripts``: what is said in each, where known. A file that cannot be read safely, or has no picture in
        it, fails by its id. Raises ValueError as ``Scorer.score`` does.
        """
