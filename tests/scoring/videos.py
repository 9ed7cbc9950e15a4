"""Video files made at test time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from io import BytesIO
from typing import cast

import av
import numpy as np
import numpy.typing as npt
from av.video.stream import VideoStream

Pixels = npt.NDArray[np.uint8]
BLACK, WHITE, RED, GREEN = (0, 0, 0), (255, 255, 255), (255, 0, 0), (0, 255, 0)


def plain(color: Sequence[int], size: tuple[int, int] = (64, 48)) -> Pixels:
    """A picture of one colour, ``size`` being (width, height)."""
    return np.full((size[1], size[0], 3), color, np.uint8)


def video(
    frames: Iterable[Pixels],
    *,
    codec: str = "mpeg4",
    kind: str = "mp4",
    rate: int = 10,
    size: tuple[int, int] = (64, 48),
    rotation: int = 0,
) -> bytes:
    """An encoded file; ``frames`` are taken one by one, so that they may be many."""
    with BytesIO() as file:
        with av.open(file, "w", format=kind) as container:
            stream = cast(VideoStream, container.add_stream(codec, rate=rate))
            stream.width, stream.height = size
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            if rotation:
                stream.set_display_rotation(rotation)
            for frame in frames:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
            container.mux(stream.encode())
        return file.getvalue()


def sound(kind: str = "mp4") -> bytes:
    """A second of silence, without any picture."""
    with BytesIO() as file:
        with av.open(file, "w", format=kind) as container:
            stream = container.add_stream("aac", rate=44_100)
            for i in range(43):
                frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
                frame.sample_rate, frame.pts = 44_100, i * 1024
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        return file.getvalue()
