"""The map of the lake: texts by their embeddings in a plane, kept in the cache folder, coloured when it is looked at.

A map holds item ids and places, nothing of what an item says or how it was judged: who looks later sees today's gold
and picks on it. Texts alone, since images' embeddings are no neighbours of theirs. At most ``MOST`` points: all gold
and all picks first, then a simple random sample of the rest by a hash of each id. Erasing an item deletes the map.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from labeling.errors import NothingToDo, StoreError
from labeling.near_duplicates import DAMAGE, read_arrays, write_arrays
from labeling.records import GoldState, Partition
from labeling.scorebook import LakeScorer, embedding_group, matrix
from labeling.store.interfaces import Golden, ItemRegistry, Lake, Rounds
from selection.hashing import item_hashes, uniforms

FILE = "map.npz"
FILES = "map*.npz"  # that one, and what a layout that was killed left behind
MOST = 100_000
LEAST = 30
SEED = 0
TEXT = "text"
ITERATIONS = 450
POOL, PICKED, SEALED = "pool", "picked", "gold: sealed"
CLOSED = (Partition.SEALED, Partition.ANCHOR)
GROUPS = (POOL, PICKED, *(f"gold: {part}" for part in (Partition.TRAIN, Partition.CALIBRATION, Partition.DEV)), SEALED)
_READ = 8192
_WAIT_S = 0.25

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]
Tick = Callable[[int, int], None]
Pause = Callable[[float], None]
Layout = Callable[[F32, int, Path, Tick], F32]  # vectors, seed, a folder to work in


class Stores(Protocol):
    """The part of the ledger that a map is drawn from."""

    @property
    def items(self) -> ItemRegistry: ...

    @property
    def rounds(self) -> Rounds: ...

    @property
    def golden(self) -> Golden: ...


@dataclass(frozen=True, slots=True)
class EmbeddingMap:
    """``places`` (n, 2) float32 of the items ``ids``, a sample of ``of`` texts that had an embedding by ``encoder`` at
    the lake version. ``made_s``: when, in seconds since the epoch."""

    ids: tuple[str, ...]
    places: F32
    of: int
    encoder: str
    lake_version: int
    seed: int
    made_s: float


@dataclass(frozen=True, slots=True)
class Painted:
    """A map as it is looked at now: ``group`` (n,) is a place in ``GROUPS``; ``names`` the external ids, "" where
    nobody is told (sealed gold, and items that are gone)."""

    map: EmbeddingMap
    group: U8
    names: tuple[str, ...]

    @property
    def counts(self) -> dict[str, int]:
        """Points by group."""
        found = np.bincount(self.group, minlength=len(GROUPS))
        return {name: int(count) for name, count in zip(GROUPS, found, strict=True)}


def draw_map(
    stores: Stores,
    lake: Lake,
    scorer: LakeScorer,
    cache_dir: Path,
    layout: Layout,
    *,
    seed: int = SEED,
    most: int = MOST,
    tick: Tick = lambda _done, _all: None,
) -> EmbeddingMap:
    """Draw the map anew and keep it, whole or not at all; ``layout`` as ``in_process`` is. Raises NothingToDo where
    fewer than ``LEAST`` texts have an embedding."""
    version = stores.items.last_lake_version()
    there = set(lake.ids(embedding_group(scorer))).intersection(stores.items.ids(version, TEXT))
    if len(there) < LEAST:
        raise NothingToDo(
            f"{len(there)} texts have an embedding, and a map needs {LEAST}: run the score job first (goldfold score)"
        )
    first = {row.item_id for row in stores.golden.items()} | {item_id for item_id, _ in stores.rounds.judged()}
    ids = _sample(there, first, most)
    places = layout(_vectors(lake, scorer, ids), seed, cache_dir, tick)
    made = EmbeddingMap(tuple(ids), places, len(there), scorer.embedding_version, version, seed, time.time())
    arrays = {"ids": np.array(ids), "places": places, "encoder": np.array(made.encoder)}
    write_arrays(
        cache_dir / FILE, arrays | {"numbers": np.array([made.of, version, seed]), "made": np.array(made.made_s)}
    )
    return made


def kept_map(cache_dir: Path) -> EmbeddingMap | None:
    """The map that was drawn last; None where there is none. Raises StoreError for one that is damaged."""
    path = cache_dir / FILE
    if not path.exists():
        return None
    try:
        found = read_arrays(path)
        of, version, seed = (int(number) for number in found["numbers"])
        ids, places = tuple(found["ids"].tolist()), np.asarray(found["places"], np.float32).reshape(-1, 2)
        if len(ids) != len(places):
            raise ValueError(f"{len(ids)} items and {len(places)} places")
        return EmbeddingMap(ids, places, of, str(found["encoder"]), version, seed, float(found["made"]))
    except DAMAGE as error:
        raise StoreError(f"{path} cannot be read ({error}): draw the map again") from error


def paint(stores: Stores, kept: EmbeddingMap, round_id: str = "") -> Painted:
    """What each point is by now: gold by its partition, else picked by any round, else pool. With ``round_id`` the
    picks of that round, be they gold by now, but for sealed gold."""
    known = stores.items.by_id(kept.ids)
    picked = {pick.item_id for pick in stores.rounds.picks(round_id)} if round_id else set[str]()
    every = picked if round_id else {item_id for item_id, _ in stores.rounds.judged()}
    of = dict.fromkeys(every, PICKED)
    for row in stores.golden.items():
        if row.state is GoldState.ACTIVE and row.partition in CLOSED:
            of[row.item_id] = SEALED  # under one policy: it is not told under the others either
        elif row.state is GoldState.ACTIVE and row.item_id not in picked and of.get(row.item_id) != SEALED:
            of[row.item_id] = f"gold: {row.partition}"
    numbers = {name: number for number, name in enumerate(GROUPS)}
    group = np.array([numbers[of.get(item_id, POOL)] for item_id in kept.ids], np.uint8)
    open_ = [item_id in known and of.get(item_id) != SEALED for item_id in kept.ids]
    names = (known[i].external_id if is_open else "" for i, is_open in zip(kept.ids, open_, strict=True))
    return Painted(kept, group, tuple(names))


def in_process(pause: Pause = time.sleep) -> Layout:
    """A layout by ``labeling.insights.map_layout`` in a process of its own on one thread, which ends with this one, or
    when ``pause`` raises. Raises StoreError when it failed."""

    def run(vectors: F32, seed: int, folder: Path, tick: Tick) -> F32:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        source, target = folder / "map-in.npz", folder / "map-out.npz"
        try:
            with source.open("wb") as file:
                np.savez(file, vectors=vectors.astype(np.float16))
            _run([str(source), str(target), str(seed)], tick, pause)
            with np.load(target, allow_pickle=False) as found:
                return np.asarray(found["places"], np.float32)
        finally:
            source.unlink(missing_ok=True)
            target.unlink(missing_ok=True)

    return run


def _run(arguments: Sequence[str], tick: Tick, pause: Pause) -> None:
    command = [sys.executable, "-m", "labeling.insights.map_layout", *arguments]
    alone = dict.fromkeys(("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")  # many threads add in another order each time
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        pipes = {"stdin": subprocess.PIPE, "stdout": out, "stderr": err}
        with subprocess.Popen(command, env=os.environ | alone, **pipes) as child:  # type: ignore[call-overload]  # noqa: S603 - it is our own
            try:
                while child.poll() is None:
                    pause(_WAIT_S)
                    tick(_last(out.fileno()), ITERATIONS)
            finally:
                child.kill()
        if child.returncode:
            why = (_said(err.fileno()).splitlines() or ["it said nothing"])[-1]
            raise StoreError(
                f"the map could not be laid out (status {child.returncode}: {why}): draw it again; 100,000 texts need "
                "about 1 GB of memory"
            )


def _last(descriptor: int) -> int:
    lines = _said(descriptor).splitlines()
    return int(lines[-1]) if lines else 0


def _said(descriptor: int) -> str:
    """All that was written so far; not by reading, which would move the place that the child writes at."""
    return os.pread(descriptor, os.fstat(descriptor).st_size, 0).decode(errors="replace").strip()


def _sample(there: set[str], first: set[str], most: int) -> list[str]:
    """``most`` of them, those of ``first`` before others, each drawn by a hash of its id; sorted."""
    ids = sorted(there)
    order = uniforms(item_hashes(ids), "map") + np.array([item_id not in first for item_id in ids])
    return sorted(ids[row] for row in np.argsort(order, kind="stable")[:most])


def _vectors(lake: Lake, scorer: LakeScorer, ids: Sequence[str]) -> F32:
    group = embedding_group(scorer)
    parts = [
        matrix(lake.take(ids[at : at + _READ], ["embedding"], group)["embedding"]) for at in range(0, len(ids), _READ)
    ]
    rows = np.concatenate(parts).astype(np.float32)
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12), np.float32)
