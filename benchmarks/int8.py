"""``runtime: onnx-int8`` beside the default encoder as it is run, packed: rate, and how far its answers lie off.

Same texts, one thread, repeats in turn; the ratio is the median of the repeats' own. What moves are the probabilities
of the policies' own texts; "near" looks at the fifth of the texts nearest to each policy's 80th percentile.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import median

import torch

from benchmarks.row import Row, hardware
from benchmarks.runtimes import TEXTS, moved
from benchmarks.scoring import POLICIES, race, sample_texts
from scoring.encoder import SentenceEncoder
from scoring.int8_encoder import Int8Encoder
from scoring.prototypes import prototype_head

NAMES = ("int8_vs_packed", "int8_cosine", "int8_dp", "int8_dp_near")


def rows() -> list[Row]:
    """Rate, smallest cosine, and the furthest that a probability moves."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the int8 encoder takes as many as torch has when it is made
    try:
        with tempfile.TemporaryDirectory() as place:
            return _rows(SentenceEncoder(device="cpu"), Int8Encoder(Path(place)))
    finally:
        torch.set_num_threads(threads)


def _rows(packed: SentenceEncoder, int8: Int8Encoder) -> list[Row]:
    texts, kind = sample_texts()
    texts = texts[:TEXTS]
    ids = [str(i) for i in range(len(texts))]
    runs = race([lambda t: int8.encode(ids[: len(t)], t), lambda t: packed.encode(ids[: len(t)], t)], texts)
    plain, other = (encoder.encode(ids, texts).vectors.astype("float32") for encoder in (packed, int8))
    head = prototype_head(packed, POLICIES)
    far, near = moved(head, plain, other)
    on = f"{hardware()}; 1 thread; {len(texts)} {kind} texts"
    return [
        Row(
            NAMES[0],
            median(len(texts) / run[0] for run in runs),
            "texts per CPU second",
            "the default encoder, packed",
            median(len(texts) / run[1] for run in runs),
            median(run[1] / run[0] for run in runs),
            "",
            on,
        ),
        Row(NAMES[1], float((plain * other).sum(axis=1).min()), "smallest cosine", hardware=on),
        Row(NAMES[2], far, "largest |dp|", hardware=on),
        Row(NAMES[3], near, "largest |dp| near a threshold", hardware=on),
    ]
