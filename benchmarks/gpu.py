"""The scoring engine on a GPU beside sentence-transformers: a script for whoever has a GPU at hand.

    python -m benchmarks.gpu            # the table, within 8 minutes: each model gets the texts that its share allows
    python -m benchmarks.gpu --cpu      # a small run on the CPU, to see that the script works

Needs torch, transformers, sentence-transformers and this checkout, nothing else: both models are made here with random
weights (the shapes of MiniLM-L6 and RoBERTa-base), texts of 32..256 tokens out of made words. The scores are held
against fp32's, and the exit status is 1 when they do not agree.

Rows, all on one GPU: texts and tokens a second from strings to scores, against sentence-transformers at its best batch
size in the same precision; the same with padded batches; the share of the matrix rate of the same run (a large square
product); the share of the time in which the device was busy; and how much of the time that tokenizing takes by itself
is hidden behind the device.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from transformers import PreTrainedModel

from benchmarks.made_models import build, made_texts, made_words
from scoring.device import inference_dtype
from scoring.embedding_head import EmbeddingHead
from scoring.encoder import SentenceEncoder
from scoring.head import Head

POLICIES = 8
PEER_BATCHES = (32, 64, 128, 256, 512)
STEADY = 2e-3  # how far a probability may move with the batch it is computed in
CLOSE = 1e-2  # how far it may lie from fp32's
REPEATS = 3
TOTAL_S = 480.0
SLACK = 0.7  # of a model's share that is planned for: a first pass at another length allocates and compiles
PASS_S = 4.0  # what one pass of ours may take: longer ones tell no more
OURS, PADDED, PEER = 15, 4, 8  # passes over all the texts that ``_measure`` makes with each, at most
TARGETS = {"speed": 3.0, "matrix share (RoBERTa-base shape)": 0.40, "busy": 0.90}
BUSY_TEXTS = 4000  # a profile holds every kernel that ran


@dataclass(frozen=True, slots=True)
class Size:
    """How much is run; the CPU's is only there to see that the script works."""

    texts: int
    checked: int
    matrix: int
    peer_batches: tuple[int, ...]
    models: tuple[str, ...]


GPU = Size(texts=20_000, checked=500, matrix=8192, peer_batches=PEER_BATCHES, models=("minilm", "roberta"))
SMOKE = Size(texts=48, checked=16, matrix=512, peer_batches=(32,), models=("minilm",))


@dataclass(frozen=True, slots=True)
class Result:
    """One model's row. Rates are per second of wall time, medians of ``REPEATS`` runs; ``busy`` is None on a CPU.

    ``packed``: whether the engine found that it may pack this model. ``hidden``: 1 where a run from strings takes no
    longer than one from tokens, 0 where it takes longer by all that tokenizing takes by itself.
    """

    model: str
    device: str
    precision: str
    texts: int
    packed: bool
    texts_s: float
    tokens_s: float
    padded_texts_s: float
    peer_texts_s: float
    peer_batch: int
    speed: float
    matrix_share: float
    busy: float | None
    hidden: float
    moved: float
    furthest: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table and, last, the same as JSON. 0 when every score is steady and close to fp32, else 1."""
    asked = _asked(arguments)
    if not asked.cpu and not torch.cuda.is_available():
        print("torch sees no GPU; run with --cpu to try the script itself", file=sys.stderr)
        return 2
    began = time.perf_counter()
    device = torch.device("cpu" if asked.cpu else "cuda:0")
    size = SMOKE if asked.cpu else GPU
    rate = matrix_rate(device, size.matrix)
    print(
        f"{_name(device)}, torch {torch.__version__}, {inference_dtype(device)} matrix rate {rate / 1e12:.2f} TFLOP/s"
    )
    results = []
    with tempfile.TemporaryDirectory() as place:
        for done, name in enumerate(size.models):
            share_s = (TOTAL_S - (time.perf_counter() - began)) / (len(size.models) - done)
            results.append(_measure(name, Path(place) / name, device, size, rate, share_s))
            print(_line(results[-1]), flush=True)
    print(f"{time.perf_counter() - began:.0f} s in all")
    print("targets:", ", ".join(f"{name} >= {value}" for name, value in TARGETS.items()))
    print(json.dumps([asdict(result) for result in results]))
    return 0 if all(r.moved <= STEADY and r.furthest <= CLOSE for r in results) else 1


def _asked(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description="Scoring on a GPU, measured.")
    parser.add_argument("--cpu", action="store_true", help="a small run on the CPU, to see that the script works")
    return parser.parse_args(arguments)


def _measure(name: str, folder: Path, device: torch.device, size: Size, rate: float, share_s: float) -> Result:
    """One model's row, in about ``share_s`` seconds."""
    until = time.perf_counter() + share_s
    rng = np.random.default_rng(0)
    words = made_words(rng)
    model = build(name, folder, words)
    scorer, encoder = _scorer(folder, device)
    padded = _scorer(folder, device, packed=False)[0]
    peer = SentenceTransformer(str(folder), device=str(device), model_kwargs={"dtype": inference_dtype(device)})
    texts = made_texts(words, size.texts, rng)
    some = texts[: size.checked]
    moved, furthest = instability(scorer, some), disagreement(scorer, folder, device, some)
    works = (_ours(scorer, some), _ours(padded, some), _theirs(peer, some, size.peer_batches[0]))
    ours_s, padded_s, peer_s = (_median_seconds(work, device) / len(some) for work in works)
    texts = texts[: max(len(some), affordable(ours_s, padded_s, peer_s, until - time.perf_counter()))]
    lengths = [len(row["input_ids"]) for row in encoder.tokenize(texts)]
    seconds = _median_seconds(_ours(scorer, texts), device)
    batch, peer_seconds = _best_peer(peer, texts, size.peer_batches, device)
    return Result(
        model=name,
        device=_name(device),
        precision=str(inference_dtype(device)),
        texts=len(texts),
        packed=encoder.packed,
        texts_s=len(texts) / seconds,
        tokens_s=sum(lengths) / seconds,
        padded_texts_s=len(texts) / _median_seconds(_ours(padded, texts), device),
        peer_texts_s=len(texts) / peer_seconds,
        peer_batch=batch,
        speed=peer_seconds / seconds,
        matrix_share=forward_flops(model, lengths) / seconds / rate,
        busy=busy_share(_ours(scorer, texts[:BUSY_TEXTS])) if device.type == "cuda" else None,
        hidden=hidden_share(scorer, encoder, texts, seconds, device),
        moved=moved,
        furthest=furthest,
    )


def _ours(scorer: EmbeddingHead, texts: list[str]) -> Callable[[], object]:
    ids = [f"t{i}" for i in range(len(texts))]
    return lambda: scorer.score(ids, texts)


def _theirs(peer: SentenceTransformer, texts: list[str], batch: int) -> Callable[[], object]:
    return lambda: peer.encode(texts, batch_size=batch, show_progress_bar=False)


def affordable(ours_s: float, padded_s: float, peer_s: float, left_s: float) -> int:
    """How many texts all passes of ``_measure`` may be made over in ``left_s`` seconds, at so many seconds a text."""
    each_s = OURS * ours_s + PADDED * padded_s + PEER * peer_s
    return int(min(SLACK * left_s / each_s, PASS_S / ours_s))


def hidden_share(
    scorer: EmbeddingHead, encoder: SentenceEncoder, texts: list[str], seconds: float, device: torch.device
) -> float:
    """1 - (from strings - from tokens) / tokenizing alone, within 0..1; ``seconds``: a run from strings."""
    alone = _median_seconds(lambda: encoder.read(texts), device)
    found = dict(zip(texts, encoder.read(texts), strict=True))
    ready = lambda some: [found[text] for text in some]  # noqa: E731
    encoder.read = ready  # type: ignore[method-assign]
    try:
        from_tokens = _median_seconds(_ours(scorer, texts), device)
    finally:
        del encoder.read
    return min(1.0, max(0.0, 1 - (seconds - from_tokens) / alone))


def _best_peer(
    peer: SentenceTransformer, texts: list[str], batches: Sequence[int], device: torch.device
) -> tuple[int, float]:
    """The best batch size on a part of the texts, and its seconds for all of them."""
    part = texts[: max(len(texts) // 5, min(batches))]
    timed = {size: _median_seconds(_theirs(peer, part, size), device) for size in batches}
    best = min(timed, key=lambda size: timed[size])
    return best, _median_seconds(_theirs(peer, texts, best), device)


def _median_seconds(work: Callable[[], object], device: torch.device) -> float:
    """Wall s of one call; the first warms up and is not counted."""
    taken = []
    for _ in range(REPEATS + 1):
        started = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - started)
    return sorted(taken[1:])[REPEATS // 2]


def instability(scorer: EmbeddingHead, texts: list[str]) -> float:
    """The furthest that a probability moves between one large batch and batches of seven, the other way round."""
    ids = [str(i) for i in range(len(texts))]
    whole = scorer.score(ids, texts).probabilities
    furthest = 0.0
    for start in range(0, len(ids), 7):
        stop = min(start + 7, len(ids))
        part = scorer.score(ids[start:stop][::-1], texts[start:stop][::-1]).probabilities
        furthest = max(furthest, float(np.abs(part[::-1] - whole[start:stop]).max()))
    return furthest


def disagreement(scorer: EmbeddingHead, folder: Path, device: torch.device, texts: list[str]) -> float:
    """The furthest that a probability lies from the one that float32 gives one text at a time."""
    exact = SentenceTransformer(str(folder), device=str(device), model_kwargs={"dtype": torch.float32})
    vectors = exact.encode(texts, batch_size=1, show_progress_bar=False, normalize_embeddings=True)
    expected = scorer.head.probabilities(np.asarray(vectors, np.float32))
    found = scorer.score([str(i) for i in range(len(texts))], texts)
    if found.failures:
        raise RuntimeError(f"{len(found.failures)} texts failed, the first: {found.failures[0].reason}")
    return float(np.abs(found.probabilities - expected).max())


def matrix_rate(device: torch.device, side: int) -> float:
    """FLOP/s of a (side, side) product in the precision the model runs in, the best of several."""
    left, right = (torch.randn(side, side, device=device, dtype=inference_dtype(device)) for _ in range(2))
    best = 0.0
    for _ in range(10):
        started = time.perf_counter()
        for _ in range(5):
            torch.mm(left, right)
        if device.type == "cuda":
            torch.cuda.synchronize()
        best = max(best, 5 * 2 * side**3 / (time.perf_counter() - started))
    return best


def forward_flops(model: PreTrainedModel, lengths: Sequence[int]) -> float:
    """FLOPs of the matrix products of a forward pass over sequences of these lengths (nothing for padding)."""
    config = model.config
    d, inner, layers = config.hidden_size, config.intermediate_size, config.num_hidden_layers
    tokens, squares = float(sum(lengths)), float(sum(length**2 for length in lengths))
    return float(layers * (tokens * (8 * d * d + 4 * d * inner) + 4 * d * squares))


def busy_share(work: Callable[[], object]) -> float:
    """The share of a run's wall time in which at least one kernel ran on the device."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        started = time.perf_counter()
        work()
        torch.cuda.synchronize()
        wall_us = (time.perf_counter() - started) * 1e6
    spans = sorted(
        (event.time_range.start, event.time_range.end) for event in profile.events() if event.device_type.name == "CUDA"
    )
    return covered(spans) / wall_us


def covered(spans: Sequence[tuple[float, float]]) -> float:
    """The length of the union of intervals that come sorted by their start."""
    total, reached = 0.0, float("-inf")
    for start, end in spans:
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total


def _scorer(folder: Path, device: torch.device, packed: bool | None = None) -> tuple[EmbeddingHead, SentenceEncoder]:
    encoder = SentenceEncoder(folder, device=str(device), long_text="cut", packed=packed)  # the peer cuts, too
    rng = np.random.default_rng(1)
    head = Head(
        policies=tuple(f"policy_{i}" for i in range(POLICIES)),
        weights=rng.standard_normal((POLICIES, encoder.dimension)).astype(np.float32),
        bias=np.zeros(POLICIES, np.float32),
        platt=np.tile(np.array([[1, 0]], np.float32), (POLICIES, 1)),
        sources=("trained",) * POLICIES,
        encoder_version=encoder.version,
    )
    return EmbeddingHead(encoder, head), encoder


def _name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"


def _line(result: Result) -> str:
    busy = "" if result.busy is None else f", device busy {result.busy:.0%}"
    packed = f"packed ({result.texts_s / result.padded_texts_s:.2f}x padded)" if result.packed else "padded"
    return (
        f"{result.model}: {result.texts_s:,.0f} texts/s, {result.tokens_s:,.0f} tokens/s, {result.speed:.2f}x "
        f"sentence-transformers ({result.peer_texts_s:,.0f} texts/s at batch {result.peer_batch}), "
        f"{packed}, {result.matrix_share:.0%} of the matrix rate{busy}, {result.hidden:.0%} of tokenizing hidden, "
        f"moves {result.moved:.1e} with its "
        f"batch, {result.furthest:.1e} from fp32"
    )


if __name__ == "__main__":
    sys.exit(main())
