"""Where the default encoder's time goes in packed batches, by torch.profiler on a CPU.

Shares of the time that torch's operators take by themselves, one thread; tokenizing and Python are not in it. A share
is the median of ``REPEATS`` profiles over the same texts.
"""

from __future__ import annotations

from collections import Counter
from statistics import median

import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.row import Row, hardware
from benchmarks.scoring import sample_texts
from scoring.encoder import SentenceEncoder

KINDS: dict[str, tuple[str, ...]] = {
    "products": ("addmm", "mm", "bmm", "baddbmm", "mkldnn_linear", "_mkl_linear", "linear", "matmul"),
    "attention": ("scaled_dot_product", "attention"),
    "gelu": ("gelu",),
    "norm": ("layer_norm",),
    "copies": ("copy_", "cat", "stack", "index", "gather", "clone", "contiguous", "embedding", "_to_copy", "pad"),
}
REST = "rest"
NAMES = tuple(f"profile_{kind}" for kind in (*KINDS, REST))
REPEATS = 3
TEXTS = 480


def rows() -> list[Row]:
    """One row a kind of work, adding up to 100 %."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        encoder = SentenceEncoder(device="cpu")
        texts, kind = sample_texts()
        runs = [shares(encoder, texts[:TEXTS]) for _ in range(REPEATS + 1)][1:]  # the first one allocates
    finally:
        torch.set_num_threads(threads)
    how = "packed" if encoder.packed else "padded"
    on = f"{hardware()}; 1 thread; {TEXTS} {kind} texts, {how}"
    return [
        Row(name, 100 * median(run[part] for run in runs), "% of the operators' time", hardware=on)
        for name, part in zip(NAMES, (*KINDS, REST), strict=True)
    ]


def shares(encoder: SentenceEncoder, texts: list[str]) -> dict[str, float]:
    """Kind -> its share of the operators' own time; they add up to 1."""
    with profile(activities=[ProfilerActivity.CPU]) as found:
        encoder.encode([str(i) for i in range(len(texts))], texts)
    spent: Counter[str] = Counter()
    for event in found.key_averages():
        if event.key.startswith("aten::"):
            spent[kind_of(event.key.removeprefix("aten::"))] += event.self_cpu_time_total
    return {kind: spent[kind] / spent.total() for kind in (*KINDS, REST)}


def kind_of(operator: str) -> str:
    """The kind of work of an operator, by its name. Attention is looked for first: its names hold others' words."""
    if any(word in operator for word in KINDS["attention"]):
        return "attention"
    for kind, words in KINDS.items():
        if any(operator == word or (len(word) > 5 and word in operator) for word in words):
            return kind
    return next((kind for kind in ("gelu", "copies") if any(operator.startswith(word) for word in KINDS[kind])), REST)
