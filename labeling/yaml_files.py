"""YAML files that people write, read into a model: what is wrong is said with the file, the key and the cure."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from labeling.errors import InvalidInput

Model = TypeVar("Model", bound=BaseModel)


def read_yaml(path: Path, model: type[Model], refuse: type[InvalidInput]) -> Model:
    """The file's content as ``model``. Raises ``refuse`` naming the file and the key."""
    try:
        raw = _load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:  # ValueError: no UTF-8, or no such date
        raise refuse(f"{path}: cannot be read as YAML: {_fault(error)}") from error
    if not isinstance(raw, dict):
        some = ", ".join(list(model.model_fields)[:3])
        raise refuse(f"{path}: expected keys such as {some}; found {type(raw).__name__}")
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        raise refuse(f"{path}: {_say(error, model)}") from error


class _Loader(yaml.SafeLoader):
    """Plain data only, and no key twice: YAML would let the last one win in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, object]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        twice = sorted({key for key in keys if keys.count(key) > 1})
        if twice:
            raise yaml.MarkedYAMLError(problem=f"{', '.join(twice)} is there twice", problem_mark=node.start_mark)
        return super().construct_mapping(node, deep)


def _load(text: str) -> object:
    loader = _Loader(text)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()


def _fault(error: Exception) -> str:
    """What is wrong and where, in one line."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"line {error.problem_mark.line + 1}: {error.problem or error.context}"
    return " ".join(str(error).split())


def _say(error: ValidationError, model: type[BaseModel]) -> str:
    lines = []
    for problem in error.errors():
        key = ".".join(str(part) for part in problem["loc"]) or model.__name__.lower()
        if problem["type"] == "extra_forbidden":
            known = _keys_at(model, problem["loc"][:-1])
            near = get_close_matches(str(problem["loc"][-1]), known, n=1)
            meant = f"; did you mean {near[0]!r}?" if near else ""
            lines.append(f"{key}: unknown key{meant} (known: {', '.join(known)})")
        else:
            lines.append(f"{key}: {problem['msg']}")
    return "; ".join(lines)


def _keys_at(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    """The keys that the part of a model has to which ``loc`` leads."""
    for part in loc:
        if isinstance(part, str) and part in model.model_fields:
            model = next(_models(model.model_fields[part].annotation), model)
    return list(model.model_fields)


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)
