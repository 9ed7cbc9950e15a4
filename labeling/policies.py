"""Policies: one harm with a definition, a severity, rules and an operating threshold, read from YAML.

A policy version is never edited in place: a change is a new ``version``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from labeling.errors import PolicyError
from labeling.yaml_files import read_yaml

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
    return read_yaml(path, Policy, PolicyError)


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
