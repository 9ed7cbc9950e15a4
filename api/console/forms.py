"""What forms carry, as the rooms take it: lists a line each, parts named ``slice.project``, models, a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile

from labeling.errors import InvalidInput

M = TypeVar("M", bound=BaseModel)
Place = tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class Sent:
    """A file of a form, as its sender calls it."""

    name: str
    content: bytes


async def fields_of(request: Request) -> dict[str, str]:
    """The fields of a form, without its files."""
    given = await request.form()
    return {name: value for name, value in given.items() if not isinstance(value, UploadFile)}


async def file_of(request: Request, most_bytes: int) -> Sent | None:
    """The field ``file`` of a form; None where no file was chosen. What the form holds open is closed. Raises
    InvalidInput for a larger file."""
    async with request.form() as form:
        file = form.get("file")
        if not isinstance(file, UploadFile) or not file.filename:
            return None
        content = await file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise InvalidInput(f"file: is larger than {most_bytes >> 10} KiB")
    return Sent(file.filename, content)


def dotted(place: Place) -> str:
    """A field as its model names it."""
    return ".".join(map(str, place))


def checked(model: type[M], given: Mapping[str, Any], named: Callable[[Place], str] = dotted) -> M:
    """``given`` as a model. Raises InvalidInput naming each field; ``named`` says what the form calls it."""
    try:
        return model.model_validate(dict(given))
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        problems = [f"{named(each['loc'])}: {each['msg']}" for each in found]
        raise InvalidInput("; ".join(problems), tuple(problems)) from error


def lines(form: Mapping[str, str], name: str) -> list[str]:
    """The lines of a field that say something."""
    return [line.strip() for line in form.get(name, "").splitlines() if line.strip()]


def given(form: Mapping[str, str], *names: str) -> dict[str, str]:
    """Those fields that were filled in."""
    return {name: form[name].strip() for name in names if form.get(name, "").strip()}


def part(form: Mapping[str, str], name: str) -> dict[str, str]:
    """The fields ``name.KEY`` that were filled in, by key."""
    mine = {key.removeprefix(f"{name}."): value.strip() for key, value in form.items() if key.startswith(f"{name}.")}
    return {key: value for key, value in mine.items() if value}
