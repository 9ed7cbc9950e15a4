"""Lays embeddings out in a plane, as a process of its own: ``python -m labeling.insights.map_layout IN OUT SEED``.

PaCMAP (Wang et al. 2021) keeps both neighbourhoods and how clusters lie to each other. It is compiled when it is
loaded, which takes half a minute the first time, and computes under Python's lock: in the service's own process it
would hold up every request. ``IN`` holds ``vectors`` (n, d), ``OUT`` gets ``places`` (n, 2). Each line on standard
output is a number of iterations done. The process ends when its standard input does: with whoever started it.
"""

from __future__ import annotations

import os
import sys
import threading
from contextlib import redirect_stdout
from pathlib import Path
from typing import TextIO

import numpy as np
import numpy.typing as npt
import pacmap

F32 = npt.NDArray[np.float32]

NEIGHBOURS = 10
ITERATIONS = (100, 100, 250)  # PaCMAP's own three phases
LEAST = 3 * NEIGHBOURS  # fewer points have too few pairs


class _Steps:
    """What PaCMAP prints, as numbers of iterations alone."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def write(self, text: str) -> int:
        if text.startswith("Iteration:"):
            self._out.write(text.split(",")[0].removeprefix("Iteration:").strip() + "\n")
            self._out.flush()
        return len(text)

    def flush(self) -> None:
        self._out.flush()


def layout(vectors: F32, seed: int) -> F32:
    """(n, 2) places of n vectors, at least ``LEAST`` of them. The same vectors and seed: the same places, on one thread
    of one kind of processor."""
    made = pacmap.PaCMAP(
        n_neighbors=NEIGHBOURS, num_iters=ITERATIONS, random_state=seed, verbose=True, apply_pca=vectors.shape[1] > 100
    )
    return np.asarray(made.fit_transform(vectors), np.float32)


def main(source: str, target: str, seed: str) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with np.load(source, allow_pickle=False) as given:
        vectors = given["vectors"].astype(np.float32)
    with redirect_stdout(_Steps(sys.stdout)):
        places = layout(vectors, int(seed))
    with Path(target).open("wb") as file:
        np.savez(file, places=places)


def _end_with_parent() -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
