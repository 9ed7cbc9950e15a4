"""A judge that needs no model: what it says of a text is told by the text alone, and faults come when they are due."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from scoring.base import Failure, Note, Scores

POLICY = "harm"
BAD = "bad"
LONG = "long"
POISON = "poison"


def probability(text: str) -> float:
    """What the judge says of a text."""
    return len(text) % 100 / 100


class Judge:
    """``faults`` are called one a batch, before it is scored; then there are no more. ``gate`` holds every batch. A
    batch with a text that begins with POISON is a ValueError."""

    def __init__(self, version: str = "1", faults: Iterable[Callable[[], object]] = ()) -> None:
        self.version = version
        self.batches: list[tuple[str, ...]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self._faults = iter(faults)

    def score(self, ids: Sequence[str], texts: Sequence[str]) -> Scores:
        self.batches.append(tuple(texts))
        self.entered.set()
        self.gate.wait(20)
        next(self._faults, lambda: None)()
        if any(text.startswith(POISON) for text in texts):
            raise ValueError("the content of an item")
        good = [i for i, text in enumerate(texts) if not text.startswith(BAD)]
        return Scores(
            ids=tuple(ids[i] for i in good),
            policies=(POLICY,),
            probabilities=np.array([[probability(texts[i])] for i in good], np.float32).reshape(-1, 1),
            embeddings=np.zeros((len(good), 1), np.float16),
            failures=tuple(Failure(ids[i], "cannot be read") for i in range(len(ids)) if i not in good),
            notes=tuple(Note(ids[i], "was cut") for i in good if texts[i].startswith(LONG)),
        )


def raising(error: BaseException) -> Callable[[], object]:
    """A fault."""

    def fault() -> None:
        raise error

    return fault
