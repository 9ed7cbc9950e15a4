"""Scores and embeddings in the lake: how they are written, and read back as a sheet.

Column groups: ``embeddings-<embedding version>`` (column ``embedding``; no row for an item that the scorer made none
for), ``notes-<embedding version>`` (column ``note``: the item was scored from more than its embedding, so it is never
scored from that alone), ``scores-<scorer version>`` (one column per policy), ``disagreement-<scorer version>`` (the
same columns, where the scorer is a committee) and ``failures-<scorer version>`` (column ``reason``) for items that
this scorer could not score.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from labeling.errors import UnknownItem
from labeling.spool import SPOOL_ABOVE, spooled
from labeling.store.interfaces import ITEMS, Gap, Lake
from scoring.base import Scorer, Scores

SCORES = "scores-"
DISAGREEMENT = "disagreement-"
FAILURES = "failures-"
NOTES = "notes-"
TEXTS = {"modality": "text"}

F32 = npt.NDArray[np.float32]
F16 = npt.NDArray[np.float16]
Add = Callable[[str, Sequence[str], Mapping[str, pa.Array]], object]  # of a lake, or of a gap


class Named(Protocol):
    """What a scorer's column groups are called by."""

    @property
    def version(self) -> str: ...

    @property
    def embedding_version(self) -> str: ...


class Judge(Named, Protocol):
    """Whose scores are read back."""

    @property
    def name(self) -> str: ...

    @property
    def policies(self) -> tuple[str, ...]: ...


class LakeScorer(Scorer, Protocol):
    """A scorer whose embeddings can be kept: ``embedding_version`` names what made them."""

    @property
    def embedding_version(self) -> str: ...


@runtime_checkable
class EmbeddingScorer(Protocol):
    """A scorer that can work from embeddings kept earlier, so that a new head costs no encoding."""

    def score_embeddings(self, ids: Sequence[str], embeddings: F16) -> Scores: ...


@runtime_checkable
class FullScorer(Protocol):
    """A scorer that leaves some items without an embedding, and can make it when it matters."""

    def score_fully(self, ids: Sequence[str], texts: Sequence[str]) -> Scores:
        """As ``Scorer.score``, with an embedding for every item that has a score."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """Scores and embeddings of n items, row i belonging to ``ids[i]``; shapes and dtypes as in ``Scores``. An item
    with a score and without an embedding has a zero row (of one column where no item has an embedding).

    ``disagreement`` is None where the lake lacks it for an item, as it does when the scorer is no committee.

    Of the items asked for, ``failed`` could not be scored by this scorer and ``waiting`` were not tried yet."""

    ids: tuple[str, ...]
    policies: tuple[str, ...]
    probabilities: F32
    embeddings: F16
    failed: int = 0
    waiting: int = 0
    disagreement: F32 | None = None


def embedding_group(scorer: Named) -> str:
    return f"embeddings-{scorer.embedding_version}"


def score_group(scorer: Named) -> str:
    return f"{SCORES}{scorer.version}"


def disagreement_group(scorer: Named) -> str:
    return f"{DISAGREEMENT}{scorer.version}"


def failure_group(scorer: Named) -> str:
    return f"{FAILURES}{scorer.version}"


def note_group(scorer: Named) -> str:
    return f"{NOTES}{scorer.embedding_version}"


def text_ids(lake: Lake) -> list[str]:
    """The items that are texts, sorted."""
    return _ids_in(lake.gap(ITEMS, where=TEXTS))


def unscored(lake: Lake, scorer: LakeScorer) -> list[str]:
    """Texts without a score and without a recorded failure under this scorer, sorted."""
    return _ids_in(lake.gap(ITEMS, without=(score_group(scorer), failure_group(scorer)), where=TEXTS))


def _ids_in(gap: Gap) -> list[str]:
    return sorted(gap.take([], len(gap), sys.maxsize).column("item_id").to_pylist())


def keep(add: Add, scorer: Named, scores: Scores, *, embeddings: bool) -> None:
    """Write what a scorer said: notes first, since a kept embedding without its note would be taken for the whole text,
    then ``embeddings`` when asked to, disagreement, scores (which say that the item is done) and failures, but for
    those that are ``passing``: these items are tried again by the next run. Each is one commit; rows already there are
    skipped."""
    keep_notes(add, scorer, scores)
    if embeddings:
        keep_embeddings(add, scorer, scores)
    if scores.ids and scores.disagreement is not None:
        add(disagreement_group(scorer), scores.ids, _by_policy(scores.policies, scores.disagreement))
    if scores.ids:
        add(score_group(scorer), scores.ids, _by_policy(scores.policies, scores.probabilities))
    lasting = [failure for failure in scores.failures if not failure.passing]
    if lasting:
        reasons = pa.array([failure.reason for failure in lasting], pa.string())
        add(failure_group(scorer), [failure.item_id for failure in lasting], {"reason": reasons})


def _by_policy(policies: Sequence[str], values: F32) -> dict[str, pa.Array]:
    return {policy: pa.array(values[:, j]) for j, policy in enumerate(policies)}


def whole(scores: Scores, asked: Sequence[str]) -> Scores:
    """An item without an outcome would be asked for again for ever."""
    told = {*scores.ids, *(failure.item_id for failure in scores.failures)}
    if told != set(asked):
        odd = sorted(told.symmetric_difference(asked))
        raise ValueError(
            f"a scorer owes each item asked for a score or a failure; {odd[0]!r} is wrong ({len(odd)} are)"
        )
    return scores


def noted(scores: Scores) -> dict[str, str]:
    """Item -> all that its notes say."""
    notes: dict[str, list[str]] = {}
    for note in scores.notes:
        notes.setdefault(note.item_id, []).append(note.text)
    return {item_id: "; ".join(told) for item_id, told in notes.items()}


def keep_notes(add: Add, scorer: Named, scores: Scores) -> None:
    """Write the notes of ``scores``."""
    if notes := noted(scores):
        add(note_group(scorer), list(notes), {"note": pa.array(list(notes.values()), pa.string())})


def keep_embeddings(add: Add, scorer: Named, scores: Scores) -> None:
    """Write the embeddings of ``scores``, but for the zero rows: there the scorer made none."""
    made = np.flatnonzero(scores.embeddings.any(axis=1))
    if len(made):
        add(embedding_group(scorer), [scores.ids[i] for i in made], {"embedding": vectors(scores.embeddings[made])})


def complete(lake: Lake, scorer: LakeScorer, item_ids: Sequence[str]) -> int:
    """Make and keep the embeddings (and notes) that these items lack, when the scorer can; how many it made. An item
    whose text cannot be read stays without. Raises UnknownItem for items that are not in the lake."""
    if not isinstance(scorer, FullScorer):
        return 0
    there = _having(lake, embedding_group(scorer), item_ids)
    wanted = [item_id for item_id in dict.fromkeys(item_ids) if item_id not in there]
    if not wanted:
        return 0
    scores = scorer.score_fully(wanted, lake.take(wanted, ["text"])["text"].to_pylist())
    keep_notes(lake.add_columns, scorer, scores)
    keep_embeddings(lake.add_columns, scorer, scores)
    return int(scores.embeddings.any(axis=1).sum())


def embeddings(lake: Lake, embedding_version: str, item_ids: Sequence[str]) -> F16:
    """Kept embeddings in the order asked, (n, d) float16. Raises UnknownItem for items without one."""
    table = lake.take(item_ids, ["embedding"], f"embeddings-{embedding_version}")
    return matrix(table["embedding"])


def read_sheet(lake: Lake, scorer: Judge, item_ids: Sequence[str], spool_dir: Path | None = None) -> Sheet:
    """Scores and embeddings of the given items under this scorer; those without a score are only counted.
    ``spool_dir``: where embeddings of more than ``SPOOL_ABOVE`` items go, in place of memory."""
    there = set(lake.ids(score_group(scorer)))
    ids = tuple(item_id for item_id in item_ids if item_id in there)
    failed, waiting = _without_score(lake, scorer, [item_id for item_id in item_ids if item_id not in there])
    if not ids:
        empty = np.zeros((0, len(scorer.policies)), np.float32)
        return Sheet((), scorer.policies, empty, np.zeros((0, 0), np.float16), failed, waiting)
    probabilities = _values(lake, scorer, ids, score_group(scorer))
    told = disagreement_group(scorer)
    disagreement = _values(lake, scorer, ids, told) if len(_having(lake, told, ids)) == len(ids) else None
    rows = rows_of(lake, scorer, ids, spool_dir)
    return Sheet(ids, scorer.policies, probabilities, rows, failed, waiting, disagreement)


def rows_of(lake: Lake, scorer: Named, ids: Sequence[str], spool_dir: Path | None = None) -> F16:
    """An embedding each, as ``Sheet`` has them; ``spool_dir`` as in ``read_sheet``."""
    if spool_dir is not None and len(ids) > SPOOL_ABOVE:
        return spooled(lake.scan(["embedding"], embedding_group(scorer)), ids, spool_dir)
    return _rows(lake, scorer, ids)


def _values(lake: Lake, scorer: Judge, ids: Sequence[str], group: str) -> F32:
    """(n, k) of a group with one column a policy."""
    table = lake.take(ids, list(scorer.policies), group)
    return np.column_stack([table[p].to_numpy() for p in scorer.policies]).astype(np.float32, copy=False)


def _rows(lake: Lake, scorer: Named, ids: Sequence[str]) -> F16:
    """An embedding each, zeros for an item that has none."""
    there = _having(lake, embedding_group(scorer), ids)
    if len(there) == len(ids):
        return embeddings(lake, scorer.embedding_version, ids)
    if not there:
        return np.zeros((len(ids), 1), np.float16)
    held = [row for row, item_id in enumerate(ids) if item_id in there]
    found = embeddings(lake, scorer.embedding_version, [ids[row] for row in held])
    rows = np.zeros((len(ids), found.shape[1]), np.float16)
    rows[held] = found
    return rows


def _having(lake: Lake, group: str, item_ids: Sequence[str]) -> set[str]:
    """Those of ``item_ids`` that have a row in a group."""
    return set(lake.ids(group)).intersection(item_ids)


def _without_score(lake: Lake, scorer: Named, item_ids: Sequence[str]) -> tuple[int, int]:
    """How many of them failed, and how many still wait; an item that left the lake does neither."""
    if not item_ids:
        return 0, 0
    failed = _having(lake, failure_group(scorer), item_ids)
    waiting = _having(lake, ITEMS, item_ids) - failed
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
    found = _rows_of(lake, SCORES, item_id)
    return {version: {name: float(p) for name, p in row.items()} for version, row in found.items()}


def disagreement_of(lake: Lake, item_id: str) -> dict[str, dict[str, float]]:
    """How far the members of each committee that scored it differ: scorer version -> policy -> BALD in nats."""
    found = _rows_of(lake, DISAGREEMENT, item_id)
    return {version: {name: float(value) for name, value in row.items()} for version, row in found.items()}


def notes_of(lake: Lake, item_id: str) -> dict[str, str]:
    """What its scores do not say by themselves: embedding version -> note."""
    return {version: str(row["note"]) for version, row in _rows_of(lake, NOTES, item_id).items()}


def _rows_of(lake: Lake, prefix: str, item_id: str) -> dict[str, dict[str, Any]]:
    """An item's row in each group of that prefix, by the rest of the group's name."""
    found: dict[str, dict[str, Any]] = {}
    for group in lake.groups():
        if group.startswith(prefix):
            with suppress(UnknownItem):  # it has none there
                row = lake.take([item_id], lake.columns(group), group).to_pylist()[0]
                found[group.removeprefix(prefix)] = {name: value for name, value in row.items() if name != "item_id"}
    return found
