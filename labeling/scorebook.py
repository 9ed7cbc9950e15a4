"""Scores and embeddings in the lake: who still needs one, chunk by chunk, so that a scoring run resumes by item.

Column groups: ``embeddings-<embedding version>`` (column ``embedding``), ``scores-<scorer version>`` (one column per
policy) and ``failures-<scorer version>`` (column ``reason``) for items that this scorer could not score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from labeling.store.interfaces import ITEMS, Lake
from scoring.base import Progress, Scorer, Scores

SCORES = "scores-"

F32 = npt.NDArray[np.float32]
F16 = npt.NDArray[np.float16]


class LakeScorer(Scorer, Protocol):
    """A scorer whose embeddings can be kept: ``embedding_version`` names what made them."""

    @property
    def embedding_version(self) -> str: ...


@runtime_checkable
class EmbeddingScorer(Protocol):
    """A scorer that can work from embeddings kept earlier, so that a new head costs no encoding."""

    def score_embeddings(self, ids: Sequence[str], embeddings: F16) -> Scores: ...


@dataclass(frozen=True, slots=True)
class ScoredChunk:
    """What one chunk did: ``scored`` + ``failed`` items now have an outcome, ``left`` items still need one."""

    scored: int
    failed: int
    left: int


@dataclass(frozen=True, slots=True)
class Sheet:
    """Scores and embeddings of n items, row i belonging to ``ids[i]``; shapes and dtypes as in ``Scores``."""

    ids: tuple[str, ...]
    policies: tuple[str, ...]
    probabilities: F32
    embeddings: F16


def embedding_group(scorer: LakeScorer) -> str:
    return f"embeddings-{scorer.embedding_version}"


def score_group(scorer: LakeScorer) -> str:
    return f"{SCORES}{scorer.version}"


def failure_group(scorer: LakeScorer) -> str:
    return f"failures-{scorer.version}"


def unscored(lake: Lake, scorer: LakeScorer) -> list[str]:
    """Items without a score and without a recorded failure under this scorer, sorted."""
    failed = set(lake.ids(failure_group(scorer)))
    return [item_id for item_id in lake.missing(score_group(scorer)) if item_id not in failed]


def score_chunk(lake: Lake, scorer: LakeScorer, chunk_items: int, progress: Progress | None = None) -> ScoredChunk:
    """Score up to ``chunk_items`` items that still need it and keep the result. Safe to run again at any point:
    embeddings are committed first, then scores, then failures, and rows already there are skipped."""
    waiting = unscored(lake, scorer)
    chunk = waiting[:chunk_items]
    if not chunk:
        return ScoredChunk(scored=0, failed=0, left=0)
    scores = _score(lake, scorer, chunk, progress)
    if scores.ids:
        lake.add_columns(embedding_group(scorer), scores.ids, {"embedding": vectors(scores.embeddings)})
        columns = {p: pa.array(scores.probabilities[:, j]) for j, p in enumerate(scores.policies)}
        lake.add_columns(score_group(scorer), scores.ids, columns)
    if scores.failures:
        reasons = pa.array([failure.reason for failure in scores.failures], pa.string())
        lake.add_columns(failure_group(scorer), [failure.item_id for failure in scores.failures], {"reason": reasons})
    done = len(scores.ids) + len(scores.failures)
    return ScoredChunk(len(scores.ids), len(scores.failures), len(waiting) - done)


def _score(lake: Lake, scorer: LakeScorer, chunk: list[str], progress: Progress | None) -> Scores:
    if isinstance(scorer, EmbeddingScorer):
        kept = set(lake.ids(embedding_group(scorer)))
        known = [item_id for item_id in chunk if item_id in kept]
        if known:  # the rest of the chunk is left for the next one, which then has no kept embedding to use
            return scorer.score_embeddings(known, embeddings(lake, scorer.embedding_version, known))
    texts = lake.take(chunk, ["text"], ITEMS)["text"].to_pylist()
    return scorer.score(chunk, texts, progress)


def embeddings(lake: Lake, embedding_version: str, item_ids: Sequence[str]) -> F16:
    """Kept embeddings in the order asked, (n, d) float16. Raises UnknownItem for items without one."""
    table = lake.take(item_ids, ["embedding"], f"embeddings-{embedding_version}")
    return matrix(table["embedding"])


def read_sheet(lake: Lake, scorer: LakeScorer, item_ids: Sequence[str]) -> Sheet:
    """Scores and embeddings of the given items under this scorer, failed and unscored ones left out."""
    there = set(lake.ids(score_group(scorer)))
    ids = [item_id for item_id in item_ids if item_id in there]
    if not ids:
        empty = np.zeros((0, len(scorer.policies)), np.float32)
        return Sheet((), scorer.policies, empty, np.zeros((0, 0), np.float16))
    table = lake.take(ids, list(scorer.policies), score_group(scorer))
    probabilities = np.column_stack([table[p].to_numpy() for p in scorer.policies]).astype(np.float32, copy=False)
    return Sheet(tuple(ids), scorer.policies, probabilities, embeddings(lake, scorer.embedding_version, ids))


def vectors(array: F16) -> pa.FixedSizeListArray:
    """A (n, d) float16 matrix as an Arrow column of fixed-size lists."""
    return pa.FixedSizeListArray.from_arrays(pa.array(np.ascontiguousarray(array).reshape(-1)), array.shape[1])


def matrix(column: pa.ChunkedArray) -> F16:
    """An Arrow column of fixed-size lists as a (n, d) float16 matrix."""
    lists = column.combine_chunks()
    if isinstance(lists, pa.ChunkedArray):
        lists = lists.chunk(0) if lists.num_chunks else pa.FixedSizeListArray.from_arrays(pa.array([], pa.float16()), 1)
    flat = lists.flatten().to_numpy(zero_copy_only=False)
    return np.asarray(flat, np.float16).reshape(len(lists), lists.type.list_size)


def scores_of(lake: Lake, item_id: str) -> dict[str, dict[str, float]]:
    """Every score an item has: scorer version -> policy -> probability."""
    found: dict[str, dict[str, float]] = {}
    for group in lake.groups():
        if not group.startswith(SCORES) or item_id not in set(lake.ids(group)):
            continue
        row = lake.take([item_id], lake.columns(group), group).to_pylist()[0]
        found[group.removeprefix(SCORES)] = {name: float(p) for name, p in row.items() if name != "item_id"}
    return found
