"""Video files from outside: what is read, and what is refused before it does harm."""

from __future__ import annotations

import os
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import cast

import av
import numpy as np
import pytest
from av.video.stream import VideoStream
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.errors import BadVideo
from scoring.video_files import DEFAULT, VideoLimits, VideoReader, opened
from tests.scoring.videos import BLACK, RED, plain, sound, video

KINDS = (
    ("mpeg4", "mp4"),
    ("libx264", "mp4"),
    ("libx265", "mp4"),
    ("libsvtav1", "mp4"),
    ("libvpx-vp9", "webm"),
    ("libx264", "matroska"),
    ("mpeg4", "avi"),
    ("libx264", "mpegts"),
    ("mpeg2video", "mpeg"),
    ("mjpeg", "mov"),
)


def read(data: bytes, limits: VideoLimits = DEFAULT) -> tuple[list[float], VideoReader]:
    with opened(data, limits) as reader:
        return [time_s for time_s, _ in reader.pictures()], reader


def noise(n: int, kind: str = "mp4") -> bytes:
    """A video that gives a codec something to do, so that its file is not all header."""
    rng = np.random.default_rng(0)
    return video((rng.integers(0, 256, (48, 64, 3), dtype=np.uint8) for _ in range(n)), kind=kind)


@pytest.mark.parametrize(("codec", "kind"), KINDS)
def test_each_container_and_codec_is_read_with_its_times(codec: str, kind: str) -> None:
    times, reader = read(video([plain(RED)] * 15, codec=codec, kind=kind, rate=25))
    np.testing.assert_allclose(times, np.arange(15) / 25, atol=2e-3)
    assert (reader.skipped, reader.patched, reader.broken, reader.stopped, reader.tracks) == (0, 0, False, False, 1)


def hls(target: str) -> bytes:
    return f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{target}\n#EXT-X-ENDLIST\n".encode()


def concat(target: str) -> bytes:
    return f"ffconcat version 1.0\nfile '{target}'\n".encode()


def dash(target: str) -> bytes:
    return f'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>{target}</BaseURL></MPD>'.encode()


def sdp(_target: str) -> bytes:
    return (
        b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 9 RTP/AVP 96\na=rtpmap:96 H264/90000\n"
    )


@pytest.mark.parametrize("make", [hls, concat, dash, sdp])
@pytest.mark.parametrize("target", ["file", "http://127.0.0.1:9/x.ts"])
def test_a_playlist_that_names_another_file_is_refused(
    tmp_path: Path, make: Callable[[str], bytes], target: str
) -> None:
    other = tmp_path / "secret.mp4"
    other.write_bytes(video([plain(RED)] * 3))
    disguised = tmp_path / "clip.mp4"
    disguised.write_bytes(make(f"file:{other}" if target == "file" else target))
    for file in (disguised, disguised.read_bytes()):
        with pytest.raises(BadVideo, match=r"is no video of a kind that is read|refers to another file"), opened(file):
            pass


def test_such_a_playlist_would_be_followed_without_the_lists(tmp_path: Path) -> None:
    """The danger is real: FFmpeg left to itself reads the other file."""
    other = tmp_path / "secret.mp4"
    other.write_bytes(video([plain(RED)] * 3))
    disguised = tmp_path / "clip.mp4"
    disguised.write_bytes(concat(f"file:{other}"))
    with av.open(str(disguised), "r", options={"safe": "0"}) as container:
        assert container.streams.video[0].width == 64


def test_a_permitted_container_may_not_open_other_files_either(monkeypatch: pytest.MonkeyPatch) -> None:
    """A QuickTime file may keep its pictures in another one, by a data reference."""

    def follow(*_args: object, io_open: Callable[..., object], **_options: object) -> None:
        io_open("http://127.0.0.1:9/x.mov", 1, {})

    whole = video([plain(RED)] * 3)
    monkeypatch.setattr(av, "open", follow)
    with pytest.raises(BadVideo, match="refers to another file"), opened(whole):
        pass


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"\x00" * 5000, "no video of a kind"),
        (b"a text that is no video\n" * 200, "no video of a kind"),
        (sound(), "no moving pictures, only audio"),
        (noise(20)[:2000], "no video of a kind|broken"),
    ],
    ids=["empty", "zeros", "text", "sound", "cut"],
)
def test_what_cannot_be_read_says_why(data: bytes, reason: str) -> None:
    with pytest.raises(BadVideo, match=reason), opened(data):
        pass


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(BadVideo, match="cannot be read: No such file"), opened(tmp_path / "none.mp4"):
        pass


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (VideoLimits(file_bytes=10), "bytes, more than the 10 allowed"),
        (VideoLimits(pixels=1000), "up to 1,000 pixels are read"),
        (VideoLimits(duration_s=1), "2 s long, more than the 1 allowed"),
    ],
)
def test_what_asks_for_too_much_is_refused(limits: VideoLimits, reason: str) -> None:
    with pytest.raises(BadVideo, match=reason), opened(video([plain(RED)] * 20), limits):
        pass


def test_pictures_that_grow_later_on_are_left_out() -> None:
    """A transport stream may be glued together from any parts."""
    small = video([plain(RED)] * 10, codec="mpeg2video", kind="mpegts")
    large = video([plain(BLACK, (640, 480))] * 10, codec="mpeg2video", kind="mpegts", size=(640, 480))
    times, reader = read(small + large, VideoLimits(pixels=10_000))
    assert 0 < len(times) <= 11
    assert reader.skipped > 0
    assert len(read(small + large)[0]) > 15


def test_the_limit_of_work_ends_the_reading() -> None:
    times, reader = read(video([plain(RED)] * 20), VideoLimits(work=500_000))
    assert (len(times), reader.stopped) == (5, True)


def test_damage_in_the_middle_is_skipped_and_counted() -> None:
    whole = noise(60)
    middle = len(whole) // 2
    damaged = whole[:middle] + b"\xff" * 4000 + whole[middle + 4000 :]
    times, reader = read(damaged)
    assert reader.skipped + reader.patched > 0
    assert len(times) > 40
    assert times[-1] == pytest.approx(5.9, abs=0.01)


def test_a_file_that_was_cut_is_read_up_to_there() -> None:
    whole = video([plain((i * 9 % 256, 0, 0)) for i in range(60)], codec="libx264", kind="mpegts")
    times, reader = read(whole[: len(whole) // 2])
    assert 5 < len(times) < 55
    moving = noise(60, "matroska")
    times, reader = read(moving[: len(moving) // 2])
    assert (20 < len(times) < 40, reader.declared_s) == (True, 6.0)
    assert reader.end_s < 4
    headed = noise(60)
    with pytest.raises(BadVideo):
        read(headed[: len(headed) // 2])  # the index stands at the end


def test_times_that_start_again_go_on() -> None:
    part = video([plain(RED)] * 10, codec="mpeg2video", kind="mpegts")
    times, _ = read(part + part)
    assert len(times) >= 19
    assert times == sorted(times)
    assert times[-1] == pytest.approx(1.9, abs=0.3)


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "."):
        with pytest.raises(BadVideo, match="is no file"), opened(tmp_path / name):
            pass


def test_an_open_file_that_cannot_seek_says_so() -> None:
    read_end, write_end = os.pipe()
    with (
        open(write_end, "wb"),
        open(read_end, "rb") as pipe,
        pytest.raises(BadVideo, match="cannot seek"),
        opened(pipe),
    ):
        pass


def test_one_of_several_tracks_is_read() -> None:
    with BytesIO() as file:
        with av.open(file, "w", format="matroska") as container:
            tracks = [cast(VideoStream, container.add_stream("mpeg4", rate=10)) for _ in range(2)]
            for track in tracks:
                track.width, track.height, track.pix_fmt = 64, 48, "yuv420p"
            for _ in range(5):
                for track in tracks:
                    container.mux(track.encode(av.VideoFrame.from_ndarray(plain(RED), "rgb24")))
            for track in tracks:
                container.mux(track.encode())
        times, reader = read(file.getvalue())
    assert (len(times), reader.tracks) == (5, 2)


def test_a_codec_that_is_not_read_is_named() -> None:
    data = video([plain(RED)] * 3, codec="ffv1", kind="matroska")
    with pytest.raises(BadVideo, match="coded with ffv1, which is not read"), opened(data):
        pass


def test_nothing_stays_open(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(noise(5))
    with path.open("rb") as file:
        with opened(file) as reader:
            assert len(list(reader.pictures())) == 5
        assert not file.closed  # it is the caller's
    with opened(path) as reader:
        next(reader.pictures())


@pytest.mark.parametrize("wrong", [{"file_bytes": 0}, {"pixels": 0}, {"duration_s": 0.0}, {"work": 0}])
def test_limits_must_leave_something(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="above 0"):
        VideoLimits(**wrong)


WHOLE = {
    kind: video([plain((i * 20, 9, 0)) for i in range(12)], kind=kind) for kind in ("mp4", "avi", "matroska", "mpegts")
}


@given(st.sampled_from(sorted(WHOLE)), st.data())
@settings(deadline=None, max_examples=120)
def test_damage_anywhere_gives_pictures_or_a_reason(kind: str, data: st.DataObject) -> None:
    broken = bytearray(WHOLE[kind])
    if data.draw(st.booleans()):
        broken = broken[: data.draw(st.integers(0, len(broken)))]
    for _ in range(data.draw(st.integers(0, 8))):
        if broken:
            broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    try:
        times, _ = read(bytes(broken), VideoLimits(pixels=100_000, work=10**8))
    except BadVideo:
        return
    assert times == sorted(times)
    assert all(0 <= time_s <= DEFAULT.duration_s + 100 for time_s in times)
