"""Which frames stand for a video."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import Any

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.process import forget_peak, in_own_process, peak_mib
from scoring import frames
from scoring.errors import BadVideo
from scoring.frames import FLOOR_PICTURES, Sampling, sample
from scoring.video_files import VideoLimits
from tests.scoring.videos import BLACK, RED, WHITE, plain, sound, video

SMALL = (16, 16)


def test_a_still_scene_gives_a_frame_a_second() -> None:
    found = sample(video([plain(RED)] * 35), Sampling())
    assert list(found.times_s) == [0, 1, 2, 3]
    assert found.end_s == pytest.approx(3.4)
    assert found.notes == ()
    assert all(frame.shape == (48, 64, 3) and frame.dtype == np.uint8 for frame in found.frames)


def test_a_scene_shorter_than_the_floor_is_seen() -> None:
    made = [plain(BLACK)] * 30
    made[13] = plain(RED)
    found = sample(video(made), Sampling())
    assert found.times_s == pytest.approx((0, 1, 1.3, 1.4, 2))
    assert found.frames[2][:, :, 0].mean() > 200


def test_a_slow_change_between_two_regular_frames_is_seen() -> None:
    """No two neighbours differ much, but the last frame taken and the peak do."""
    levels = [*range(0, 250, 25), *range(250, 0, -25)]
    found = sample(video([plain((level, 0, 0)) for level in levels], rate=20), Sampling(scene=0.2, floor_s=10))
    assert max(frame[:, :, 0].mean() for frame in found.frames) > 150


def test_a_change_of_colour_alone_is_seen() -> None:
    made = [plain((128, 128, 128))] * 10
    made[4] = plain((0, 190, 110))  # about as bright
    assert 0.4 in sample(video(made), Sampling()).times_s


@given(st.integers(2, 60), st.floats(0.15, 3), st.integers(2, 20))
@settings(deadline=None, max_examples=20)
def test_no_gap_is_wider_than_the_floor_unless_a_note_says_so(n: int, floor_s: float, most: int) -> None:
    found = sample(video([plain(RED, SMALL)] * n, size=SMALL), Sampling(floor_s=floor_s, frames=most))
    assert len(found.frames) == len(found.times_s) <= most
    gaps = [after - before for before, after in pairwise((*found.times_s, found.end_s))]
    if not found.notes:
        assert all(gap < floor_s + 0.11 for gap in gaps)
    regular = gaps[:-1]
    assert not regular or max(regular) <= 2 * min(regular) + 0.11  # thinned evenly


def test_a_flicker_is_thinned_evenly_and_told() -> None:
    made = [plain(color, SMALL) for _ in range(100) for color in (BLACK, WHITE)]
    found = sample(video(made, size=SMALL), Sampling(frames=16))
    assert len(found.frames) <= 16
    assert found.times_s[-1] > 15
    assert [note for note in found.notes if "of 180 scene changes were scored" in note]
    assert [note for note in found.notes if "of 20 regular frames were scored" in note]


def test_a_long_still_video_leaves_room_for_its_one_short_scene() -> None:
    made = [plain(BLACK, SMALL)] * 400
    made[333] = plain(RED, SMALL)
    found = sample(video(made, rate=2, size=SMALL), Sampling(frames=8))
    assert len(found.frames) <= 8
    assert 166.5 in found.times_s


def test_frames_are_taken_even_when_the_clock_stands_still() -> None:
    part = video([plain(RED, SMALL)], codec="mpeg2video", kind="mpegts", size=SMALL, rate=25)
    found = sample(part * (FLOOR_PICTURES + 60), Sampling(floor_s=1e6))
    assert len(found.frames) >= 2


@pytest.mark.parametrize(
    ("size", "shape"),
    [((640, 480), (256, 341)), ((480, 640), (341, 256)), ((1024, 32), (32, 1024)), ((2048, 256), (181, 1448))],
)
def test_frames_are_shrunk_but_never_enlarged(size: tuple[int, int], shape: tuple[int, int]) -> None:
    (frame,) = sample(video([plain(RED, size)], size=size), Sampling()).frames
    assert frame.shape[0] * frame.shape[1] <= (2 * 256) ** 2
    assert frame.shape[:2] == pytest.approx(shape, abs=1)


@pytest.mark.parametrize(("rotation", "corner"), [(0, (0, 0)), (90, (-1, 0)), (180, (-1, -1)), (-90, (0, -1))])
def test_a_camera_held_sideways_gives_upright_frames(rotation: int, corner: tuple[int, int]) -> None:
    marked = plain(BLACK)
    marked[:16, :16] = 255
    (frame,) = sample(video([marked], rotation=rotation), Sampling()).frames
    assert frame.shape == ((48, 64, 3) if rotation % 180 == 0 else (64, 48, 3))
    assert frame[corner].mean() > 200
    assert sum(int(frame[y, x].mean() > 200) for y in (0, -1) for x in (0, -1)) == 1


def test_what_is_missing_is_told() -> None:
    rng = np.random.default_rng(0)
    whole = video(
        (rng.integers(0, 256, (48, 64, 3), dtype=np.uint8) for _ in range(60)),
        kind="matroska",
    )
    cut = sample(whole[: len(whole) // 2], Sampling())
    assert [note for note in cut.notes if "the file says 6.0 s" in note]
    middle = len(whole) // 2
    damaged = sample(whole[:middle] + b"\xff" * 4000 + whole[middle + 4000 :], Sampling())
    assert [note for note in damaged.notes if "damaged" in note]
    short = sample(whole, Sampling(), VideoLimits(work=3_000_000))
    assert [note for note in short.notes if note == "only the first 2.9 s were read, the limit of work"]


def test_a_video_without_pictures_is_refused() -> None:
    with pytest.raises(BadVideo, match="no moving pictures"):
        sample(sound(), Sampling())
    rng = np.random.default_rng(0)
    whole = video(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8) for _ in range(9))
    start, end = whole.index(b"mdat") + 4, whole.index(b"moov") - 4
    with pytest.raises(BadVideo, match="none of the video's pictures could be decoded"):
        sample(whole[:start] + bytes(end - start) + whole[end:], Sampling())


def test_pictures_that_cannot_be_converted_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Picky:
        def reformat(self, frame: VideoFrame, *args: Any, **options: Any) -> VideoFrame:
            if frame.pts == 0:
                raise av.error.ArgumentError(22, "injected")
            return VideoReformatter().reformat(frame, *args, **options)

    monkeypatch.setattr(frames, "VideoReformatter", Picky)
    found = sample(video([plain(RED)] * 15), Sampling())
    assert found.times_s[0] == pytest.approx(0.1)
    assert found.notes == ("1 damaged packets or pictures were skipped",)


@pytest.mark.parametrize("wrong", [{"floor_s": 0.0}, {"scene": 0.0}, {"scene": 1.0}, {"frames": 1}, {"side": 8}])
def test_sampling_must_make_sense(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        Sampling(**wrong)  # type: ignore[arg-type]


def _peak_of(pictures: int) -> tuple[float, ...]:
    """MiB that sampling a video of so many noisy pictures takes above what was there before."""
    rng = np.random.default_rng(0)
    whole = video((rng.integers(0, 256, (120, 160, 3), dtype=np.uint8) for _ in range(pictures)), size=(160, 120))
    forget_peak()
    before = peak_mib()
    found = sample(whole, Sampling(frames=32))
    return (peak_mib() - before, float(len(found.frames)))


@pytest.mark.slow
def test_memory_does_not_grow_with_the_video() -> None:
    short, _ = in_own_process(partial(_peak_of, 300))
    long, frames = in_own_process(partial(_peak_of, 3000))
    assert frames <= 32
    assert long < short + 8
