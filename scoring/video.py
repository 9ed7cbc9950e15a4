"""Videos by their frames: an image scorer sees them, a text scorer may read what is said."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from scoring.base import (
    Failure,
    FrameScores,
    ImageScorer,
    Note,
    Progress,
    Scorer,
    Scores,
    Segment,
    VideoFile,
    VideoScores,
)
from scoring.errors import BadVideo
from scoring.frame_scorer import F32, unit
from scoring.frames import Sample, Sampling, sample
from scoring.model_files import VERSION_LENGTH
from scoring.texts import check_ids
from scoring.video_files import DEFAULT, VideoLimits

TOP = 3  # frames whose mean is the score, so that one freak frame alone does not make it
EVERY_SECOND = Sampling()


class VideoByFrames:
    """A ``VideoScorer``: P of a policy is the mean of its ``top`` highest frames (fewer when there are fewer).

    Segments tell where those frames lie: each spans from its frame to the next one scored, neighbours joined.
    Embeddings are the mean of the frames', as unit vectors. With a text scorer the higher of pictures and transcript
    counts, policy by policy. A policy that the text scorer alone knows is 0 for an item without a transcript, and a
    note says so.
    """

    def __init__(
        self,
        images: ImageScorer,
        *,
        transcript: Scorer | None = None,
        sampling: Sampling = EVERY_SECOND,
        limits: VideoLimits = DEFAULT,
        top: int = TOP,
        threads: int = 1,
    ) -> None:
        """``transcript``: what scores the texts that come with the videos; ``threads``: the decoder's. Raises
        ValueError."""
        if top < 1 or threads < 1:
            raise ValueError(f"top and threads must be at least 1, not {top} and {threads}")
        self.name = f"video of {images.name}" + (f" and {transcript.name}" if transcript else "")
        self._images, self._text = images, transcript
        self._sampling, self._limits, self._top, self._threads = sampling, limits, top, threads
        heard = transcript.policies if transcript else ()
        self._only_heard = tuple(policy for policy in heard if policy not in images.policies)
        self.policies = (*images.policies, *self._only_heard)
        shaping = [asdict(sampling), asdict(limits)]
        self.embedding_version = _hash([images.embedding_version, *shaping])
        self.version = _hash([images.version, transcript.version if transcript else None, top, *shaping])

    @property
    def parts(self) -> tuple[Scorer, ...]:
        """The text scorer, where there is one."""
        return () if self._text is None else (self._text,)

    def score(
        self,
        ids: Sequence[str],
        videos: Sequence[VideoFile],
        progress: Progress | None = None,
        *,
        transcripts: Sequence[str | None] | None = None,
    ) -> VideoScores:
        """As ``VideoScorer.score``. Raises ValueError for transcripts without a text scorer too."""
        self._check(ids, videos, transcripts)
        seen: dict[str, _Seen] = {}
        failures: list[Failure] = []
        for i, (item_id, video) in enumerate(zip(ids, videos, strict=True)):
            try:
                seen[item_id] = self._seen(item_id, video)
            except BadVideo as error:
                failures.append(Failure(item_id, str(error)))
            if progress is not None:
                progress(i + 1, len(ids))
        texts = dict(zip(ids, transcripts or [None] * len(ids), strict=True))
        probabilities, notes = self._combined(seen, texts)
        return VideoScores(
            ids=tuple(seen),
            policies=self.policies,
            probabilities=probabilities,
            embeddings=self._stacked([one.vector for one in seen.values()]),
            failures=tuple(failures),
            notes=(*(note for one in seen.values() for note in one.notes), *notes),
            frames=tuple(one.frames for one in seen.values()),
            segments=tuple(one.segments for one in seen.values()),
        )

    def _stacked(self, vectors: Sequence[F32]) -> npt.NDArray[np.float16]:
        return np.array(vectors, np.float16) if vectors else self._images.score_pixels([], []).embeddings

    def _seen(self, item_id: str, video: VideoFile) -> _Seen:
        taken = sample(video, self._sampling, self._limits, self._threads)
        found = self._images.score_pixels([str(i) for i in range(len(taken.frames))], taken.frames)
        if not found.ids:
            raise BadVideo(f"none of the video's frames could be scored: {found.failures[0].reason}")
        told = list(taken.notes)
        if found.failures:
            told.append(f"{len(found.failures)} frames could not be scored: {found.failures[0].reason}")
        kept = [int(place) for place in found.ids]
        times = np.array([taken.times_s[i] for i in kept], np.float32)
        return _Seen(
            worst=np.sort(found.probabilities, axis=0)[-self._top :].mean(axis=0),
            vector=unit(found.embeddings.astype(np.float32).mean(axis=0)),
            frames=FrameScores(found.policies, times, found.probabilities),
            segments=_segments(found, kept, taken, self._top),
            notes=tuple(Note(item_id, text) for text in told),
        )

    def _combined(self, seen: dict[str, _Seen], texts: dict[str, str | None]) -> tuple[F32, list[Note]]:
        """(items, policies) probabilities, and what the transcripts did to them."""
        best = np.zeros((len(seen), len(self.policies)), np.float32)
        for row, one in enumerate(seen.values()):
            best[row, : len(one.worst)] = one.worst
        if self._text is None:
            return best, []
        said = {item: text for item in seen if (text := texts[item]) and text.strip()}
        heard = self._text.score(list(said), list(said.values()))
        notes = [Note(note.item_id, f"transcript: {note.text}") for note in heard.notes]
        notes += [Note(fail.item_id, f"the transcript could not be scored: {fail.reason}") for fail in heard.failures]
        if self._only_heard:
            silent = [item for item in seen if item not in set(heard.ids)]
            unjudged = f"without a transcript this was not judged: {', '.join(self._only_heard)}"
            notes += [Note(item, unjudged) for item in silent]
        rows = {item: row for row, item in enumerate(seen)}
        columns = [self.policies.index(policy) for policy in heard.policies]
        for item, shares in zip(heard.ids, heard.probabilities, strict=True):
            row = best[rows[item]]
            higher = [p for p, j, share in zip(heard.policies, columns, shares, strict=True) if share > row[j]]
            if higher:
                notes.append(Note(item, f"the transcript scores higher than the pictures for {', '.join(higher)}"))
            row[columns] = np.maximum(row[columns], shares)
        return best, notes

    def _check(self, ids: Sequence[str], videos: Sequence[object], transcripts: Sequence[object] | None) -> None:
        check_ids(ids, videos, "videos")
        if transcripts is not None and len(transcripts) != len(ids):
            raise ValueError(f"{len(ids)} ids but {len(transcripts)} transcripts")
        if transcripts is not None and self._text is None:
            raise ValueError("transcripts came along, but this scorer was made without one for texts")


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the pictures of one video say: ``worst`` (k,), ``vector`` (d,)."""

    worst: F32
    vector: F32
    frames: FrameScores
    segments: tuple[Segment, ...]
    notes: tuple[Note, ...]


def _segments(found: Scores, kept: Sequence[int], taken: Sample, top: int) -> tuple[Segment, ...]:
    """Where the ``top`` frames of each policy lie; ``kept``: the places in ``taken`` of the frames in ``found``."""
    ends = [*taken.times_s[1:], max(taken.end_s, taken.times_s[-1])]
    places = np.array(kept)
    segments = []
    for column, policy in enumerate(found.policies):
        shares = found.probabilities[:, column]
        chosen = np.sort(np.argsort(-shares, kind="stable")[:top])
        gaps = np.flatnonzero(np.diff(places[chosen]) != 1) + 1
        for run in np.split(chosen, gaps):
            start, end = taken.times_s[places[run[0]]], ends[places[run[-1]]]
            segments.append(Segment(start, end, policy, float(shares[run].max())))
    return tuple(sorted(segments, key=lambda one: (one.start_s, one.policy)))


def _hash(settings: list[object]) -> str:
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:VERSION_LENGTH]
