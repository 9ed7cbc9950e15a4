"""Policies: one harm with a definition, a severity, rules and an operating threshold, read from YAML.

A policy version is never edited in place: a change is a new ``version``.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from labeling.errors import PolicyError

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{1,39}$")]
Semver = Annotated[str, StringConstraints(pattern=r"^\d+\.\d+\.\d+$")]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class Rule(BaseModel):
    """One clause of a policy. ``examples`` violate it; ``near_misses`` look as if they did and do not."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Slug
    title: Text
    definition: Text
    examples: tuple[Text, ...] = ()
    near_misses: tuple[Text, ...] = ()


class Policy(BaseModel):
    """One harm. ``severity`` is 0..4 (S0..S4); ``threshold`` is the operating probability, in (0, 1).

    ``guidelines`` tell annotators how to decide, a paragraph a line; models never read them, nor the rules' examples.
    ``blur``: images are shown blurred until they are opened.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Slug
    title: Text
    version: Semver
    definition: Text
    severity: int = Field(ge=0, le=4, strict=True)  # YAML reads a bare "yes" as true, which is no level
    threshold: float = Field(gt=0, lt=1, strict=True)
    rules: tuple[Rule, ...] = Field(min_length=1)
    guidelines: tuple[Text, ...] = ()
    blur: bool = Field(default=False, strict=True)

    @model_validator(mode="after")
    def _rules_are_distinct(self) -> Self:
        ids = [rule.id for rule in self.rules]
        twice = sorted({rule for rule in ids if ids.count(rule) > 1})
        if twice:
            raise ValueError(f"rules: {', '.join(twice)} is there more than once")
        return self

    @property
    def text(self) -> str:
        """The whole policy in prose: what a model is shown, and what cold-start prototypes are made from."""
        return "\n".join([f"{self.title}: {self.definition}", *(f"{r.title}: {r.definition}" for r in self.rules)])

    @property
    def rule_ids(self) -> tuple[str, ...]:
        return tuple(rule.id for rule in self.rules)


Policies = Mapping[str, Policy]


def read_policy(path: Path) -> Policy:
    """Read one YAML file. Raises PolicyError naming the file and the key."""
    try:
        raw = _load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:  # ValueError: no UTF-8, or no such date
        raise PolicyError(f"{path}: cannot be read as YAML: {_fault(error)}") from error
    if not isinstance(raw, dict):
        raise PolicyError(f"{path}: expected keys such as id, title, definition; found {type(raw).__name__}")
    try:
        return Policy.model_validate(raw)
    except ValidationError as error:
        raise PolicyError(f"{path}: {_say(error)}") from error


def read_policies(folder: Path) -> dict[str, Policy]:
    """Read each ``*.yaml`` and ``*.yml`` of a folder, by id. Raises PolicyError when there is none, or one id twice."""
    found: dict[str, Policy] = {}
    for path in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]):
        policy = read_policy(path)
        if policy.id in found:
            raise PolicyError(f"{path}: id: {policy.id!r} is used by another file of {folder}")
        found[policy.id] = policy
    if not found:
        raise PolicyError(f"{folder}: no policy (*.yaml) found; add one or point the setting policies_dir elsewhere")
    return found


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


def _say(error: ValidationError) -> str:
    lines = []
    for problem in error.errors():
        key = ".".join(str(part) for part in problem["loc"]) or "policy"
        if problem["type"] == "extra_forbidden":
            known = list((Rule if "rules" in problem["loc"] else Policy).model_fields)
            near = get_close_matches(str(problem["loc"][-1]), known, n=1)
            meant = f"; did you mean {near[0]!r}?" if near else ""
            lines.append(f"{key}: unknown key{meant} (known: {', '.join(known)})")
        else:
            lines.append(f"{key}: {problem['msg']}")
    return "; ".join(lines)
