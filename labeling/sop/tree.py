"""A standard operating procedure: the decision tree by which people and agents come from content to a rule.

::

    id: hate_speech
    version: 1.0.0
    policy: hate_speech
    policy_version: 1.0.0
    start: group
    steps:
      - id: group
        question: Does the text speak of a group, or of a person as one of a group?
        look_for: [a name for the group, a slur]
        examples: {positive: [it_0a1b], near_miss: [it_2c3d]}
        answers:
          - {says: "yes", go: attack}
          - {says: "no", go: allowed}
          - {says: unclear, go: ask_lead}
    leaves:
      - {id: allowed, outcome: allowed, action: keep}
      - id: attack_group
        outcome: violates
        rule: attack
        severity: 3
        action: remove
        exceptions: [{text: quoted to condemn it, asked_at: quoted}]
      - {id: ask_lead, outcome: context_missing, action: ask a lead}

A *step* asks one question about what can be seen; its answers lead to steps or to *leaves*. A leaf is the verdict. A
tree that cannot be walked is refused when it is read; what makes one hard to apply is for ``labeling.sop.lint``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from labeling.errors import InvalidInput, SopError
from labeling.policies import Semver, Slug, Text
from labeling.records import Outcome
from labeling.yaml_files import read_yaml

UNCLEAR = "unclear"  # the answer of whoever cannot tell
MAX_STEPS = 200
Says = Annotated[
    str, StringConstraints(strip_whitespace=True, pattern=r"^[^,$]{1,60}$")
]  # a form lists answers by comma
ItemId = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Examples(_Part):
    """Ids of golden items: ``positive`` are answered with the step's first answer, ``near_miss`` look as if they
    were."""

    positive: tuple[ItemId, ...] = ()
    near_miss: tuple[ItemId, ...] = ()


class Choice(_Part):
    """One answer to a question, and the step or leaf that it leads to."""

    says: Says
    go: Slug


class Step(_Part):
    """One question. ``look_for``: what can be seen that settles it."""

    id: Slug
    question: Text
    look_for: tuple[Text, ...] = ()
    examples: Examples = Examples()
    answers: tuple[Choice, ...] = Field(min_length=2)

    @model_validator(mode="after")
    def _answers_are_distinct(self) -> Self:
        said = [choice.says.casefold() for choice in self.answers]
        if twice := sorted({each for each in said if said.count(each) > 1}):
            raise ValueError(f"answers: {', '.join(twice)} is there more than once")
        return self

    def go(self, says: str) -> str:
        """Where an answer leads. Raises InvalidInput."""
        for choice in self.answers:
            if choice.says == says:
                return choice.go
        known = ", ".join(choice.says for choice in self.answers)
        raise InvalidInput(f"step {self.id}: {says!r} is not one of its answers ({known})")


class ExceptionTo(_Part):
    """What would change the verdict, and the step that asks for it before the verdict."""

    text: Text
    asked_at: Slug | None = None


class Leaf(_Part):
    """A verdict: ``rule`` and ``severity`` (0..4) belong to one that violates, and to no other."""

    id: Slug
    outcome: Outcome
    rule: Slug | None = None
    severity: int | None = Field(default=None, ge=0, le=4, strict=True)
    action: Text
    exceptions: tuple[ExceptionTo, ...] = ()

    @model_validator(mode="after")
    def _says_what_violates(self) -> Self:
        if self.outcome is Outcome.LEGAL_STOP:
            raise ValueError(
                "outcome: a legal stop is for the person who meets it, on every form; a tree never leads to it"
            )
        for name, value in (("rule", self.rule), ("severity", self.severity)):
            if self.outcome is Outcome.VIOLATES and value is None:
                raise ValueError(f"{name}: missing; a leaf that violates names one")
            if self.outcome is not Outcome.VIOLATES and value is not None:
                raise ValueError(f"{name}: {value!r} was given, but the outcome is {self.outcome.value}")
        return self


class Sop(_Part):
    """The whole tree, of one policy version. ``start`` is the first step."""

    id: Slug
    version: Semver
    policy: Slug
    policy_version: Semver
    start: Slug
    steps: tuple[Step, ...] = Field(min_length=1, max_length=MAX_STEPS)
    leaves: tuple[Leaf, ...] = Field(min_length=1, max_length=MAX_STEPS)

    @model_validator(mode="after")
    def _can_be_walked(self) -> Self:
        ids = [*(step.id for step in self.steps), *(leaf.id for leaf in self.leaves)]
        if twice := sorted({each for each in ids if ids.count(each) > 1}):
            raise ValueError(f"steps and leaves: the id {', '.join(twice)} is there more than once")
        if self.start not in self.step_by_id:
            raise ValueError(f"start: {self.start!r} is no step (known: {', '.join(self.step_by_id)})")
        for step in self.steps:
            for choice in step.answers:
                if choice.go not in ids:
                    raise ValueError(f"step {step.id}, answer {choice.says!r}: {choice.go!r} is no step and no leaf")
        try:
            _ = self._ordered
        except CycleError as error:
            loop = " > ".join(reversed(error.args[1]))
            raise ValueError(f"steps: {loop} never ends; let one of these lead elsewhere") from error
        return self

    @cached_property
    def step_by_id(self) -> Mapping[str, Step]:
        return {step.id: step for step in self.steps}

    @cached_property
    def leaf_by_id(self) -> Mapping[str, Leaf]:
        return {leaf.id: leaf for leaf in self.leaves}

    @property
    def tree_hash(self) -> str:
        """SHA-256 (hex) of everything that the tree says: what forms, prompts and guides made from it bear."""
        told = json.dumps(self.model_dump(mode="json"), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(told.encode()).hexdigest()

    def walk(self, answers: Mapping[str, str]) -> tuple[tuple[str, ...], Leaf | None]:
        """The steps that somebody passes who gives these answers (step id to what it says), and the leaf that is
        reached: None where an answer is missing. Answers off the path are not looked at. Raises InvalidInput for an
        answer that a step of the path does not have."""
        passed: list[str] = []
        here = self.start
        while here in self.step_by_id:
            passed.append(here)
            if here not in answers:
                return tuple(passed), None
            here = self.step_by_id[here].go(answers[here])
        return tuple(passed), self.leaf_by_id[here]

    def depths(self, without: str = "") -> dict[str, int]:
        """The most questions that come before each step and leaf which the start leads to; ``without``: by ways that do
        not pass that step. Ways are not gone one by one: where answers lead to the same step there are 2^n of them."""
        found: dict[str, int] = {} if self.start == without else {self.start: 0}
        for step in self._ordered:
            if step.id in found and step.id != without:
                for choice in step.answers:
                    if choice.go != without:
                        found[choice.go] = max(found.get(choice.go, 0), found[step.id] + 1)
        return found

    @cached_property
    def _ordered(self) -> tuple[Step, ...]:
        """Every step before those that it leads to."""
        ahead = {step.id: {c.go for c in step.answers if c.go in self.step_by_id} for step in self.steps}
        return tuple(self.step_by_id[name] for name in reversed(list(TopologicalSorter(ahead).static_order())))


def read_sop(path: Path) -> Sop:
    """Read one YAML file. Raises SopError naming the file and the key."""
    return read_yaml(path, Sop, SopError)


def read_sops(folder: Path) -> dict[str, Sop]:
    """Read each ``*.yaml`` and ``*.yml`` of a folder, by id; no folder, no SOP. Raises SopError."""
    found: dict[str, Sop] = {}
    for path in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]):
        sop = read_sop(path)
        if sop.id in found:
            raise SopError(f"{path}: id: {sop.id!r} is used by another file of {folder}")
        found[sop.id] = sop
    return found
