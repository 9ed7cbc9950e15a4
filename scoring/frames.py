"""Which frames of a video stand for it: one every so often, and one wherever the scene changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

from scoring.base import VideoFile
from scoring.errors import BadVideo
from scoring.images import Pixels
from scoring.video_files import DAMAGE, DEFAULT, VideoLimits, VideoReader, opened

MISSING_S = 2.0  # seconds without pictures at the end that are worth a note
THUMBNAIL = 32  # pixels a side: what scene changes are seen on
FLOOR_PICTURES = 250  # pictures after which one is taken whatever the clock says, since a file may stop its clock


@dataclass(frozen=True, slots=True)
class Sampling:
    """``floor_s``: a frame at least that often; ``scene``: a frame where the colours differ from the last one taken by
    that share of the full range, as a mean over 32 x 32 points (a cut is mostly above 0.2; the default was not tuned on
    real footage); ``frames``: the most that are kept, half of them for scene changes; ``side``: the most pixels of
    their shorter side.
    """

    floor_s: float = 1.0
    scene: float = 0.1
    frames: int = 128
    side: int = 256

    def __post_init__(self) -> None:
        if not (self.floor_s > 0 and 0 < self.scene < 1 and self.frames >= 2 and self.side >= 16):
            raise ValueError(
                f"floor_s must be above 0, scene within 0..1, frames at least 2 and side at least 16, not {self}"
            )


@dataclass(frozen=True, slots=True)
class Sample:
    """``frames``: (h, w, 3) uint8 RGB each, upright, at ``times_s`` after the first picture; ``end_s``: where the
    pictures end; ``notes``: what is not in them."""

    frames: tuple[Pixels, ...]
    times_s: tuple[float, ...]
    end_s: float
    notes: tuple[str, ...]


def sample(file: VideoFile, sampling: Sampling, limits: VideoLimits = DEFAULT, threads: int = 1) -> Sample:
    """The frames that stand for a video. Raises BadVideo, saying why.

    It is read once, picture by picture. No more than ``sampling.frames`` are held at any time: where there would be
    more, every second one is let go, so that what is left stays spread evenly.
    """
    with opened(file, limits, threads) as reader:
        chooser = _Chooser(sampling)
        for time_s, picture in reader.pictures():
            try:
                chooser.see(time_s, picture)
            except DAMAGE:  # a format of pixels that cannot be converted
                reader.skipped += 1
        if not chooser.seen:
            raise BadVideo("none of the video's pictures could be decoded")
        kept = sorted([*chooser.floor.kept, *chooser.scenes.kept], key=lambda one: one[0])
        return Sample(
            frames=tuple(frame for _, frame in kept),
            times_s=tuple(time_s for time_s, _ in kept),
            end_s=reader.end_s,
            notes=(*chooser.notes(), *_notes(reader)),
        )


class _Thinned:
    """At most ``most`` of the frames offered, evenly: as they come, then every second, every fourth, ..."""

    def __init__(self, most: int) -> None:
        self.kept: list[tuple[float, Pixels]] = []
        self.offered = 0
        self.stride = 1
        self._most = most

    def offer(self, time_s: float, make: Callable[[], Pixels]) -> None:
        if self.offered % self.stride == 0:
            self.kept.append((time_s, make()))
        self.offered += 1
        if len(self.kept) > self._most:
            self.kept = self.kept[::2]
            self.stride *= 2


class _Chooser:
    """Takes frames as they go by; the last thumbnail taken is all that it compares with."""

    def __init__(self, sampling: Sampling) -> None:
        self.seen = 0
        self.floor = _Thinned(sampling.frames - sampling.frames // 2)
        self.scenes = _Thinned(sampling.frames // 2)
        self._sampling = sampling
        self._small, self._large = VideoReformatter(), VideoReformatter()
        self._thumbnail: npt.NDArray[np.int16] | None = None
        self._floor_at, self._since = 0.0, 0

    def see(self, time_s: float, picture: VideoFrame) -> None:
        """Raises one of ``DAMAGE`` for a picture that cannot be converted."""
        thumbnail = self._shrunk(picture)
        self.seen += 1
        self._since += 1
        due = self.seen == 1 or time_s - self._floor_at >= self._sampling.floor_s or self._since >= FLOOR_PICTURES
        if due:
            self._floor_at, self._since = time_s, 0
            self.floor.offer(time_s, lambda: self._frame(picture))
        elif self._differs(thumbnail):
            self.scenes.offer(time_s, lambda: self._frame(picture))
        else:
            return
        self._thumbnail = thumbnail

    def notes(self) -> tuple[str, ...]:
        """What thinning left out."""
        told = []
        for thinned, what in ((self.floor, "regular frames"), (self.scenes, "scene changes")):
            if thinned.stride > 1:
                told.append(f"{len(thinned.kept)} of {thinned.offered} {what} were scored")
        return tuple(told)

    def _differs(self, thumbnail: npt.NDArray[np.int16]) -> bool:
        before = thumbnail if self._thumbnail is None else self._thumbnail
        return float(np.abs(thumbnail - before).mean()) >= self._sampling.scene * 255

    def _shrunk(self, picture: VideoFrame) -> npt.NDArray[np.int16]:
        small = self._small.reformat(picture, THUMBNAIL, THUMBNAIL, "rgb24", interpolation="AREA", threads=1)
        return small.to_ndarray().astype(np.int16)

    def _frame(self, picture: VideoFrame) -> Pixels:
        side = self._sampling.side
        width, height = picture.width, picture.height
        scale = min(1.0, side / min(width, height), 2 * side / (width * height) ** 0.5)  # a strip stays small too
        size = max(1, round(width * scale)), max(1, round(height * scale))
        frame = self._large.reformat(picture, *size, "rgb24", interpolation="AREA", threads=1).to_ndarray()
        return np.ascontiguousarray(np.rot90(frame, k=round(picture.rotation / 90)), np.uint8)


def _notes(reader: VideoReader) -> tuple[str, ...]:
    """What the file kept back, in words."""
    told = []
    if reader.tracks > 1:
        told.append(f"1 of {reader.tracks} tracks of pictures was read")
    if reader.skipped:
        told.append(f"{reader.skipped} damaged packets or pictures were skipped")
    if reader.patched:
        told.append(f"{reader.patched} damaged pictures were read as far as they could be")
    if reader.stopped:
        told.append(f"only the first {reader.end_s:.1f} s were read, the limit of work")
    elif reader.broken or (reader.declared_s or 0) > reader.end_s + MISSING_S:
        declared = "" if reader.declared_s is None else f", the file says {reader.declared_s:.1f} s"
        told.append(f"the pictures end at {reader.end_s:.1f} s{declared}")
    return tuple(told)
