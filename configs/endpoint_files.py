"""Endpoint files: YAML that names an OpenAI-compatible chat service, and how it is asked to judge golden items."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from configs.errors import SettingsError
from configs.files import explain, local, read_mapping, refuse_unknown
from configs.scorer_kinds import Name, service


class EndpointFile(BaseModel):
    """A chat service that judges: who it is, what it may be sent, how it is asked, and what that costs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: Annotated[str, AfterValidator(service)] = Field(
        description="Its address up to the version, such as https://host/v1; https, or http to this machine."
    )
    model: Name = Field(description="The name of the model.")
    key_env: Name | None = Field(
        default=None, description="The environment variable that holds the key; none: it needs no key."
    )
    allow_content: bool = Field(
        default=False,
        strict=True,
        description="Whether content of items may be sent there. Nothing is asked without it, and its owner may keep "
        "what is sent.",
    )
    allow_sealed: bool = Field(
        default=False,
        strict=True,
        description="Whether sealed items and anchors may be sent there too. Whoever keeps them can learn them, and "
        "then they are no exam for that model any more.",
    )
    private: bool = Field(
        default=False, strict=True, description="Whether its address may be one of a private network, or this machine."
    )
    policies: list[Name] | None = Field(
        default=None, min_length=1, description="Ids of the policies that it judges; none: all there are."
    )
    repeats: int = Field(default=3, ge=1, le=25, description="Answers that are asked for each item and policy.")
    temperature: float | None = Field(
        default=0.0,
        ge=0,
        le=2,
        description="Temperature of an answer; null: the service's own.",
    )
    answer_format: Literal["json_schema", "json_object", "none"] = Field(
        default="json_schema", description="How the service is told to answer in JSON; none: by the prompt alone."
    )
    max_tokens: int = Field(default=200, ge=1, le=100_000, description="Most tokens of one answer, reasoning included.")
    limit_key: Literal["max_tokens", "max_completion_tokens"] = Field(
        default="max_tokens", description="What the service calls that limit."
    )
    max_chars: int = Field(default=20_000, ge=1, description="Longest text sent; a longer one loses its middle.")
    timeout_s: float = Field(
        default=60.0, gt=0, description="Seconds that one answer may take, from the request to its last byte."
    )
    deadline_s: float = Field(
        default=3600.0, gt=0, description="Seconds after which a run asks nothing more; run again, it goes on."
    )
    attempts: int = Field(default=6, ge=1, description="Tries of one request, with growing waits in between.")
    concurrency: int = Field(default=4, ge=1, le=64, description="Requests at a time.")
    per_million_in: float = Field(default=0.0, ge=0, description="Price of a million tokens that are sent.")
    per_million_out: float = Field(default=0.0, ge=0, description="Price of a million tokens that are answered.")


def endpoint_path(named: Path | str, folder: Path | None = None) -> Path:
    """The file that ``named`` means: ``<named>.yaml`` in ``folder``, else a path. Raises SettingsError."""
    if folder is not None and Path(named).name == str(named):
        path = folder / f"{named}.yaml"
        if path.is_file():
            return path
    if local(named).is_file():
        return local(named)
    where = f"no {named}.yaml in judges_dir ({folder})" if folder is not None else "and judges_dir is not set"
    raise SettingsError(f"{named}: cannot be read: there is no such endpoint file, {where}")


def read_endpoint(path: Path, policies: Collection[str]) -> EndpointFile:
    """Read one endpoint file. Raises SettingsError naming the file and every wrong key, and each of its policies that
    is not among ``policies``."""
    raw = read_mapping(path)
    problems = refuse_unknown(raw, EndpointFile.model_fields, str(path))
    if problems:
        raise SettingsError("; ".join(problems), tuple(problems))
    try:
        file = EndpointFile.model_validate(raw)
        problems = [_unknown(name, policies, path) for name in file.policies or () if name not in policies]
    except ValidationError as error:
        problems = explain(error, {}, str(path))
    if problems:
        raise SettingsError("; ".join(problems), tuple(problems))
    return file


def _unknown(name: str, policies: Collection[str], path: Path) -> str:
    near = get_close_matches(name, policies, n=1)
    meant = f"; did you mean {near[0]!r}?" if near else ""
    return f"{path}: policies: {name!r} is no policy{meant} (known: {', '.join(sorted(policies))})"
