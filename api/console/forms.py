"""What forms carry, as the rooms take it: lists a line each, parts named ``slice.project``, models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from labeling.errors import InvalidInput

M = TypeVar("M", bound=BaseModel)


def checked(model: type[M], given: Mapping[str, Any]) -> M:
    """``given`` as a model. Raises InvalidInput naming each field."""
    try:
        return model.model_validate(dict(given))
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        problems = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in found]
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
