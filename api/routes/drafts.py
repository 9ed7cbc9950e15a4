"""What routes share that draft by a chat service: who drafts, and a draft. Nothing is sent that nobody asked for."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from labeling.insights.drafts import DRAFT

EndpointName = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$",
        description="An endpoint file of `judges_dir` whose `allow_content` is true; what people wrote is sent there.",
    ),
]


class DraftIn(BaseModel):
    """Who drafts."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"endpoint": "gpt"}})

    endpoint: EndpointName


class DraftOut(BaseModel):
    """A suggestion that nobody has checked; it is told once, and kept nowhere."""

    model_config = ConfigDict(from_attributes=True)

    about: str = Field(description="The finding, or the step.")
    code: str | None = Field(description="Of a cause.")
    text: str
    by: str = Field(description="The model, by its own word.")
    status: Literal["draft"] = DRAFT
    warning: str
