"""A scoring run: reader, scorer and writer side by side over what the lake lacks, one chunk ahead and one behind.

The run plans once, by ids, and then walks by position, so that neither memory nor the cost of a chunk grows with the
lake. It may be stopped or killed at any point and started again: what is kept stays, and nothing is kept twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import pyarrow as pa

from labeling.errors import PlanOutdated
from labeling.media_scorer import MediaScorer, SeenImages
from labeling.pictures import keep_pictures
from labeling.scorebook import (
    TEXTS,
    EmbeddingScorer,
    LakeScorer,
    embedding_group,
    failure_group,
    keep,
    matrix,
    note_group,
    score_group,
    whole,
)
from labeling.store.interfaces import ITEMS, Gap, Lake
from scoring.base import Progress, Scores

KEPT_FACTOR = 16  # scoring a kept embedding costs next to nothing, so that each commit should hold many
CHUNK_BYTES = 64 * 2**20  # of content in one chunk; three chunks are in memory at once
MAX_OUTDATED = 3  # plans that end in a row without a chunk being kept

KEPT = ("embedding",)
Until = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class ScoredChunk:
    """What a run did: ``scored`` + ``failed`` items now have an outcome, ``left`` items still need one. Of those that
    failed, ``passing`` ones did for want of a server, a file or a setting: the next run tries them again. ``trouble``
    is why the last of these did."""

    scored: int
    failed: int
    left: int
    passing: int = 0
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class _Source:
    """A gap of the lake, the columns that its items are scored from, and how many make a chunk."""

    gap: Gap
    columns: tuple[str, ...]
    rows: int


@dataclass(frozen=True, slots=True)
class _Chunk:
    source: _Source
    table: pa.Table

    @property
    def ids(self) -> list[str]:
        ids: list[str] = self.table.column("item_id").to_pylist()
        return ids


@dataclass(slots=True)
class _Tally:
    """``most`` items may get an outcome that is kept; ``issued`` were tried, of which ``scored`` and ``failed`` are
    done, ``passing`` ones of these for this run only."""

    most: int | None
    issued: int = 0
    scored: int = 0
    failed: int = 0
    passing: int = 0
    trouble: str = ""

    @property
    def kept(self) -> int:
        return self.scored + self.failed - self.passing

    def room(self, rows: int) -> int:
        return rows if self.most is None else min(rows, self.most - self.issued)


@dataclass(slots=True)
class ScoreRun:
    """The items of ``lake`` that ``scorer`` has neither scored nor failed at, ``chunk_items`` at a time: texts, or what
    a ``MediaScorer`` takes. Texts with a kept embedding come first, ``KEPT_FACTOR`` times as many at once, unless a
    note says that they were scored from more than that. For one thread at a time; its plan is kept from one ``go`` to
    the next."""

    lake: Lake
    scorer: LakeScorer | MediaScorer
    chunk_items: int
    chunks: int = 0  # kept so far
    _sources: Sequence[_Source] = ()
    _version: int | None = None  # of the lake when this was planned; None: not planned
    _ahead: _Chunk | None = field(default=None, repr=False)  # read, and not scored yet

    def go(
        self, *, most: int | None = None, until: Until | None = None, progress: Progress | None = None
    ) -> ScoredChunk:
        """Score until nothing is left, ``most`` items have an outcome, or ``until``, asked after each chunk, says so.
        Items that arrive meanwhile are scored too. ``progress`` hears (items done by this call, items it may do).

        Per chunk hashes of images and notes are committed first, then embeddings, scores and failures; rows already
        there are skipped. What raises first ends the run, after what was being written is written. Raises ValueError
        when the scorer leaves an item out."""
        tally, outdated, stop = _Tally(most), 0, False
        self.look()
        while self.left and not stop and tally.room(1) > 0:
            before = tally.kept
            try:
                stop = self._walk(tally, until or _never, progress)
                tally.issued = tally.kept  # what is tried again another time takes no room from those behind it
            except PlanOutdated:
                outdated = outdated + 1 if tally.kept == before else 1
                if outdated > MAX_OUTDATED:
                    raise
            self.look()
        return ScoredChunk(tally.scored, tally.failed, self.left, tally.passing, tally.trouble)

    @property
    def left(self) -> int:
        """Items of the plan without an outcome."""
        return sum(len(source.gap) for source in self._sources) + (len(self._ahead.ids) if self._ahead else 0)

    def look(self) -> int:
        """Plan when there is no plan, when it ended, and when it is done and something arrived since; what is left."""
        if any(source.gap.is_outdated() for source in self._sources):
            self._version = None
        now = self.lake.snapshot()
        if self._version is None or (now != self._version and not self.left):
            self._ahead, self._version = None, now
            self._sources = _plan(self.lake, self.scorer, self.chunk_items)
        return self.left

    def _walk(self, tally: _Tally, until: Until, progress: Progress | None) -> bool:
        """Walk through the plan; was the walk stopped before its end?"""
        tally.issued, whole = tally.kept, False
        writing: Future[None] | None = None
        planned = tally.kept + tally.room(self.left)
        try:
            with ThreadPoolExecutor(1, "read") as reader, ThreadPoolExecutor(1, "write") as writer:
                ahead = reader.submit(self._read, tally)
                while (chunk := ahead.result()) is not None:
                    done = tally.issued - len(chunk.ids)
                    ahead = reader.submit(self._read, tally)
                    scores = self._score(chunk, _shifted(progress, done, planned))
                    if writing is not None:
                        writing.result()
                    writing = writer.submit(self._keep, chunk, scores, tally)
                    if until():
                        break
                self._ahead = ahead.result() or self._ahead
                if writing is not None:
                    writing.result()
            whole = True
        finally:
            if not whole:  # chunks were taken from the plan and not kept
                self._version = self._ahead = None
                tally.issued = tally.kept
        return chunk is not None

    def _read(self, tally: _Tally) -> _Chunk | None:
        """The next chunk, counted as issued; None when there is none, or no room for it."""
        chunk = self._held(tally) or self._taken(tally)
        tally.issued += len(chunk.ids) if chunk else 0
        return chunk

    def _held(self, tally: _Tally) -> _Chunk | None:
        """What the call before read and did not score, as far as there is room."""
        chunk, room = self._ahead, tally.room(self.chunk_items * KEPT_FACTOR)
        if chunk is None or room <= 0:
            return None
        rest = chunk.table.slice(room)
        self._ahead = _Chunk(chunk.source, rest) if rest.num_rows else None
        return _Chunk(chunk.source, chunk.table.slice(0, room))

    def _taken(self, tally: _Tally) -> _Chunk | None:
        for source in self._sources:
            table = source.gap.take(source.columns, tally.room(source.rows), CHUNK_BYTES)
            if table.num_rows:
                return _Chunk(source, table)
        return None

    def _score(self, chunk: _Chunk, progress: Progress | None) -> Scores:
        columns = [chunk.table.column(name) for name in chunk.source.columns]
        if isinstance(self.scorer, MediaScorer):
            media, texts = (column.to_pylist() for column in columns)
            scores = self.scorer.score_media(chunk.ids, media, texts, progress)
        elif isinstance(self.scorer, EmbeddingScorer) and chunk.source.columns == KEPT:
            scores = self.scorer.score_embeddings(chunk.ids, matrix(columns[0]))
        else:
            scores = self.scorer.score(chunk.ids, columns[0].to_pylist(), progress)
        return whole(scores, chunk.ids)

    def _keep(self, chunk: _Chunk, scores: Scores, tally: _Tally) -> None:
        if isinstance(scores, SeenImages):  # before the scores: who has one has its hash
            keep_pictures(chunk.source.gap.add, scores.hashes)
        keep(chunk.source.gap.add, self.scorer, scores, embeddings=chunk.source.columns != KEPT)
        tally.scored, tally.failed = tally.scored + len(scores.ids), tally.failed + len(scores.failures)
        passing = [failure.reason for failure in scores.failures if failure.passing]
        tally.passing, tally.trouble = tally.passing + len(passing), passing[-1] if passing else tally.trouble
        self.chunks += 1


def score_chunk(
    lake: Lake, scorer: LakeScorer, chunk_items: int, progress: Progress | None = None, *, most: int | None = None
) -> ScoredChunk:
    """One chunk of a ``ScoreRun``: to score all, let one run go, which plans once."""
    return ScoreRun(lake, scorer, chunk_items).go(most=most, until=lambda: True, progress=progress)


def _plan(lake: Lake, scorer: LakeScorer | MediaScorer, chunk_items: int) -> list[_Source]:
    scores, failures = score_group(scorer), failure_group(scorer)
    if isinstance(scorer, MediaScorer):
        gap = lake.gap(ITEMS, without=(scores, failures), where={"modality": scorer.modality})
        return [_Source(gap, ("media", "text"), chunk_items)]
    if not isinstance(scorer, EmbeddingScorer):
        return [_Source(lake.gap(ITEMS, without=(scores, failures), where=TEXTS), ("text",), chunk_items)]
    kept, noted = embedding_group(scorer), note_group(scorer)
    return [
        _Source(lake.gap(kept, within=(ITEMS,), without=(scores, failures, noted)), KEPT, chunk_items * KEPT_FACTOR),
        _Source(lake.gap(ITEMS, without=(scores, failures, kept), where=TEXTS), ("text",), chunk_items),
        _Source(lake.gap(ITEMS, within=(kept, noted), without=(scores, failures), where=TEXTS), ("text",), chunk_items),
    ]


def _shifted(progress: Progress | None, before: int, total: int) -> Progress | None:
    """Progress of a chunk as progress of the call."""
    return None if progress is None else lambda done, _chunk: progress(before + done, total)


def _never() -> bool:
    return False
