"""The scorer file: which transformers text-classification model scores, and which of its labels means which policy."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from configs.errors import SettingsError
from configs.files import explain, read_mapping, refuse_unknown

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class ScorerFile(BaseModel):
    """A classifier by local path or hub id (safetensors only), pinned by ``revision`` when it comes from a hub.

    ``labels`` maps a label of the model to a policy id; labels left out are ignored. Several labels may mean one
    policy. ``activation``: "softmax" for exclusive classes, "sigmoid" for independent ones.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: Name = Field(description="Local folder or hub id of the model.")
    revision: Name | None = Field(default=None, description="Commit of the hub repository; needed for a hub id.")
    labels: dict[Name, Name] = Field(min_length=1, description="The model's label: the policy it means.")
    activation: Literal["softmax", "sigmoid"] | None = Field(
        default=None, description="What turns logits into probabilities; none: what the model's own config says."
    )
    max_tokens: int | None = Field(default=None, ge=8, description="Overrides the setting max_tokens for this model.")

    @model_validator(mode="after")
    def _hub_models_are_pinned(self) -> Self:
        if self.revision is None and not Path(self.model).expanduser().is_dir():
            raise ValueError(f"model: {self.model} is no local folder; to use a hub id, pin it with revision")
        return self


def read_scorer(path: Path | str, policies: Collection[str] | None = None) -> ScorerFile:
    """Read one scorer file. Raises SettingsError naming the file and every wrong key, and with ``policies`` (the ids
    there are) every label that means another one.

    A relative ``model`` folder is relative to the scorer file when it is there, else a hub id.
    """
    path = Path(path)
    raw = read_mapping(path)
    problems = refuse_unknown(raw, ScorerFile.model_fields, str(path))
    if problems:
        raise SettingsError("; ".join(problems), tuple(problems))
    beside = path.parent / str(raw.get("model", ""))
    if raw.get("model") and beside.is_dir():
        raw["model"] = str(beside)
    try:
        file = ScorerFile.model_validate(raw)
        problems = [] if policies is None else _unknown_policies(file.labels, policies, str(path))
    except ValidationError as error:
        problems = explain(error, {}, str(path))
    if problems:
        raise SettingsError("; ".join(problems), tuple(problems))
    return file


def _unknown_policies(labels: dict[str, str], policies: Collection[str], source: str) -> list[str]:
    problems = []
    for label, policy in labels.items():
        if policy not in policies:
            near = get_close_matches(policy, policies, n=1)
            meant = f"; did you mean {near[0]!r}?" if near else ""
            known = ", ".join(sorted(policies))
            problems.append(f"{source}: labels.{label}: {policy!r} is no policy{meant} (known: {known})")
    return problems
