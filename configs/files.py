"""YAML files with known keys: read them, and say what is wrong with a value in words that name the key.

Values never appear in a message: a setting may be a secret.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path

import yaml
from pydantic import ValidationError

from configs.errors import SettingsError


class _Loader(yaml.SafeLoader):
    """YAML's safe loader, but a key that comes twice is an error instead of the last one winning."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, object]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} is there twice", node.start_mark)
        return super().construct_mapping(node, deep)


def read_mapping(path: Path) -> dict[str, object]:
    """The keys and values of a YAML file; an empty file has none. Raises SettingsError naming the file."""
    try:
        # A subclass of SafeLoader: it builds plain values only.
        raw = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506
    except yaml.YAMLError as error:
        raise SettingsError(f"{path}: cannot be read as YAML: {_where(error)}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: cannot be read: {type(error).__name__}") from error
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        raise SettingsError(f"{path}: expected lines of the form 'key: value'; found a {type(raw).__name__}")
    return {str(key): value for key, value in raw.items()}


def local(named: Path | str) -> Path:
    """The path that is meant, its ``~`` expanded; one of a user nobody knows stays as it is."""
    try:
        return Path(named).expanduser()
    except RuntimeError:
        return Path(named)


def _where(error: yaml.YAMLError) -> str:
    """The place and the kind of a YAML error, without the line itself."""
    mark = getattr(error, "problem_mark", None)
    place = f"line {mark.line + 1}: " if mark else ""
    return f"{place}{getattr(error, 'problem', None) or 'not YAML'}"


def refuse_unknown(given: Iterable[str], known: Iterable[str], where: str) -> list[str]:
    """One problem for each key of ``given`` that is not known, with the nearest one that is."""
    names = list(known)
    problems = []
    for key in given:
        if key not in names:
            near = get_close_matches(key, names, n=1)
            problems.append(f"{where}: {key}: unknown key" + (f"; did you mean {near[0]}?" if near else ""))
    return problems


def explain(error: ValidationError, origins: Mapping[str, str], where: str) -> list[str]:
    """One problem for each thing pydantic found: ``where it was set: key: what is wrong``."""
    problems = []
    for problem in error.errors(include_url=False, include_input=False, include_context=False):
        if problem["type"] == "default_factory_not_called":
            continue  # follows from another problem
        path = [str(part) for part in problem["loc"] if part != "[key]"]
        key = ".".join(path) or "settings"
        origin = origins.get(path[0], where) if path else where
        problems.append(f"{origin}: {key}: {problem['msg'].removeprefix('Value error, ')}")
    return problems
