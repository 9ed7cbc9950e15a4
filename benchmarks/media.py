"""Images and videos beside what people use today, in CPU seconds of one thread, same content, same run.

Pictures are made ones: soft noise as JPEG, and a video that drifts and cuts. Weights are random, which changes no time.
Each repeat runs ours and the peer once, in turn; a ratio is the median of the repeats' own ratios.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessorPil, pipeline
from transformers.utils import logging

from benchmarks.row import Row, hardware
from scoring.frames import Sampling, sample
from scoring.hf_image import HFImageClassifier

NAMES = ("image_scorer_vs_transformers_pipeline", "video_sampling_vs_decoding")
REPEATS = 3
PICTURES = 24
LABELS = {"LABEL_1": "sexual"}
BATCH = 8
SECONDS, RATE, SIZE, CUT_S = 20, 30, (1280, 720), 7


def rows() -> list[Row]:
    """One row a kind of content."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return [_image_row(), _video_row()]
    finally:
        torch.set_num_threads(threads)


def _image_row() -> Row:
    """A ViT of base size: JPEG bytes in, probabilities out."""
    files = list(_files())
    ids = [str(i) for i in range(PICTURES)]
    with TemporaryDirectory() as folder:
        _write_vit(Path(folder))
        ours = HFImageClassifier(folder, LABELS, device="cpu", batch=BATCH)
        peer: Any = pipeline("image-classification", model=folder, device="cpu", batch_size=BATCH)
        runs = _race(
            lambda: ours.score(ids, files), lambda: peer([Image.open(BytesIO(file)).convert("RGB") for file in files])
        )
    where = f"{hardware()}; 1 thread; ViT base, {PICTURES} JPEG pictures of 800 x 600 pixels"
    return _row(NAMES[0], runs, PICTURES, "images per CPU second", "transformers.pipeline(batch_size=8)", where)


def _video_row() -> Row:
    """Choosing frames above decoding: what looking at every picture for scene changes costs."""
    whole = _video()
    runs = _race(lambda: sample(whole, Sampling()), lambda: _decode(whole))
    where = f"{hardware()}; 1 thread; H.264, {SECONDS} s of 720p at {RATE} pictures a second"
    peer = "PyAV decoding alone, nothing looked at"
    return _row(NAMES[1], runs, SECONDS, "seconds of video per CPU second", peer, where)


def _row(name: str, runs: list[tuple[float, float]], amount: float, unit: str, peer: str, where: str) -> Row:
    return Row(
        name,
        median(amount / ours for ours, _ in runs),
        unit,
        peer,
        median(amount / theirs for _, theirs in runs),
        median(theirs / ours for ours, theirs in runs),
        "",
        where,
    )


def _race(ours: Callable[[], object], peer: Callable[[], object]) -> list[tuple[float, float]]:
    """CPU s of each, in turn; a first pass is not counted."""
    _cpu_s(ours), _cpu_s(peer)
    return [(_cpu_s(ours), _cpu_s(peer)) for _ in range(REPEATS)]


def _cpu_s(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def _files() -> Iterator[bytes]:
    rng = np.random.default_rng(0)
    for _ in range(PICTURES):
        small = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8))
        with BytesIO() as file:
            small.resize((800, 600), Image.Resampling.BICUBIC).save(file, "JPEG", quality=90)
            yield file.getvalue()


def _write_vit(folder: Path) -> None:
    torch.manual_seed(0)
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    ViTForImageClassification(ViTConfig()).save_pretrained(str(folder))
    ViTImageProcessorPil().save_pretrained(str(folder))


def _pictures() -> Iterator[npt.NDArray[np.uint8]]:
    """A scene of soft noise that drifts, and another one every seven seconds."""
    rng = np.random.default_rng(0)
    width, height = SIZE
    for i in range(SECONDS * RATE):
        if i % (CUT_S * RATE) == 0:
            small = Image.fromarray(rng.integers(0, 256, (9, 16, 3), dtype=np.uint8))
            scene = np.asarray(small.resize((2 * width, height), Image.Resampling.BICUBIC))
        shift = 2 * (i % (CUT_S * RATE))
        yield np.ascontiguousarray(scene[:, shift : shift + width])


def _video() -> bytes:
    with BytesIO() as file:
        with av.open(file, "w", format="mp4") as container:
            stream = container.add_stream("libx264", rate=RATE, options={"preset": "veryfast"})
            stream.width, stream.height = SIZE
            stream.pix_fmt = "yuv420p"
            for picture in _pictures():
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
            container.mux(stream.encode())
        return file.getvalue()


def _decode(whole: bytes) -> int:
    with av.open(BytesIO(whole), "r") as container:
        container.streams.video[0].thread_count = 1
        return sum(1 for _ in container.decode(video=0))
