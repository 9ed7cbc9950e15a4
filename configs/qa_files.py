"""The QA file: what daily QA holds projects to, and what production's words mean."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from configs.errors import SettingsError
from configs.files import explain, local, read_mapping, refuse_unknown

Target = Annotated[float, Field(gt=0, lt=1)]


class QaFile(BaseModel):
    """Targets and meanings for daily QA."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    accuracy: Target = Field(
        default=0.95, description="Share of right decisions that a project is held to, where `projects` does not say."
    )
    projects: dict[str, Target] = Field(
        default={}, description="Share of right decisions that each project is held to, by its name."
    )
    actions: dict[str, Literal["violates", "ok"]] = Field(
        default={},
        description="The outcome that an action belongs to; a decision whose action belongs to the other one is a "
        "technical error. Actions that are not named are not held to anything.",
    )
    people: dict[str, str] = Field(
        default={},
        description="Address in Label Studio of a person, by the id that decisions give in `who`; where that is the "
        "address itself, nothing need be said.",
    )


def read_qa_file(path: Path | None) -> QaFile:
    """The file, or what holds without one. Raises SettingsError naming every key that is wrong."""
    if path is None:
        return QaFile()
    file = local(path)
    given = read_mapping(file)
    problems = refuse_unknown(given, QaFile.model_fields, str(file))
    if not problems:
        try:
            return QaFile.model_validate(given)
        except ValidationError as error:
            problems = explain(error, {}, str(file))
    raise SettingsError("; ".join(problems), tuple(problems))
