"""The door for tables from production: each row is checked against a model and what the ledger knows, chunk by chunk,
and what is wrong is said by row and field, never with the value."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, StringConstraints, ValidationError

from labeling.errors import InvalidInput
from labeling.items import MAX_WORD_CHARS, Problem
from labeling.readers import Row, read_rows
from labeling.store.interfaces import Lake

CHUNK_ROWS = 2000
MAX_PROBLEMS = 50
TIMES = ("decided_at", "at")  # columns that hold a time
LANGUAGE = r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$"
_WORD = StringConstraints(strip_whitespace=True, max_length=MAX_WORD_CHARS, pattern=r"^[^\x00-\x1f\x7f]*$")
Word = Annotated[str, _WORD]
Name = Annotated[str, _WORD, StringConstraints(min_length=1)]
Rows = Path | Sequence[Mapping[str, object]]
Progress = Callable[[str, int, int | None], None]
R = TypeVar("R", bound=BaseModel)
T = TypeVar("T")


def silent(_step: str, _done: int, _total: int | None) -> None:
    """The progress that nobody wants to see."""


def chunks(
    source: Rows,
    size: int,
    model: type[R],
    prepare: Callable[[Sequence[R]], Callable[[int, R], T | list[Problem]]],
    whole: str = "",
) -> Iterator[list[tuple[int, T | Problem]]]:
    """The source from its start, each chunk's rows by number: what ``prepare`` makes of a row, or a problem for each
    thing wrong. ``prepare`` is given the chunk's good rows, to look up at once what they need. ``whole``: the field
    that what is wrong with a row as a whole is said of."""
    rows = _rows(source)
    while part := list(islice(rows, size)):
        parsed = [_numbered(row, model, whole) for row in part]
        make = prepare([found for _, found in parsed if not isinstance(found, list)])
        made: list[tuple[int, T | Problem]] = []
        for number, found in parsed:
            told = found if isinstance(found, list) else make(number, found)
            made += [(number, each) for each in told] if isinstance(told, list) else [(number, told)]
        yield made


def languages(lake: Lake, item_ids: Sequence[str]) -> dict[str, str]:
    """By item id, those that the lake holds."""
    ids = sorted(set(item_ids))
    rows = lake.take(ids, ["language"]).to_pylist() if ids else []
    return {str(row["item_id"]): str(row["language"]) for row in rows}


def refuse(source: Rows, problems: Sequence[Problem], model: type[BaseModel]) -> None:
    """Raises InvalidInput that names every row and field of ``model`` with a problem; nothing where there is none."""
    if problems:
        told = tuple(_told(problem, model) for problem in problems)
        where = f"{source}: " if isinstance(source, Path) else ""
        raise InvalidInput(where + "; ".join(told), told)


def _rows(source: Rows) -> Iterator[Row | Problem]:
    if isinstance(source, Path):
        yield from read_rows(source)
    else:
        yield from (Row(number, dict(values)) for number, values in enumerate(source, 1))


def _numbered(row: Row | Problem, model: type[R], whole: str) -> tuple[int, R | list[Problem]]:
    return (row.number, _parsed(row, model, whole)) if isinstance(row, Row) else (row.row, [row])


def _parsed(row: Row, model: type[R], whole: str) -> R | list[Problem]:
    try:
        return model.model_validate({name: value for name, value in row.values.items() if value is not None})
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        return [Problem(row.number, *_said(dict(problem), model, whole)) for problem in found]


def _said(problem: Mapping[str, object], model: type[BaseModel], whole: str) -> tuple[str, str]:
    """The field of a row and what pydantic finds wrong with it; never the value."""
    place = problem["loc"]
    field = str(place[0]) if isinstance(place, tuple) and place else ""
    known = ", ".join(model.model_fields)
    if problem["type"] == "extra_forbidden":
        return field, f"unknown column (known: {known}); leave it out"
    if problem["type"] == "missing":
        return field, "is missing; every row needs it"
    if field in TIMES:
        return field, f"{problem['msg']}; write ISO 8601 with a zone, such as 2026-01-31T12:00:00Z"
    return (field, str(problem["msg"])) if field else (whole, str(problem["msg"]).partition(f"{whole}: ")[2])


def _told(problem: Problem, model: type[BaseModel]) -> str:
    """As the problem says it, but for its quotes around names that content has not."""
    named = problem.field in model.model_fields
    return f"row {problem.row}: {problem.field}: {problem.message}" if named else str(problem)
