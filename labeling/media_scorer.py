"""Image and video scorers on items: they read the media themselves, a few at a time, and what cannot be read fails by
its id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from typing import Protocol, runtime_checkable

import numpy as np

from labeling.errors import BadMedia
from labeling.media import MediaReader
from scoring.base import Failure, ImageScorer, Note, Progress, Scores, Segment, VideoScorer
from scoring.errors import BadImage
from scoring.perceptual import image_hash

BATCH = 8  # images in memory at once, and as many again while the next ones are read
READERS = 8  # media read at once: most of the time goes to waiting
NAMED_SEGMENTS = 3  # a note names the worst of a policy
FLOOR = 0.5  # segments below this are no evidence


@runtime_checkable
class MediaScorer(Protocol):
    """A scorer of items that have media; ``embedding_version`` names what made its embeddings."""

    modality: str

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    @property
    def embedding_version(self) -> str: ...

    @property
    def policies(self) -> tuple[str, ...]: ...

    def score_media(
        self, ids: Sequence[str], media: Sequence[str], texts: Sequence[str], progress: Progress | None = None
    ) -> Scores:
        """Score items by their media; ``texts`` are their captions or transcripts, empty where there is none. As
        ``Scorer.score``."""


@dataclass(frozen=True, slots=True)
class SeenImages(Scores):
    """``hashes``: the perceptual hash of each image that could be read, by item, scored or not."""

    hashes: dict[str, np.uint64] = field(default_factory=dict)


class ImageItems:
    """A ``MediaScorer`` of images, which hashes what it reads."""

    modality = "image"

    def __init__(self, scorer: ImageScorer, reader: MediaReader) -> None:
        self._scorer, self._reader = scorer, reader
        self.name, self.version, self.policies = scorer.name, scorer.version, scorer.policies
        self.embedding_version = scorer.embedding_version

    def score_media(
        self, ids: Sequence[str], media: Sequence[str], texts: Sequence[str], progress: Progress | None = None
    ) -> SeenImages:
        """As ``MediaScorer.score_media``; captions are not read."""
        del texts
        parts: list[Scores] = []
        hashes: dict[str, np.uint64] = {}
        for start, read in self._batches(media):
            good = {ids[start + i]: content for i, content in enumerate(read) if isinstance(content, bytes)}
            bad = [_failure(ids[start + i], self.modality, e) for i, e in enumerate(read) if isinstance(e, BadMedia)]
            scores = self._scorer.score(list(good), list(good.values()))
            parts.append(replace(scores, failures=(*scores.failures, *bad)))
            hashes |= _hashes(good)
            if progress is not None:
                progress(start + len(read), len(ids))
        whole = _joined(parts, lambda: self._scorer.score([], []))
        return SeenImages(**{each.name: getattr(whole, each.name) for each in fields(Scores)}, hashes=hashes)

    def _batches(self, media: Sequence[str]) -> Iterator[tuple[int, list[bytes | BadMedia]]]:
        """(place of the first, what was read), the next batch being read meanwhile."""
        with ThreadPoolExecutor(READERS, "media") as pool:
            starts = range(0, len(media), BATCH)
            reading: list[list[Future[bytes | BadMedia]]] = []
            for start in starts:
                reading.append([pool.submit(self._read, each) for each in media[start : start + BATCH]])
                if len(reading) == 2:
                    yield start - BATCH, [each.result() for each in reading.pop(0)]
            for left in reading:
                yield starts[-1], [each.result() for each in left]

    def _read(self, media: str) -> bytes | BadMedia:
        try:
            return self._reader.read(media)
        except BadMedia as error:
            return error


class VideoItems:
    """A ``MediaScorer`` of videos, one after the other. ``transcripts``: the scorer reads what is said too."""

    modality = "video"

    def __init__(self, scorer: VideoScorer, reader: MediaReader, *, transcripts: bool) -> None:
        self._scorer, self._reader, self._transcripts = scorer, reader, transcripts
        self.name, self.version, self.policies = scorer.name, scorer.version, scorer.policies
        self.embedding_version = scorer.embedding_version

    @property
    def parts(self) -> tuple[VideoScorer, ...]:
        """The scorer that it is made of."""
        return (self._scorer,)

    def score_media(
        self, ids: Sequence[str], media: Sequence[str], texts: Sequence[str], progress: Progress | None = None
    ) -> Scores:
        """As ``MediaScorer.score_media``; a note says where in a video its highest scores lie."""
        parts: list[Scores] = []
        for done, (item_id, where, text) in enumerate(zip(ids, media, texts, strict=True), 1):
            parts.append(self._one(item_id, where, text))
            if progress is not None:
                progress(done, len(ids))
        return _joined(parts, lambda: self._scorer.score([], []))

    def _one(self, item_id: str, media: str, text: str) -> Scores:
        try:
            with self._reader.open(media) as file:
                told = [text or None] if self._transcripts else None
                scores = self._scorer.score([item_id], [file], transcripts=told)
        except BadMedia as error:
            return replace(self._scorer.score([], []), failures=(_failure(item_id, self.modality, error),))
        where = [Note(i, _evidence(s)) for i, s in zip(scores.ids, scores.segments, strict=True) if _evidence(s)]
        return replace(scores, notes=(*scores.notes, *where))


def _hashes(images: dict[str, bytes]) -> dict[str, np.uint64]:
    """Of those that are images; what is none, the scorer says itself. One at a time: full-size pixels are large."""
    hashes = {}
    for item_id, data in images.items():
        with suppress(BadImage):
            hashes[item_id] = image_hash(data)
    return hashes


def _failure(item_id: str, what: str, error: BadMedia) -> Failure:
    return Failure(item_id, f"the {what} {error}", error.passing)


def _evidence(segments: Sequence[Segment]) -> str:
    """Where to look: the worst segments, in the order of the video."""
    worst = sorted(segments, key=lambda segment: -segment.probability)[:NAMED_SEGMENTS]
    told = sorted((s for s in worst if s.probability >= FLOOR), key=lambda segment: segment.start_s)
    return ", ".join(f"{s.policy} {s.probability:.2f} at {s.start_s:.1f}-{s.end_s:.1f} s" for s in told)


def _joined(parts: Sequence[Scores], empty: Callable[[], Scores]) -> Scores:
    """One ``Scores`` of several, in their order."""
    if not parts:
        return empty()
    return Scores(
        ids=tuple(item_id for part in parts for item_id in part.ids),
        policies=parts[0].policies,
        probabilities=np.concatenate([part.probabilities for part in parts]),
        embeddings=np.concatenate([part.embeddings for part in parts]),
        failures=tuple(failure for part in parts for failure in part.failures),
        notes=tuple(note for part in parts for note in part.notes),
    )
