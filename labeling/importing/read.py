"""Where an import comes from: an export file, or a Label Studio project that Goldfold did not make."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from labeling.errors import InvalidInput
from labeling.importing.answers import ImportedItem, LabelMap
from labeling.importing.formats import FORMATS, Fields, joined
from labeling.items import Problem
from labeling.readers import read_rows
from labeling.studio.client import StudioClient
from labeling.studio.wire import StudioAnnotation

MAX_PROBLEMS = 50
Numbered = tuple[int, object]


def read_export(path: Path, tool: str, labels: LabelMap, fields: Fields) -> list[ImportedItem]:
    """The items of a ``.json`` (an array) or ``.jsonl`` export of a tool of ``FORMATS``. Raises InvalidInput whose
    ``problems`` name the first 50 bad rows."""
    if tool not in FORMATS:
        raise InvalidInput(f"from: {tool!r} is unknown (known: {', '.join(FORMATS)})")
    records = _array(path) if path.name.lower().endswith((".json", ".json.gz")) else _lines(path)
    return _read(records, tool, labels, fields, str(path))


def read_project(client: StudioClient, project_id: int, labels: LabelMap, fields: Fields) -> list[ImportedItem]:
    """The items of a live project. Raises StudioGone when there is no such project, and as ``read_export``."""
    client.project(project_id)
    people = client.people()
    records = (
        (task.studio_task_id, _record(task.data, task.annotations, task.predictions, people))
        for page in client.pages(project_id)
        for task in page
    )
    return _read(records, "label-studio", labels, fields, f"project {project_id}")


def _read(records: Iterable[Numbered], tool: str, labels: LabelMap, fields: Fields, where: str) -> list[ImportedItem]:
    items: list[ImportedItem] = []
    problems: list[str] = []
    for row, record in records:
        try:
            if isinstance(record, Problem):
                raise InvalidInput(record.message)
            if not isinstance(record, Mapping):
                raise InvalidInput(f"expected an object, found {type(record).__name__}")
            items.append(FORMATS[tool](row, record, labels, fields))
        except InvalidInput as error:
            problems.append(f"row {row}: {error}")
            if len(problems) == MAX_PROBLEMS:
                break
    if problems:
        raise InvalidInput(f"{where}: {'; '.join(problems)}", tuple(problems))
    if not items:
        raise InvalidInput(f"{where}: holds nothing to import")
    return joined(items)


def _array(path: Path) -> Iterator[Numbered]:
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        found = json.loads(raw)
    except OSError as error:
        raise InvalidInput(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError, EOFError) as error:
        raise InvalidInput(f"{path}: is no JSON ({error}); export it again") from error
    if not isinstance(found, list):
        raise InvalidInput(f"{path}: expected an array of records, found {type(found).__name__}")
    return iter(enumerate(found, 1))


def _lines(path: Path) -> Iterator[Numbered]:
    if not path.name.lower().endswith((".jsonl", ".jsonl.gz")):
        raise InvalidInput(f"{path}: cannot tell its format; the name must end in .json, .json.gz, .jsonl or .jsonl.gz")
    for row in read_rows(path):
        yield (row.row, row) if isinstance(row, Problem) else (row.number, row.values)


def _record(
    data: Mapping[str, object], annotations: Iterable[StudioAnnotation], predictions: int, people: Mapping[int, str]
) -> dict[str, object]:
    """A task of the list as the export has it."""
    told = [
        {
            "id": each.annotation_id,
            "completed_by": people.get(each.completed_by or 0) or each.completed_by,
            "was_cancelled": each.skipped,
            "result": each.result,
            "lead_time": each.lead_time_s,
            "updated_at": each.updated_at.isoformat(),
        }
        for each in annotations
    ]
    return {"data": data, "annotations": told, "predictions": [None] * predictions}
