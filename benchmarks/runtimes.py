"""The default encoder on CPU under each runtime, beside plain torch: rate, and how far its vectors and scores move.

Same weights, same token batches, one thread, repeats in turn; a ratio is the median of the repeats' own. Rows that end
in ``_cosine`` hold the smallest cosine to plain torch's vectors, those in ``_dp`` the furthest that a probability
moves among texts near a threshold (the nearest fifth of the texts by each policy's score). ``onnxruntime`` runs the
graph that its own optimizer fused (``benchmarks.fused_graph``), ``onnxruntime_unfused`` the exporter's, as far as the
session optimizes that by itself; OpenVINO and int8 start from the exporter's.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from statistics import median

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.fused_graph import fuse
from benchmarks.row import Row, hardware
from benchmarks.scoring import POLICIES, sample_texts
from scoring.batching import token_batches
from scoring.encoder import SentenceEncoder, default_encoder_folder
from scoring.head import Head
from scoring.onnx_export import Inputs, States, export, open_states, quantize
from scoring.pooling import pool
from scoring.prototypes import prototype_head
from scoring.tokens import Tokenizer

RUNTIMES = ("bfloat16", "compiled", "onnxruntime", "onnxruntime_unfused", "openvino", "onnxruntime_int8")
NAMES = tuple(f"runtime_{name}{what}" for name in RUNTIMES for what in ("", "_cosine", "_dp"))
REPEATS = 5
TEXTS = 480
EXAMPLE = ("a few words", "some more words, so that the other row is padded")
CPU = torch.device("cpu")
F32 = npt.NDArray[np.float32]


def rows() -> list[Row]:
    """Three rows a runtime."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with tempfile.TemporaryDirectory() as place:
            return _rows(Path(place))
    finally:
        torch.set_num_threads(threads)


def _rows(place: Path) -> list[Row]:
    encoder = SentenceEncoder(device="cpu")
    texts, kind = sample_texts()
    tokenizer = Tokenizer(default_encoder_folder(), encoder.module)
    batches = _batches(tokenizer, texts[:TEXTS], encoder.batch_tokens)
    states = {"torch": _plain(encoder), **_others(encoder, tokenizer, place)}
    vectors = {name: _encode(run, batches, encoder.dimension) for name, run in states.items()}
    seconds = _race(states, batches, encoder.dimension)
    head = prototype_head(encoder, POLICIES)
    where = f"{hardware()}; 1 thread; {TEXTS} {kind} texts"
    made = []
    for name in RUNTIMES:
        ratio = median(a / b for a, b in zip(seconds["torch"], seconds[name], strict=True))
        rate, plain = (TEXTS / median(seconds[one]) for one in (name, "torch"))
        made.append(Row(f"runtime_{name}", rate, "texts per CPU second", "plain torch", plain, ratio, "", where))
        cosine = float((vectors[name] * vectors["torch"]).sum(axis=1).min())
        made.append(Row(f"runtime_{name}_cosine", cosine, "smallest cosine", target=">= 0.999", hardware=where))
        near = moved(head, vectors["torch"], vectors[name])[1]
        made.append(Row(f"runtime_{name}_dp", near, "largest |dp|", target="<= 0.01", hardware=where))
    return made


def _batches(tokenizer: Tokenizer, texts: list[str], batch_tokens: int) -> list[tuple[list[int], Inputs]]:
    tokens = tokenizer.rows(texts)
    batches = token_batches([len(row["input_ids"]) for row in tokens], batch_tokens)
    return [(batch, tokenizer.collate([tokens[i] for i in batch], CPU)) for batch in batches]


def _plain(encoder: SentenceEncoder, *, half: bool = False) -> States:
    """``half``: as the setting cpu_precision has it."""

    def run(inputs: Inputs) -> torch.Tensor:
        with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
            states: torch.Tensor = encoder.module(**inputs).last_hidden_state
        return states

    return run


def _others(encoder: SentenceEncoder, tokenizer: Tokenizer, place: Path) -> Mapping[str, States]:
    example = tokenizer.collate(tokenizer.rows(list(EXAMPLE)), CPU)
    export(encoder.module, example, place / "plain.onnx")
    quantize(place / "plain.onnx", place / "int8.onnx")
    fuse(encoder.module, example, place / "fused.onnx")
    return {
        "bfloat16": _plain(encoder, half=True),
        "compiled": _compiled(encoder),
        "onnxruntime": open_states(place / "fused.onnx", threads=1),
        "onnxruntime_unfused": open_states(place / "plain.onnx", threads=1),
        "openvino": _openvino(place / "plain.onnx"),
        "onnxruntime_int8": open_states(place / "int8.onnx", threads=1),
    }


def _compiled(encoder: SentenceEncoder) -> States:
    network = torch.compile(encoder.module, dynamic=True)

    def run(inputs: Inputs) -> torch.Tensor:
        with torch.inference_mode():
            states: torch.Tensor = network(**inputs).last_hidden_state
        return states

    return run


def _openvino(path: Path) -> States:
    core = import_module("openvino").Core()  # importing it starts processes, so only when it is measured
    settings = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    network = core.compile_model(core.read_model(path), "CPU", settings)
    names = [one.get_any_name() for one in network.inputs]
    return lambda inputs: torch.from_numpy(network([inputs[name].numpy() for name in names])[0].copy())


def _encode(run: States, batches: list[tuple[list[int], Inputs]], dimension: int) -> F32:
    vectors = np.empty((sum(len(batch) for batch, _ in batches), dimension), np.float32)
    for batch, inputs in batches:
        vectors[batch] = pool(run(inputs), inputs["attention_mask"]).numpy()
    return vectors


def _race(
    states: Mapping[str, States], batches: list[tuple[list[int], Inputs]], dimension: int
) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {name: [] for name in states}
    for repeat in range(REPEATS):
        names = list(states)
        for name in names[repeat % len(names) :] + names[: repeat % len(names)]:
            seconds[name].append(_cpu_s(lambda name=name: _encode(states[name], batches, dimension)))  # type: ignore[misc]
    return seconds


def _cpu_s(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def moved(head: Head, plain: F32, other: F32) -> tuple[float, float]:
    """The largest change of a probability: over all texts, and over the fifth of the texts whose scores lie nearest to
    each policy's 80th percentile, which stands for a threshold."""
    before, after = head.probabilities(plain), head.probabilities(other)
    near = np.abs(before - np.quantile(before, 0.8, axis=0))
    picked = near <= np.quantile(near, 0.2, axis=0)
    change = np.abs(after - before)
    return float(change.max()), float(change[picked].max())
