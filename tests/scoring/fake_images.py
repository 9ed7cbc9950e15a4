"""An image scorer without a model, for tests of what is built on one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from scoring.frame_scorer import F32, FrameScorer
from scoring.images import DEFAULT, Limits, Pixels

Hook = Callable[[Sequence[F32]], None]


class Means(FrameScorer[F32]):
    """Scores a frame by its mean red and mean green; ``hook`` sees every batch first."""

    name = "means"
    policies = ("red", "green")
    dimension = 3

    def __init__(self, limits: Limits = DEFAULT, batch: int = 4, hook: Hook | None = None) -> None:
        super().__init__(limits, batch)
        self.version = self.embedding_version = str(limits.frames)
        self.hook = hook

    def _prepare(self, frame: Pixels) -> F32:
        return np.asarray(frame.reshape(-1, 3).mean(axis=0), np.float32)

    def _forward(self, inputs: Sequence[F32]) -> tuple[F32, F32]:
        if self.hook is not None:
            self.hook(inputs)
        states = np.stack(inputs)
        return np.asarray(states[:, :2] / 255, np.float32), states
