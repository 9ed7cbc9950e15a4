"""The default scorer beside what people use today: texts per CPU second, same weights, same texts, same run.

Each repeat runs ours and a peer once, in turn, on one thread; a ratio is the median of the repeats' own ratios, so
that a busy machine slows both sides alike. Ours also scores eight policies; the peers stop at token states (the
transformers pipeline) or embeddings (sentence-transformers), which favours them.

Texts: real ones where the folder in GOLDFOLD_DATA_DIR has them, else made ones of like lengths; ``hardware`` says
which.
"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from statistics import median

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from transformers import AutoModel, AutoTokenizer, pipeline
from transformers.utils import logging

from benchmarks.gpu import forward_flops
from benchmarks.row import Row, hardware
from scoring.embedding_head import EmbeddingHead
from scoring.encoder import SentenceEncoder, default_encoder_folder
from scoring.prototypes import prototype_head

NAMES = (
    "scorer_vs_transformers_pipeline",
    "scorer_vs_sentence_transformers",
    "scorer_matrix_share",
    "scorer_matrix_share_avx2",
)
PEERS = ("transformers.pipeline(batch_size=32)", "sentence-transformers encode()")
TARGETS = (">= 1.6x the peer", ">= 1.2x the peer", ">= 0.85x the peer", ">= 0.85x the peer")
AVX2 = {"ATEN_CPU_CAPABILITY": "avx2", "MKL_ENABLE_INSTRUCTIONS": "AVX2", "ONEDNN_MAX_CPU_ISA": "AVX2"}
REPEATS = 3
PRODUCTS = 60  # some seconds of matrix products
TEXTS = 960  # fewer would favour us: sorting by length pays for everyone only among many
PIPELINE_PART = 4  # the pipeline does not sort, and is slow: it gets one text in four
REAL = {"tweets.jsonl.gz": 0.5, "hatecheck.jsonl.gz": 0.5}  # share of each set
POLICIES = {f"policy_{i}": f"Policy {i}: content about harm number {i}" for i in range(8)}

Contestant = Callable[[list[str]], object]


def rows() -> list[Row]:
    """One row a peer."""
    texts, kind = sample_texts()
    encoder = SentenceEncoder(device="cpu", long_text="cut")  # as the peers do
    scorer, pipe, sentences = _contestants(encoder)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return [
            _row(0, scorer, pipe, texts[: TEXTS // PIPELINE_PART], kind),
            _row(1, scorer, sentences, texts, kind),
            _matrix_row(2, encoder, scorer, texts, kind),
            _held_to_avx2(),
        ]
    finally:
        torch.set_num_threads(threads)


def _row(place: int, ours: Contestant, peer: Contestant, texts: list[str], kind: str) -> Row:
    runs = race([ours, peer], texts)
    return Row(
        NAMES[place],
        median(len(texts) / run[0] for run in runs),
        "texts per CPU second",
        PEERS[place],
        median(len(texts) / run[1] for run in runs),
        median(run[1] / run[0] for run in runs),
        TARGETS[place],
        f"{hardware()}; 1 thread; {len(texts)} {kind} texts of mixed length, shuffled",
    )


def _held_to_avx2() -> Row:
    """The matrix share in a process of its own that keeps to AVX2, as a CPU of that kind would: products are twice as
    fast with AVX-512, and what is no product is not."""
    sizes = (TEXTS, REPEATS, PRODUCTS)
    work = f"from benchmarks import scoring as s; s.TEXTS, s.REPEATS, s.PRODUCTS = {sizes}; s.tell_avx2_row()"
    command, environment = [sys.executable, "-c", work], {**os.environ, **AVX2, "OMP_NUM_THREADS": "1"}
    root = Path(__file__).resolve().parents[1]
    told = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True, cwd=root).stdout
    return Row(**json.loads(told.splitlines()[-1]))


def tell_avx2_row() -> None:
    """What that process prints last."""
    torch.set_num_threads(1)
    texts, kind = sample_texts()
    encoder = SentenceEncoder(device="cpu", long_text="cut")
    sys.stdout.write(json.dumps(asdict(_matrix_row(3, encoder, _contestants(encoder)[0], texts, kind))) + "\n")


def _matrix_row(place: int, encoder: SentenceEncoder, scorer: Contestant, texts: list[str], kind: str) -> Row:
    """FLOP/s of scoring beside those of the model's own matrix products alone, in float32, repeats in turn."""
    flops = forward_flops(encoder.module, [len(row["input_ids"]) for row in encoder.tokenize(texts)])
    products, product_flops = _products(encoder)
    runs = race([scorer, lambda _texts: products()], texts)
    return Row(
        NAMES[place],
        median(flops / run[0] for run in runs) / 1e9,
        "GFLOP per CPU second",
        "torch.mm at the model's shapes, float32",
        median(product_flops / run[1] for run in runs) / 1e9,
        median(flops / run[0] * run[1] / product_flops for run in runs),
        TARGETS[place],
        f"{hardware()}{', held to AVX2' if place == 3 else ''}; 1 thread; {len(texts)} {kind} texts, shuffled",
    )


def _products(encoder: SentenceEncoder) -> tuple[Callable[[], None], float]:
    """The products of one layer over a full batch of tokens, many times; and their FLOPs."""
    config, tokens = encoder.module.config, encoder.batch_tokens
    d, inner = config.hidden_size, config.intermediate_size
    pairs = [(torch.randn(tokens, a), torch.randn(a, b)) for a, b in [(d, d)] * 4 + [(d, inner), (inner, d)]]

    def work() -> None:
        for _ in range(PRODUCTS):
            for left, right in pairs:
                torch.mm(left, right)

    return work, PRODUCTS * sum(2.0 * tokens * right.numel() for _left, right in pairs)


def race(contestants: list[Contestant], texts: list[str]) -> list[list[float]]:
    """CPU seconds of each contestant in each of ``REPEATS`` repeats; who starts moves on by one each time."""
    for contestant in contestants:
        contestant(texts[:32])  # first calls allocate and compile; that is not what is measured
    n = len(contestants)
    runs = []
    for repeat in range(REPEATS):
        seconds = [0.0] * n
        for turn in range(n):
            who = (repeat + turn) % n
            start = time.process_time()
            contestants[who](texts)
            seconds[who] = time.process_time() - start
        runs.append(seconds)
    return runs


def _contestants(encoder: SentenceEncoder) -> tuple[Contestant, Contestant, Contestant]:
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    scorer = EmbeddingHead(encoder, prototype_head(encoder, POLICIES))
    folder = str(default_encoder_folder())
    sentences = SentenceTransformer(folder, device="cpu")
    limit = {"truncation": True, "max_length": encoder.max_tokens}
    features = pipeline(
        "feature-extraction",
        model=AutoModel.from_pretrained(folder),
        tokenizer=AutoTokenizer.from_pretrained(folder),
        tokenize_kwargs=limit,
        return_tensors=True,  # lists of lists would cost it more
        batch_size=32,
        device="cpu",
    )
    return (
        lambda texts: scorer.score([str(i) for i in range(len(texts))], texts),
        lambda texts: features(texts),
        lambda texts: sentences.encode(texts, show_progress_bar=False),
    )


def sample_texts() -> tuple[list[str], str]:
    """``TEXTS`` texts in a fixed shuffle, and whether they are "real" or "made"."""
    rng = np.random.default_rng(0)
    named = os.environ.get("GOLDFOLD_DATA_DIR")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "data"
    if all((folder / name).is_file() for name in REAL):
        texts = [text for name, share in REAL.items() for text in _some(folder / name, round(share * TEXTS), rng)]
        kind = "real"
    else:
        texts, kind = _made(rng), "made"
    return [texts[i] for i in rng.permutation(len(texts))], kind


def _some(path: Path, n: int, rng: np.random.Generator) -> list[str]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        texts = [str(json.loads(line)["text"]) for line in lines]
    return [texts[i] for i in rng.choice(len(texts), n, replace=False)]


def _made(rng: np.random.Generator) -> list[str]:
    """Words without meaning; lengths log-normal as in the real mix (median 7 words)."""
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    words = ["".join(rng.choice(letters, rng.integers(2, 9))) for _ in range(2000)]
    lengths = np.clip(rng.lognormal(np.log(7), 1.1, TEXTS), 1, 400).astype(int)
    return [" ".join(rng.choice(words, length)) for length in lengths]
