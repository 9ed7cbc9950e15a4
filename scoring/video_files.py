"""Open video files safely and step through their pictures: what comes from outside may be broken, or made to do harm.

FFmpeg reads playlists that name other files and addresses (HLS, DASH, concat, SDP), which has let strangers read files
and reach hosts. Here it never opens anything: it gets bytes from an open file, only containers that hold their own
pictures are read, and a reference to another file is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from os import SEEK_END
from pathlib import Path
from typing import BinaryIO

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from scoring.base import VideoFile
from scoring.errors import BadVideo

FORMATS = ("mov", "mp4", "m4a", "3gp", "3g2", "mj2", "matroska", "webm", "avi", "mpegts", "mpeg", "flv", "ogg")
CODECS = (
    *("av1", "libdav1d", "h263", "h264", "hevc", "mjpeg", "mpeg1video", "mpeg2video", "mpeg4"),
    *("theora", "vp8", "vp9", "libvpx-vp9"),
)
LEAST_WORK = 100_000  # pixels that a picture counts for at least, so that tiny ones are limited too
USUAL_STEP_S = 1 / 25
DAMAGE = (
    ArithmeticError,
    FFmpegError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    ValueError,
)  # all that PyAV has been seen to raise for damaged files


@dataclass(frozen=True, slots=True)
class VideoLimits:
    """What a video file may ask for. ``file_bytes``: its size; ``pixels``: width x height of a picture; ``duration_s``:
    how long it says it is; ``work``: pixels decoded in all, at least 100,000 a picture; what comes after is not read.
    """

    file_bytes: int = 4_000_000_000
    pixels: int = 40_000_000
    duration_s: float = 14_400.0
    work: int = 500_000_000_000

    def __post_init__(self) -> None:
        if min(self.file_bytes, self.pixels, self.work) < 1 or not self.duration_s > 0:
            raise ValueError(f"video limits must be above 0, not {self}")


DEFAULT = VideoLimits()


class VideoReader:
    """One pass over a video's pictures; what it met is known afterwards.

    ``declared_s``: how long the file says it is; ``tracks``: its tracks of moving pictures, of which the best is read;
    ``end_s``: where the pictures end; ``skipped``: damaged packets left out; ``patched``: damaged pictures that were
    decoded all the same; ``broken``: the container ended in an error; ``stopped``: the limit of work was reached.
    """

    def __init__(self, container: InputContainer, stream: VideoStream, tracks: int, limits: VideoLimits) -> None:
        self.declared_s = container.duration / 1e6 if container.duration and container.duration > 0 else None
        self.tracks = tracks
        self.end_s = 0.0
        self.skipped = self.patched = 0
        self.broken = self.stopped = False
        self._container, self._stream, self._limits = container, stream, limits
        self._clock = _Clock(stream, limits.duration_s)

    def pictures(self) -> Iterator[tuple[float, VideoFrame]]:
        """Each picture with its time in seconds after the first one, never falling; one at a time is held."""
        work = 0
        for packet in self._packets():
            try:
                frames = packet.decode()
            except DAMAGE:
                self.skipped += 1
                continue
            for frame in frames:
                work += max(frame.width * frame.height, LEAST_WORK)
                if work > self._limits.work:
                    self.stopped = True
                    return
                self.patched += bool(frame.is_corrupt)
                self.end_s = self._clock.time_s(frame)
                yield self.end_s, frame

    def _packets(self) -> Iterator[Packet[VideoStream]]:
        packets = self._container.demux(self._stream)
        while True:
            try:
                yield next(packets)
            except StopIteration:
                return
            except DAMAGE:
                self.broken = True
                return


class _Clock:
    """Times of pictures that only go forward: where the file's own time falls back, is missing or leaps beyond
    ``longest_s``, the clock goes on by one picture."""

    def __init__(self, stream: VideoStream, longest_s: float) -> None:
        rate = float(stream.average_rate or 0)
        self._step = 1 / rate if 1 <= rate <= 240 else USUAL_STEP_S
        self._longest = longest_s
        self._origin: float | None = None
        self._last = 0.0

    def time_s(self, frame: VideoFrame) -> float:
        found: float | None = frame.time  # None when the file gives no time
        if self._origin is None:
            self._origin = found or 0.0
            return 0.0
        now = self._last + self._step if found is None else found - self._origin
        if not self._last <= now <= self._longest:
            now = self._last + self._step
            self._origin = (found or 0.0) - now
        self._last = now
        return now


@contextmanager
def opened(file: VideoFile, limits: VideoLimits = DEFAULT, threads: int = 1) -> Iterator[VideoReader]:
    """The video, ready to be read once. Raises BadVideo, saying why."""
    with _bytes_of(file, limits) as source, _container(source, limits) as container:
        stream, tracks = _stream(container)
        reader = VideoReader(container, stream, tracks, limits)
        if reader.declared_s is not None and reader.declared_s > limits.duration_s:
            raise BadVideo(
                f"the video is {reader.declared_s:,.0f} s long, more than the {limits.duration_s:,.0f} allowed"
            )
        if not stream.width * stream.height:  # FFmpeg gives none where the pictures are beyond max_pixels
            raise BadVideo(f"none of the video's pictures could be decoded; up to {limits.pixels:,} pixels are read")
        if stream.width * stream.height > limits.pixels:
            size = f"{stream.width} x {stream.height}"
            raise BadVideo(f"the video has {size} pixels, more than the {limits.pixels:,} allowed")
        stream.codec_context.thread_count = threads
        stream.codec_context.options = {"max_pixels": str(limits.pixels)}  # also for pictures that grow later on
        yield reader


@contextmanager
def _bytes_of(file: VideoFile, limits: VideoLimits) -> Iterator[BinaryIO]:
    if isinstance(file, Path):
        with _open(file) as source:
            yield _checked(source, limits)
    elif isinstance(file, bytes):
        yield _checked(BytesIO(file), limits)
    elif hasattr(file, "read") and hasattr(file, "seek"):
        yield _checked(file, limits)
    else:
        raise BadVideo(f"the video is a {type(file).__name__}, not a path, bytes or an open file")


def _open(path: Path) -> BinaryIO:
    if path.exists() and not path.is_file():  # a pipe would keep its reader waiting
        raise BadVideo(f"{path.name} is no file, so it cannot be read as a video")
    try:
        return path.open("rb")
    except OSError as error:
        raise BadVideo(f"the video file cannot be read: {error.strerror or error}") from error


def _checked(source: BinaryIO, limits: VideoLimits) -> BinaryIO:
    try:
        size = source.seek(0, SEEK_END)
        source.seek(0)
    except (OSError, ValueError) as error:
        raise BadVideo("the open video file cannot seek; give one that can, or a path") from error
    if size == 0:
        raise BadVideo("the video file is empty")
    if size > limits.file_bytes:
        raise BadVideo(f"the video file has {size:,} bytes, more than the {limits.file_bytes:,} allowed")
    return source


@contextmanager
def _container(source: BinaryIO, limits: VideoLimits) -> Iterator[InputContainer]:
    asked: list[str] = []

    def refuse(url: str, _flags: int, _options: dict[str, str]) -> BinaryIO:
        asked.append(url)
        raise PermissionError("a video may not open other files")

    lists = {"format_whitelist": ",".join(FORMATS), "codec_whitelist": ",".join(CODECS), "protocol_whitelist": ""}
    try:
        container = av.open(
            source, "r", options={"max_pixels": str(limits.pixels)}, container_options=lists, io_open=refuse
        )
    except DAMAGE as error:
        if asked:
            raise BadVideo(
                "the video refers to another file; only files that hold their own pictures are read"
            ) from error
        raise BadVideo(f"the file is no video of a kind that is read ({', '.join(FORMATS)}), or is broken") from error
    with container:
        yield container


def _stream(container: InputContainer) -> tuple[VideoStream, int]:
    """The best track of moving pictures, and how many there are; a cover picture is none."""
    moving = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    if not moving:
        kinds = sorted({str(stream.type) for stream in container.streams})
        raise BadVideo(f"the file has no moving pictures, only {', '.join(kinds) or 'nothing'}")
    best = container.streams.best("video")
    stream = next((one for one in moving if one is best), moving[0])
    codec = stream.codec_context.name if stream.codec_context else "an unknown codec"
    if codec not in CODECS:
        raise BadVideo(f"the pictures are coded with {codec}, which is not read; use one of {', '.join(CODECS)}")
    return stream, len(moving)
