"""Policies and their versions: /v1/policies. What a change would touch, publishing one, and what follows from it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Query, status
from pydantic import BaseModel, ConfigDict, Field

from api.auth import Engineer, Lead, Role, require
from api.composition import Goldfold
from api.ids import JOB_ID
from api.policy_changes import (
    BRIDGE_ITEMS,
    Follow,
    bridge,
    drafted,
    foresee,
    progressed,
    relabel,
    stale_rows,
    standing,
    standings,
    told,
)
from api.policy_proposals import release
from api.problems import documented
from api.routes.figures import FIRST, After, FigureOut, ItemPageOut, Limit
from api.routes.rounds import RoundOut
from api.routes.state import TheGoldfold
from labeling.policies import Policy
from labeling.policy_bridge import bridge_items, bridge_report
from labeling.policy_publish import Change, history_of
from labeling.policy_texts import difference
from labeling.policy_versions import ChangeKind, PolicyVersion, published

router = APIRouter(prefix="/v1/policies", tags=["policies"], responses=documented(404, 409, 503))
EXAMPLE = {"kinds": ["tighten"], "reason": "slurs in song titles", "rules": ["slurs"], "budget": 100}
MAX_ROWS = 10_000


class StandingOut(BaseModel):
    """A policy as it stands; ``draft``: its file holds a version that is not published."""

    policy: str
    version: str | None
    state: str = Field(description="in force, no file, not published or retired")
    file: str | None = Field(description="The version in the service's own file.")
    draft: bool
    stale: int = Field(description="golden items")
    active: int
    stale_share: float


class VersionOut(BaseModel):
    """A version as it was published."""

    version: str
    parent: str | None
    content_hash: str = Field(description="SHA-256 of the text without its threshold.")
    reason: str
    actor: str
    at: datetime
    kinds: list[ChangeKind]
    rules: list[str]
    predecessors: list[str]

    @classmethod
    def of(cls, version: PolicyVersion) -> VersionOut:
        return cls.model_validate(told(version))


class TextOut(VersionOut):
    """The same with its text."""

    text: Policy

    @classmethod
    def of(cls, version: PolicyVersion) -> TextOut:
        return cls.model_validate({**told(version), "text": version.policy})


class DifferenceOut(BaseModel):
    """In what two versions differ; ``lines``: a unified diff of the YAML."""

    model_config = ConfigDict(from_attributes=True)

    a: str
    b: str
    keys: list[str]
    rules: dict[str, list[str]]
    lines: list[str]


class ChangeIn(BaseModel):
    """A change of a policy, as `goldfold policy publish` takes it."""

    model_config = ConfigDict(extra="forbid")

    text: Policy | None = Field(None, description="The new text; left out: that of the service's own file.")
    kinds: list[ChangeKind] = Field(min_length=1, max_length=7)
    reason: str = Field(min_length=1, max_length=2000, description="Why it changes; kept for good.")
    rules: list[str] = Field([], max_length=100, description="Rules that the change is about.")
    predecessors: list[str] = Field([], max_length=100, description="Policies that a split or a merge comes from.")

    def draft(self, goldfold: Goldfold, policy_id: str) -> Policy:
        return drafted(goldfold, policy_id, self.text, self.kinds)

    def change(self, actor: str) -> Change:
        kinds = tuple(kind for kind in ChangeKind if kind in self.kinds)
        return Change(kinds, self.reason, actor, tuple(self.rules), tuple(self.predecessors))


class PublishIn(ChangeIn):
    """With what is to follow."""

    budget: int | None = Field(
        None, ge=0, description="Labels asked again at most; 0: no relabel round. Left out: the setting budget."
    )
    bridge: int = Field(BRIDGE_ITEMS, ge=0, le=10_000, description="Items of the bridge; 0: none.")


class RelabelIn(BaseModel):
    """A relabel round."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"budget": 100}})

    budget: int | None = Field(None, ge=1, description="Labels asked again at most; left out: the setting budget.")
    round_id: str | None = Field(None, pattern=JOB_ID)


class AskedOut(BaseModel):
    """What asking again would bring and cost. ``flips``: labels that are expected to turn."""

    labels: int
    flips: FigureOut
    by_severity: dict[str, float]
    by_model: int
    minutes: float
    exposure: float
    bridge: int


class PreviewOut(BaseModel):
    """What publishing would touch and cost."""

    versions: list[dict[str, Any]]
    touched: list[dict[str, Any]]
    stale: int
    retired: int
    sealed_at_most: int
    asked: AskedOut
    difference: dict[str, Any] | None


class BridgeOut(BaseModel):
    """What a bridge says: of its frame's items, the share that flips, by direction."""

    policy_id: str
    old_version: str
    new_version: str
    frame: int
    sample: int
    answered: int
    undecided: int
    waiting: int
    lost: int
    figures: dict[str, FigureOut]
    licence: str
    golden_version: str


class BridgeIn(BaseModel):
    """A sample to label under both versions."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"items": 200}})

    items: int = Field(BRIDGE_ITEMS, ge=1, le=10_000)


Rows = Annotated[int, Query(ge=1, le=MAX_ROWS)]
ChangeBody = Annotated[ChangeIn, Body(examples=[{name: EXAMPLE[name] for name in ("kinds", "reason", "rules")}])]
PublishBody = Annotated[PublishIn, Body(examples=[EXAMPLE])]


@router.get("", dependencies=[Depends(require(Role.VIEWER))])
def list_policies(goldfold: TheGoldfold) -> list[StandingOut]:
    """Every policy: the version in force, a draft that waits, and how much of its gold is stale."""
    return [StandingOut.model_validate(row) for row in standings(goldfold)]


@router.get("/{policy_id}", dependencies=[Depends(require(Role.VIEWER))])
def get_policy(goldfold: TheGoldfold, policy_id: str) -> StandingOut:
    """One policy."""
    return StandingOut.model_validate(standing(goldfold, policy_id))


@router.get("/{policy_id}/versions", dependencies=[Depends(require(Role.VIEWER))])
def list_versions(goldfold: TheGoldfold, policy_id: str, limit: Rows = 200) -> list[VersionOut]:
    """What was published of a policy, the newest first, with who did it and why."""
    return [VersionOut.of(version) for version in reversed(history_of(goldfold.ledger, policy_id)[-limit:])]


@router.get("/{policy_id}/versions/{version}", dependencies=[Depends(require(Role.VIEWER))])
def get_version(goldfold: TheGoldfold, policy_id: str, version: str) -> TextOut:
    """One version, with its text."""
    return TextOut.of(published(history_of(goldfold.ledger, policy_id), version))


@router.get("/{policy_id}/versions/{version}/diff/{other}", dependencies=[Depends(require(Role.VIEWER))])
def compare(goldfold: TheGoldfold, policy_id: str, version: str, other: str) -> DifferenceOut:
    """In what one version differs from the other."""
    history = history_of(goldfold.ledger, policy_id)
    before, after = (published(history, name).policy for name in (version, other))
    names = (f"{policy_id}@{name}" for name in (version, other))
    return DifferenceOut.model_validate(difference(before, after, *names))


@router.post("/{policy_id}/preview", dependencies=[Depends(require(Role.ENGINEER))])
def preview_change(goldfold: TheGoldfold, policy_id: str, given: ChangeBody) -> PreviewOut:
    """What publishing would touch and cost; nothing is written: golden items by kind (`touched`; of sealed ones no more
    than `sealed_at_most`), and what asking about them again would bring (`asked.flips` expected) and cost people
    (`asked.minutes`)."""
    made = foresee(goldfold, given.draft(goldfold, policy_id), given.change("preview"))
    return PreviewOut.model_validate(made.as_dict())


@router.post("/{policy_id}/versions", status_code=status.HTTP_201_CREATED)
def publish_version(goldfold: TheGoldfold, caller: Lead, policy_id: str, given: PublishBody) -> dict[str, Any]:
    """Publish: it is in force from now on, the gold that it touches is stale, a relabel round and a bridge follow. With
    the setting `two_person_release` it is proposed only, until the key of another lead approves it."""
    budget = goldfold.settings.budget if given.budget is None else given.budget
    follow = Follow(budget, given.bridge)
    return asdict(release(goldfold, given.draft(goldfold, policy_id), given.change(caller.key_id), follow))


@router.get("/{policy_id}/stale", dependencies=[Depends(require(Role.LEAD))])
def list_stale(goldfold: TheGoldfold, policy_id: str, limit: Rows = 200) -> dict[str, Any]:
    """Stale labels that nobody is asked about yet, the next to be asked first. Sealed ones are counted, not named."""
    return asdict(stale_rows(goldfold, policy_id, limit))


@router.get("/{policy_id}/progress", dependencies=[Depends(require(Role.VIEWER))])
def get_progress(goldfold: TheGoldfold, policy_id: str) -> dict[str, Any]:
    """How far the stale labels have been given again: by partition and by relabel round, and what is left."""
    return asdict(progressed(goldfold, policy_id))


@router.post("/{policy_id}/relabel", status_code=status.HTTP_201_CREATED)
def open_relabel_round(goldfold: TheGoldfold, caller: Engineer, policy_id: str, given: RelabelIn) -> RoundOut:
    """Open the next round over the stale labels, by the chance of a flip times severity; a sync sends it."""
    budget = given.budget or goldfold.settings.budget
    made = relabel(goldfold, policy_id, budget, given.round_id or "", actor=caller.key_id)
    return RoundOut.of(made, goldfold.ledger.tasks.counts(made.round_id))


@router.get("/{policy_id}/bridge", dependencies=[Depends(require(Role.VIEWER))])
def get_bridge(goldfold: TheGoldfold, policy_id: str, version: str = "") -> BridgeOut:
    """What share of items a change flips, by direction (`version`: the change to that one, else the newest that has a
    bridge); no figure before every side is answered."""
    return BridgeOut.model_validate(bridge_report(goldfold.ledger, policy_id, version).as_dict())


@router.get("/{policy_id}/bridge/items", dependencies=[Depends(require(Role.ENGINEER))])
def list_bridge(
    goldfold: TheGoldfold, policy_id: str, version: str = "", after: After = "", limit: Limit = FIRST
) -> ItemPageOut:
    """The items that a bridge was drawn over, a page at a time."""
    return ItemPageOut.of(goldfold, bridge_items(goldfold.ledger.rounds, policy_id, version), after, limit)


@router.post("/{policy_id}/bridge", status_code=status.HTTP_201_CREATED)
def open_bridge_rounds(goldfold: TheGoldfold, caller: Engineer, policy_id: str, given: BridgeIn) -> dict[str, Any]:
    """Draw a sample and ask about it under the version in force and the one before, where there is no bridge yet."""
    return asdict(bridge(goldfold, policy_id, given.items, actor=caller.key_id))
