"""Curves of the default, of its peers and of random on the real sets; a finished one is kept under build/ and found
again while neither the set nor the code that made it changes."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks import learning_peers as peers
from benchmarks.learning_peers import Server
from benchmarks.learning_sets import KEPT, SOURCES, load
from selection.replay import METRICS, RANDOM, Course, Curve, LabelledSet, Split, replay, split

AUTO = "auto"
LONG = (RANDOM, AUTO, peers.DEFAULT_RULE)  # replayed further than areas need, to see when they get there
STEP = 250  # labels a round of random after that, up to the whole pool
ROOT = Path(__file__).resolve().parents[1]
_REPLAY = ("selection/replay.py", "selection/replay_head.py", "selection/hashing.py")
_PEERS = ("benchmarks/learning_peers.py", "benchmarks/_peer_server.py", "selection/strategies/facility.py")


def curves(source: str, wanted: Sequence[tuple[str, int]]) -> Iterator[Curve]:
    """Of one set, for each (strategy, seed), but for peers whose library is not there. One thread."""
    data = load(source)
    kept, parts = _Kept(KEPT / "curves", source, data), dict[int, Split]()
    with peers.serving() as server, threadpool_limits(1):
        for name, seed in wanted:
            curve = kept.get(name, seed)
            if curve is None:
                if seed not in parts:
                    parts[seed] = split(data, seed, SOURCES[source].held_out)
                curve = _made(parts[seed], source, name, seed, server)
                if curve is None:
                    continue
                kept.put(curve)
            yield curve


def _made(part: Split, source: str, name: str, seed: int, server: Server | None) -> Curve | None:
    if sys.stderr.isatty():
        sys.stderr.write(f"{source} {name} {seed}\n")
    known = SOURCES[source]
    course = Course(budget=known.long_labels if name in LONG else known.labels, held_out=known.held_out)
    if name == RANDOM:
        return _random(part, seed, course)
    if name not in peers.ALL:
        return replay(part, name, seed, course)
    peer = peers.peer(name, part, server)
    return None if peer is None else replay(part, name, seed, course, peer.choose, peer.by_chance)


def _random(part: Split, seed: int, course: Course) -> Curve:
    """To the whole pool, else a share of random's labels would be no more than a bound where random is slow. Its labels
    come in one order whatever the rounds."""
    first = replay(part, RANDOM, seed, course)
    if course.budget >= len(part.pool):
        return first
    rest = replay(part, RANDOM, seed, replace(course, start=course.budget, batch=STEP, budget=len(part.pool)))
    scores = {metric: np.concatenate([first.scores[metric], rest.scores[metric][1:]]) for metric in METRICS}
    return replace(first, labels=np.concatenate([first.labels, rest.labels[1:]]), scores=scores)


class _Kept:
    """JSON files, one a curve, written aside and renamed."""

    def __init__(self, folder: Path, source: str, data: LabelledSet) -> None:
        self._folder, self._source = folder, source
        digest = hashlib.sha256(json.dumps([*data.policies, asdict(SOURCES[source]) | {"read": ""}]).encode())
        for array in (data.embeddings, data.answers, data.groups, data.blocks):
            digest.update(np.ascontiguousarray(array).tobytes())
        self._data = digest.hexdigest()

    def get(self, name: str, seed: int) -> Curve | None:
        path = self._path(name, seed)
        if not path.is_file():
            return None
        told = json.loads(path.read_text(encoding="utf-8"))
        scores = {metric: np.array(told["scores"][metric], np.float64) for metric in METRICS}
        return Curve(name, seed, np.array(told["labels"], np.int64), scores, told["full"], told["rarest"])

    def put(self, curve: Curve) -> None:
        path = self._path(curve.strategy, curve.seed)
        told = {**asdict(curve), "labels": curve.labels.tolist()}
        told["scores"] = {metric: scores.tolist() for metric, scores in curve.scores.items()}
        self._folder.mkdir(parents=True, exist_ok=True)
        aside = path.with_suffix(f".{os.getpid()}.part")
        aside.write_text(json.dumps(told), encoding="utf-8")
        aside.replace(path)

    def _path(self, name: str, seed: int) -> Path:
        code = hashlib.sha256((self._data + _code(name)).encode()).hexdigest()[:16]
        return self._folder / f"{self._source}-{name}-{seed}-{code}.json"


@cache
def _code(name: str) -> str:
    """What made a curve, whatever is said about it: the replay's own modules, and the strategy's."""
    files = [ROOT / file for file in _REPLAY]
    if name in peers.ALL:
        files += [ROOT / file for file in _PEERS]
    elif name != RANDOM:
        folder = ROOT / "selection" / "strategies"
        files += [file for file in sorted(folder.glob("*.py")) if file.name not in ("document.py", "registry.py")]
    return "".join(_meaning(file.read_text(encoding="utf-8")) for file in files)


def _meaning(source: str) -> str:
    """The source without comments, docstrings and layout."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return ast.dump(tree)
