"""Answers to a tree's questions, read from a file: a table (.csv, .jsonl, .parquet) with the columns item_id, person,
step and answer, a row for each answer; or what Label Studio exports as JSON (.json) from a project of the tree's form,
whose tasks name their item in ``data.item_id`` as ``trial_tasks`` makes them.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from labeling.errors import InvalidInput
from labeling.items import Problem
from labeling.readers import read_rows
from labeling.records import GoldenItem, GoldState
from labeling.sop.form import answers_of
from labeling.sop.lint import SHOWN
from labeling.sop.replay import Walk
from labeling.sop.tree import Sop

COLUMNS = ("item_id", "person", "step", "answer")
MAX_EXPORT_BYTES = 256 * 2**20


def read_walks(sop: Sop, path: Path) -> list[Walk]:
    """The walks of a file. Raises InvalidInput naming the file and the row."""
    walks = list(_exported(sop, path)) if path.suffix == ".json" else _of_table(sop, path)
    if not walks:
        raise InvalidInput(f"{path}: holds no answers")
    return walks


def trial_tasks(gold: Iterable[GoldenItem], per_verdict: int) -> list[dict[str, object]]:
    """Tasks to import into a Label Studio project of the form: up to ``per_verdict`` golden items of each outcome and
    rule, in an order that says nothing. Their text is content; their gold is not in them."""
    by_verdict: dict[tuple[str, str | None], list[GoldenItem]] = defaultdict(list)
    for item in sorted(gold, key=lambda each: _shuffled(each.item_id)):
        usable = item.partition in SHOWN and item.state is GoldState.ACTIVE and item.modality == "text" and item.text
        if usable and len(by_verdict[item.outcome.value, item.rule]) < per_verdict:
            by_verdict[item.outcome.value, item.rule].append(item)
    chosen = [item for each in by_verdict.values() for item in each]
    return [
        {"data": {"item_id": item.item_id, "text": item.text}}
        for item in sorted(chosen, key=lambda i: _shuffled(i.item_id))
    ]


def _shuffled(item_id: str) -> str:
    return hashlib.sha256(f"sop {item_id}".encode()).hexdigest()


def _of_table(sop: Sop, path: Path) -> list[Walk]:
    found: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for row in read_rows(path):
        if isinstance(row, Problem):
            raise InvalidInput(f"{path}: {row}")
        values = row.values
        if odd := sorted(set(values) - set(COLUMNS)):
            raise InvalidInput(f"{path}: row {row.number}: {odd[0]}: unknown column (known: {', '.join(COLUMNS)})")
        for name in COLUMNS:
            if not isinstance(values.get(name), str) or not str(values[name]).strip():
                raise InvalidInput(f"{path}: row {row.number}: {name}: missing, or no text")
        item_id, person, step, answer = (str(values[name]).strip() for name in COLUMNS)
        if step not in sop.step_by_id:
            raise InvalidInput(f"{path}: row {row.number}: step: {sop.id} has no step {step!r}")
        try:
            sop.step_by_id[step].go(answer)
        except InvalidInput as error:
            raise InvalidInput(f"{path}: row {row.number}: answer: {error}") from error
        if found[item_id, person].setdefault(step, answer) != answer:
            raise InvalidInput(
                f"{path}: row {row.number}: {person} answered step {step} of {item_id} twice, differently"
            )
    return [Walk(item_id, person, answers) for (item_id, person), answers in sorted(found.items())]


def _exported(sop: Sop, path: Path) -> Iterator[Walk]:
    if path.stat().st_size > MAX_EXPORT_BYTES:
        raise InvalidInput(f"{path}: is larger than {MAX_EXPORT_BYTES >> 20} MiB: export fewer tasks at a time")
    try:
        tasks = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InvalidInput(f"{path}: is no JSON that Label Studio exported: {error}") from error
    if not isinstance(tasks, list):
        raise InvalidInput(f"{path}: expected a list of tasks, as Label Studio exports with the format JSON")
    for number, task in enumerate(tasks, 1):
        item_id, annotations = _task(path, number, task)
        for annotation in annotations:
            if not annotation.get("was_cancelled"):
                try:
                    answers = answers_of(sop, annotation.get("result"))
                except InvalidInput as error:
                    raise InvalidInput(f"{path}: task {number}: {error}") from error
                yield Walk(item_id, _person(annotation.get("completed_by")), answers)


def _task(path: Path, number: int, task: object) -> tuple[str, list[Mapping[str, Any]]]:
    data = task.get("data") if isinstance(task, Mapping) else None
    item_id = data.get("item_id") if isinstance(data, Mapping) else None
    annotations = task.get("annotations") if isinstance(task, Mapping) else None
    if not isinstance(item_id, str) or not isinstance(annotations, list):
        raise InvalidInput(
            f"{path}: task {number}: has no data.item_id or no annotations: import the tasks of `sop tasks`"
        )
    return item_id, [each for each in annotations if isinstance(each, Mapping)]


def _person(told: object) -> str:
    """Label Studio names people by number, or as an object with an e-mail; agreement needs only that they differ."""
    return str(told.get("id", "")) if isinstance(told, Mapping) else str(told)
