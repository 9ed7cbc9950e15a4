"""The rows of a request for scores: what a sender gives, and what it gets back, each row for itself."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from api.online.tickets import Row
from labeling.policies import Policies

DECIMALS = 6


class ItemIn(BaseModel):
    """One text. ``id`` comes back with its scores; ``policies``: only these, left out: all that the scorer judges."""

    model_config = ConfigDict(extra="forbid", strict=True, title="ScoreItem")

    id: str | None = Field(default=None, min_length=1, max_length=256)
    text: str
    policies: list[str] | None = Field(default=None, min_length=1)

    @field_validator("id")
    @classmethod
    def _can_be_sent_back(cls, given: str | None) -> str | None:
        if given is not None and not given.isprintable():
            raise ValueError("must be printable")
        return given


class ItemScores(BaseModel):
    """One text's scores, or in ``error`` why there are none."""

    id: str | None
    probabilities: dict[str, float] = Field(description="policy -> P(violates), in [0, 1]")
    above_threshold: dict[str, bool] = Field(description="policy -> whether that is at or above its threshold")
    disagreement: dict[str, float] | None = Field(
        default=None, description="policy -> how far a committee's members differ, in nats; null: the scorer is none"
    )
    notes: list[str] = Field(description="What the scores do not say, such as that a long text was cut.")
    error: str | None


@dataclass(frozen=True, slots=True)
class Given:
    """A row as it was given: an item to score, or why it is none. ``id`` is what can be told of it either way."""

    id: str | None
    item: ItemIn | None
    error: str | None = None


def read(number: int, raw: object, policies: Collection[str], max_text_chars: int) -> Given:
    """Row ``number`` of a request. Never raises; the error names row and field, and repeats no content."""
    try:
        item = ItemIn.model_validate(raw)
    except ValidationError as error:
        where = [".".join(["items", str(number), *map(_plain, one["loc"])]) for one in error.errors()]
        said = [f"{place}: {one['msg']}" for place, one in zip(where, error.errors(), strict=True)]
        return Given(_id_of(raw), None, "; ".join(said))
    if len(item.text) > max_text_chars:
        fault = f"text: has {len(item.text)} characters, more than {max_text_chars} (setting max_text_chars)"
        return Given(item.id, None, f"items.{number}.{fault}")
    unknown = sorted(set(item.policies or ()) - set(policies))
    if unknown:
        fault = f"policies: unknown: {', '.join(map(_plain, unknown))}; use some of {', '.join(sorted(policies))}"
        return Given(item.id, None, f"items.{number}.{fault}")
    return Given(item.id, item)


def answer(number: int, item: ItemIn, row: Row, policies: Policies) -> ItemScores:
    """What the sender of row ``number`` gets."""
    asked = row.probabilities if item.policies is None else item.policies
    if row.error is not None:
        return refused(item.id, f"items.{number}: {row.error}")
    bare = [policy for policy in asked if policy not in row.probabilities]
    if bare:
        return refused(item.id, f"items.{number}.policies: the scorer does not judge {', '.join(sorted(bare))}")
    found = {policy: row.probabilities[policy] for policy in asked}
    return ItemScores(
        id=item.id,
        probabilities={policy: round(p, DECIMALS) for policy, p in found.items()},
        above_threshold={policy: bool(np.float32(p) >= policies[policy].threshold) for policy, p in found.items()},
        disagreement=_only(row.disagreement, asked),
        notes=list(row.notes),
        error=None,
    )


def _only(told: dict[str, float] | None, asked: Collection[str]) -> dict[str, float] | None:
    return None if told is None else {policy: round(told[policy], DECIMALS) for policy in asked}


def refused(item_id: str | None, error: str) -> ItemScores:
    """A row without scores."""
    return ItemScores(id=item_id, probabilities={}, above_threshold={}, notes=[], error=error)


def _id_of(raw: object) -> str | None:
    """The id of a row with another fault, when it is one that can be sent back."""
    given = raw.get("id") if isinstance(raw, dict) else None
    return given if isinstance(given, str) and len(given) <= 256 and given.isprintable() else None


def _plain(part: object) -> str:
    """A word of the sender's own, safe in an answer; half a surrogate pair would break it."""
    text = str(part)[:80]
    return text if text.isprintable() else "(not printable)"
