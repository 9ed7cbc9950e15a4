"""Scores and embeddings in the lake: who still needs one, chunk by chunk, so that a scoring run resumes by item.

Column groups: ``embeddings-<embedding version>`` (column ``embedding``), ``scores-<scorer version>`` (one column per
policy) and ``failures-<scorer version>`` (column ``reason``) for items that this scorer could not score.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from labeling.errors import UnknownItem
from labeling.store.interfaces import Lake
from scoring.base import Progress, Scorer, Scores

SCORES = "scores-"
FAILURES = "failures-"
KEPT_FACTOR = 64  # scoring a kept embedding costs next to nothing, but each commit reads the lake's ids

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
    """Scores and embeddings of n items, row i belonging to ``ids[i]``; shapes and dtypes as in ``Scores``.

    Of the items asked for, ``failed`` could not be scored by this scorer and ``waiting`` were not tried yet."""

    ids: tuple[str, ...]
    policies: tuple[str, ...]
    probabilities: F32
    embeddings: F16
    failed: int = 0
    waiting: int = 0


def embedding_group(scorer: LakeScorer) -> str:
    return f"embeddings-{scorer.embedding_version}"


def score_group(scorer: LakeScorer) -> str:
    return f"{SCORES}{scorer.version}"


def failure_group(scorer: LakeScorer) -> str:
    return f"{FAILURES}{scorer.version}"


def unscored(lake: Lake, scorer: LakeScorer) -> list[str]:
    """Items without a score and without a recorded failure under this scorer, sorted."""
    failed = set(lake.ids(failure_group(scorer)))
    return [item_id for item_id in lake.missing(score_group(scorer)) if item_id not in failed]


def score_chunk(
    lake: Lake,
    scorer: LakeScorer,
    chunk_items: int,
    progress: Progress | None = None,
    *,
    most: int | None = None,
) -> ScoredChunk:
    """Score up to ``chunk_items`` items that still need it and keep the result; items with a kept embedding come
    first, ``KEPT_FACTOR`` times as many at once; never more than ``most``. Safe to run again at any point: embeddings
    are committed first, then scores, then failures, and rows already there are skipped. Raises ValueError when the
    scorer leaves an item out."""
    waiting = unscored(lake, scorer)
    if not waiting:
        return ScoredChunk(scored=0, failed=0, left=0)
    most = len(waiting) if most is None else most
    scores = _score_kept(lake, scorer, waiting, min(most, chunk_items * KEPT_FACTOR))
    if scores is None:
        scores = _score_texts(lake, scorer, waiting[: min(most, chunk_items)], progress)
    if scores.ids:
        columns = {p: pa.array(scores.probabilities[:, j]) for j, p in enumerate(scores.policies)}
        lake.add_columns(score_group(scorer), scores.ids, columns)
    if scores.failures:
        reasons = pa.array([failure.reason for failure in scores.failures], pa.string())
        lake.add_columns(failure_group(scorer), [failure.item_id for failure in scores.failures], {"reason": reasons})
    done = len(scores.ids) + len(scores.failures)
    return ScoredChunk(len(scores.ids), len(scores.failures), len(waiting) - done)


def _score_kept(lake: Lake, scorer: LakeScorer, waiting: Sequence[str], most: int) -> Scores | None:
    """Scores of up to ``most`` items from their kept embeddings; None when the scorer cannot, or none has one."""
    if not isinstance(scorer, EmbeddingScorer):
        return None
    kept = set(lake.ids(embedding_group(scorer)))
    known = [item_id for item_id in waiting if item_id in kept][:most]
    if not known:
        return None
    return whole(scorer.score_embeddings(known, embeddings(lake, scorer.embedding_version, known)), known)


def _score_texts(lake: Lake, scorer: LakeScorer, chunk: Sequence[str], progress: Progress | None) -> Scores:
    texts = lake.take(chunk, ["text"])["text"].to_pylist()
    scores = whole(scorer.score(chunk, texts, progress), chunk)
    if scores.ids:
        lake.add_columns(embedding_group(scorer), scores.ids, {"embedding": vectors(scores.embeddings)})
    return scores


def whole(scores: Scores, asked: Sequence[str]) -> Scores:
    """An item without an outcome would be asked for again for ever."""
    told = {*scores.ids, *(failure.item_id for failure in scores.failures)}
    if told != set(asked):
        odd = sorted(told.symmetric_difference(asked))
        raise ValueError(
            f"a scorer owes each item asked for a score or a failure; {odd[0]!r} is wrong ({len(odd)} are)"
        )
    return scores


def embeddings(lake: Lake, embedding_version: str, item_ids: Sequence[str]) -> F16:
    """Kept embeddings in the order asked, (n, d) float16. Raises UnknownItem for items without one."""
    table = lake.take(item_ids, ["embedding"], f"embeddings-{embedding_version}")
    return matrix(table["embedding"])


def read_sheet(lake: Lake, scorer: LakeScorer, item_ids: Sequence[str]) -> Sheet:
    """Scores and embeddings of the given items under this scorer; those without a score are only counted."""
    there = set(lake.ids(score_group(scorer)))
    ids = tuple(item_id for item_id in item_ids if item_id in there)
    failed, waiting = _without_score(lake, scorer, [item_id for item_id in item_ids if item_id not in there])
    if not ids:
        empty = np.zeros((0, len(scorer.policies)), np.float32)
        return Sheet((), scorer.policies, empty, np.zeros((0, 0), np.float16), failed, waiting)
    table = lake.take(ids, list(scorer.policies), score_group(scorer))
    probabilities = np.column_stack([table[p].to_numpy() for p in scorer.policies]).astype(np.float32, copy=False)
    found = embeddings(lake, scorer.embedding_version, ids)
    return Sheet(ids, scorer.policies, probabilities, found, failed, waiting)


def _without_score(lake: Lake, scorer: LakeScorer, item_ids: Sequence[str]) -> tuple[int, int]:
    """How many of them failed, and how many still wait; an item that left the lake does neither."""
    if not item_ids:
        return 0, 0
    failed = set(lake.ids(failure_group(scorer))).intersection(item_ids)
    waiting = set(lake.ids()).intersection(item_ids) - failed
    return len(failed), len(waiting)


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
        if group.startswith(SCORES):
            with suppress(UnknownItem):  # this scorer has not scored it
                row = lake.take([item_id], lake.columns(group), group).to_pylist()[0]
                found[group.removeprefix(SCORES)] = {name: float(p) for name, p in row.items() if name != "item_id"}
    return found
