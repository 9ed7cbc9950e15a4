"""Where drift gets a model's scores of items from, without reading their content again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from labeling.scorebook import Judge, embeddings, score_group
from labeling.store.interfaces import Lake
from labeling.store.rows import chunks
from scoring.finetuned import Finetuned
from scoring.head import Head

CHUNK = 65_536
F32 = npt.NDArray[np.float32]


class Source(Protocol):
    """Scores of items under ``policies``."""

    @property
    def policies(self) -> tuple[str, ...]: ...

    def held(self, ids: Iterable[str]) -> list[str]:
        """Those of ``ids`` that it has scores of, sorted."""

    def scores(self, ids: Sequence[str]) -> F32:
        """(n, k) float32 of items that it has."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """What a head says of kept embeddings, before any calibration."""

    lake: Lake
    head: Head

    @property
    def policies(self) -> tuple[str, ...]:
        return self.head.policies

    def held(self, ids: Iterable[str]) -> list[str]:
        return sorted(set(self.lake.ids(f"embeddings-{self.head.encoder_version}")).intersection(ids))

    def scores(self, ids: Sequence[str]) -> F32:
        parts = [
            self.head.probabilities(embeddings(self.lake, self.head.encoder_version, part)) for part in parts_of(ids)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, len(self.policies)), np.float32)


@dataclass(frozen=True, slots=True)
class Kept:
    """What a fine-tuned classifier's scorer has said and the lake has kept, under its calibration if it has one; of the
    classifier's own policies alone."""

    lake: Lake
    model: Finetuned
    scorer: Judge

    @property
    def policies(self) -> tuple[str, ...]:
        return tuple(policy for policy in self.model.policies if policy in self.scorer.policies)

    def held(self, ids: Iterable[str]) -> list[str]:
        return sorted(set(self.lake.ids(score_group(self.scorer))).intersection(ids))

    def scores(self, ids: Sequence[str]) -> F32:
        found = np.zeros((len(ids), len(self.policies)), np.float32)
        done = 0
        for part in parts_of(ids):
            table = self.lake.take(part, list(self.policies), score_group(self.scorer))
            for place, policy in enumerate(self.policies):
                found[done : done + len(part), place] = table[policy].to_numpy()
            done += len(part)
        return found


def parts_of(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """As many at once as memory should hold."""
    return chunks(ids, CHUNK)
