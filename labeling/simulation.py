"""Try strategies on somebody's own labelled file before they trust us: read it, embed it, replay it, report.

A finished curve is kept in the report's folder, so that a run that was stopped goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from labeling.errors import InvalidInput
from labeling.items import Problem
from labeling.readers import read_rows
from labeling.written import write_whole
from scoring.embeddings import Encoder
from selection.duplicates import near_duplicate_groups
from selection.replay import METRICS, RANDOM, Course, Curve, LabelledSet, replay, split
from selection.strategies.registry import entry

CHUNK = 512  # texts embedded between two steps of the progress bar
LEAST_ITEMS = 200
Progress = Callable[[int, int], object]  # steps done, of how many


@dataclass(frozen=True, slots=True)
class LabelledTexts:
    """What a file holds: ``answers`` (n, k) float32, 1, 0 or NaN; ``exclusive``: one label a row."""

    texts: tuple[str, ...]
    policies: tuple[str, ...]
    answers: np.ndarray[Any, np.dtype[np.float32]]
    exclusive: bool


def read_labelled(path: Path) -> LabelledTexts:
    """Rows with ``text`` and either ``label`` (one word: classes that exclude each other) or ``labels`` (an object
    policy -> 0, 1 or null). Raises InvalidInput naming the row and the field."""
    texts: list[str] = []
    given: list[dict[str, float]] = []
    kinds = set()
    for row in read_rows(path):
        if isinstance(row, Problem):
            raise InvalidInput(f"{path}: {row}")
        where = f"{path}: row {row.number}"
        text = row.values.get("text")
        if not isinstance(text, str) or not text.strip():
            raise InvalidInput(f"{where}: text: expected the words of the item, found {_short(text)}")
        kind, labels = _labels(row.values, where)
        kinds.add(kind)
        texts.append(text)
        given.append(labels)
    if len(kinds) > 1:
        raise InvalidInput(f"{path}: some rows have label and others labels; use one of them throughout")
    return _table(path, texts, given, exclusive=kinds == {"label"})


def embed(texts: LabelledTexts, encoder: Encoder, cosine: float | None, progress: Progress) -> LabelledSet:
    """The set as a replay wants it. Raises InvalidInput for a text that the encoder refuses."""
    rows = []
    for start in range(0, len(texts.texts), CHUNK):
        part = list(texts.texts[start : start + CHUNK])
        found = encoder.encode([str(start + i) for i in range(len(part))], part)
        if found.failures:
            failure = found.failures[0]
            raise InvalidInput(f"text {int(failure.item_id) + 1} cannot be embedded: {failure.reason}")
        rows.append(found.vectors.astype(np.float32))
        progress(min(start + CHUNK, len(texts.texts)), len(texts.texts))
    vectors = np.concatenate(rows)
    groups = near_duplicate_groups(vectors.astype(np.float16), cosine)
    return LabelledSet(texts.policies, vectors, texts.answers, groups, groups, texts.exclusive)


def simulate(
    data: LabelledSet, strategies: Sequence[str], seeds: int, course: Course, folder: Path, progress: Progress
) -> list[Curve]:
    """A curve of each strategy, and of random, for each seed; finished ones of the same run are read from ``folder``.
    Raises BadPlan for an unknown strategy, BadPool for a set that is too small."""
    names = list(dict.fromkeys([RANDOM, *strategies]))
    for name in names[1:]:
        entry(name)
    kept = _Kept(folder, _fingerprint(data, course))
    curves = []
    for seed in range(seeds):
        part = split(data, seed, course.held_out)
        for place, name in enumerate(names):
            curve = kept.get(name, seed)
            if curve is None:
                curve = replay(part, name, seed, course)
                kept.put(curve)
            curves.append(curve)
            progress(seed * len(names) + place + 1, seeds * len(names))
    return curves


def _labels(values: dict[str, object], where: str) -> tuple[str, dict[str, float]]:
    label, labels = values.get("label"), values.get("labels")
    if isinstance(label, str) and label.strip() and labels is None:
        return "label", {label.strip(): 1.0}
    if not isinstance(labels, dict) or label is not None:
        raise InvalidInput(f"{where}: expected label (a word) or labels (an object policy -> 0, 1 or null)")
    odd = [name for name, value in labels.items() if value not in (0, 1, None)]
    if odd:
        raise InvalidInput(f"{where}: labels: {odd[0]}: expected 0, 1 or null, found {_short(labels[odd[0]])}")
    if all(value is None for value in labels.values()):
        raise InvalidInput(f"{where}: labels: says nothing of any policy; leave the row out")
    return "labels", {str(name): float(value) for name, value in labels.items() if value is not None}


def _table(path: Path, texts: list[str], given: list[dict[str, float]], *, exclusive: bool) -> LabelledTexts:
    policies = tuple(sorted({name for labels in given for name in labels}))
    if len(texts) < LEAST_ITEMS:
        raise InvalidInput(f"{path}: {len(texts)} rows; a replay says nothing below {LEAST_ITEMS}")
    answers = np.full((len(texts), len(policies)), 0.0 if exclusive else np.nan, np.float32)
    for row, labels in enumerate(given):
        for name, value in labels.items():
            answers[row, policies.index(name)] = value
    flat = [policies[j] for j in range(len(policies)) if len(set(answers[~np.isnan(answers[:, j]), j].tolist())) < 2]
    if flat or not policies:
        raise InvalidInput(f"{path}: {', '.join(flat) or 'no policy'}: needs items that violate and items that do not")
    return LabelledTexts(tuple(texts), policies, answers, exclusive)


def _short(value: object) -> str:
    """Never the content itself."""
    return "nothing" if value is None else f"a {type(value).__name__}"


def _fingerprint(data: LabelledSet, course: Course) -> str:
    """Of the data, the course and this release: a strategy of another one may choose otherwise."""
    told = [*data.policies, data.exclusive, asdict(course), version("goldfold")]
    digest = hashlib.sha256(json.dumps(told).encode())
    for array in (data.embeddings, data.answers, data.groups, data.blocks):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


class _Kept:
    """Curves as JSON files, one each, written aside and renamed."""

    def __init__(self, folder: Path, run: str) -> None:
        self._folder = folder / f"curves-{run}"
        self._folder.mkdir(parents=True, exist_ok=True)

    def get(self, strategy: str, seed: int) -> Curve | None:
        path = self._path(strategy, seed)
        if not path.is_file():
            return None
        told = json.loads(path.read_text(encoding="utf-8"))
        scores = {metric: np.array(told["scores"][metric], np.float64) for metric in METRICS}
        return Curve(strategy, seed, np.array(told["labels"], np.int64), scores, told["full"], told["rarest"])

    def put(self, curve: Curve) -> None:
        path = self._path(curve.strategy, curve.seed)
        told = {**asdict(curve), "labels": curve.labels.tolist()}
        told["scores"] = {metric: scores.tolist() for metric, scores in curve.scores.items()}
        write_whole(path, json.dumps(told).encode())

    def _path(self, strategy: str, seed: int) -> Path:
        return self._folder / f"{strategy}-{seed}.json"
