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

# An operator's kind is the first whose words are in its name.
KINDS: dict[str, tuple[str, ...]] = {
    "attention": ("attention",),
    "norm": ("layer_norm",),
    "gelu": ("gelu",),
    "products": ("addmm", "bmm", "matmul", "linear"),
    "copies": ("copy_", "clone", "cat", "index", "gather", "embedding"),
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
    """The kind of work of an operator, by its name."""
    return next((kind for kind, words in KINDS.items() if any(word in operator for word in words)), REST)
