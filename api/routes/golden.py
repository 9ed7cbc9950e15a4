"""The golden set: /v1/golden. Publish a version, verify it, export it for a trainer."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Depends, Query, status
from pydantic import BaseModel, ConfigDict, Field

from api.auth import Engineer, Lead, Role, require
from api.golden import enclosing
from api.problems import documented
from api.routes.state import TheGoldfold
from labeling.exports import hand_out
from labeling.golden.audit import check
from labeling.golden.planner import round_for
from labeling.golden.publish import publish, shown_outcome
from labeling.pictures import LakePictures
from labeling.records import GoldenVersion, Partition, VersionState
from labeling.suspects import kept

router = APIRouter(prefix="/v1/golden", tags=["golden"], responses=documented(404, 409, 503))
Bump = Literal["patch", "minor", "major"]
EXPORT_EXAMPLE = {"form": "parquet", "partitions": ["train"]}


class StratumOut(BaseModel):
    """How many golden items there are now of one kind."""

    policy: str
    partition: Partition
    tier: str
    state: str
    outcome: str
    items: int


class VersionOut(BaseModel):
    """An immutable release. ``counts``: rows by partition."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "version": "1.1.0",
                "name": "1.1.0",
                "parent": "1.0.0",
                "merkle_root": "6d2f...",
                "counts": {"train": 412, "dev": 96},
                "created_at": "2026-01-31T09:30:00Z",
                "state": "released",
                "author": "3f2a",
                "decided_by": "",
                "events": 508,
                "events_sha256": "91c0...",
            }
        }
    )

    version: str
    name: str = Field(description="With its erasures: 1.0.0+e2 after two, under the same Merkle root.")
    parent: str | None
    merkle_root: str
    counts: dict[str, int]
    created_at: datetime
    state: VersionState = Field(description="Only a released version is exported, trained on or judged by.")
    author: str
    decided_by: str = Field(description='Who approved or rejected it; "": nobody had to, or has yet.')
    events: int = Field(description="The event of the chain after which it was made.")
    events_sha256: str

    @classmethod
    def of(cls, version: GoldenVersion) -> VersionOut:
        return cls(
            version=version.version,
            name=version.name,
            parent=version.parent,
            merkle_root=version.merkle_root,
            counts=version.counts,
            created_at=version.created_at,
            state=version.state,
            author=version.author,
            decided_by=version.decided_by,
            events=version.events,
            events_sha256=version.events_sha256,
        )


class PublishIn(BaseModel):
    """``bump`` may ask for a higher step than the changes need."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"bump": None}})

    bump: Bump | None = None


class VerifiedOut(BaseModel):
    """Every hash was computed anew and matches: of ``events`` of the chain, and of ``rows`` in these versions."""

    model_config = ConfigDict(from_attributes=True)

    versions: list[str]
    rows: int
    events: int


class ExportIn(BaseModel):
    """What to write. Sealed answers never leave."""

    model_config = ConfigDict(extra="forbid")

    form: Literal["parquet", "jsonl", "csv", "label-studio"] = "parquet"
    partitions: list[Literal["train", "calibration", "dev", "anchor"]] = Field(["train"], min_length=1, max_length=4)
    recipient: str = Field("", max_length=200, description="Who gets it; they are told when an item is erased.")
    media: Literal["none", "files", "bytes"] = Field(
        "none", description="Images: hash and place alone, files beside the rows, or bytes in Parquet."
    )
    media_licence: str = Field("", max_length=500, description="What the images may be used for.")


class ExportOut(BaseModel):
    """Where the export lies on the service's machine."""

    version: str
    folder: str
    form: str
    rows: int
    counts: dict[str, int]


@router.get("", dependencies=[Depends(require(Role.VIEWER))])
def get_golden(goldfold: TheGoldfold) -> list[StratumOut]:
    """The golden set as it is now, counted."""
    counts = Counter(
        (i.policy_id, i.partition, str(i.tier), str(i.state), shown_outcome(i)) for i in goldfold.ledger.golden.items()
    )
    return [
        StratumOut(policy=policy, partition=partition, tier=tier, state=state, outcome=outcome, items=n)
        for (policy, partition, tier, state, outcome), n in sorted(counts.items())
    ]


@router.get("/errors", dependencies=[Depends(require(Role.LEAD))])
def list_label_errors(goldfold: TheGoldfold) -> dict[str, Any]:
    """Settled labels of the partition train that look wrong, as `goldfold golden errors` last found them."""
    return kept(goldfold.ledger.golden, goldfold.cache_dir)


@router.get("/plan", dependencies=[Depends(require(Role.VIEWER))])
def get_plan(
    goldfold: TheGoldfold,
    partition: Literal["train", "calibration", "dev"] = "dev",
    share: Annotated[float, Query(gt=0, lt=1)] = 0.9,
    half_width: Annotated[float, Query(gt=0, lt=0.5)] = 0.1,
    budget: Annotated[int | None, Query(ge=1, description="Also give the round of so many picks.")] = None,
) -> dict[str, Any]:
    """How many rows each stratum has and needs; ``round``: what to post to /v1/rounds to close the gaps."""
    plan = goldfold.gold_plan(partition, share, half_width)
    return plan.as_dict() | ({"round": round_for(plan, budget)} if budget else {})


@router.get("/versions", dependencies=[Depends(require(Role.VIEWER))])
def list_versions(goldfold: TheGoldfold) -> list[VersionOut]:
    """Every version, oldest first: released, proposed and rejected ones."""
    return [VersionOut.of(version) for version in goldfold.ledger.golden.versions(everything=True)]


@router.post("/versions", status_code=status.HTTP_201_CREATED)
def publish_version(goldfold: TheGoldfold, caller: Lead, given: PublishIn) -> VersionOut:
    """Publish what is golden now; the number says what changed. With the setting `two_person_release` it is proposed
    only, until the key of another lead approves it."""
    made = publish(
        goldfold.ledger.golden,
        goldfold.golden_dir,
        datetime.now(UTC),
        bump=given.bump,
        author=caller.key_id,
        two_person=goldfold.settings.two_person_release,
    )
    version = goldfold.ledger.golden.version(made.version)
    goldfold.ledger.audit.add(caller.key_id, "golden.publish", version.version, {"root": version.merkle_root})
    return VersionOut.of(version)


@router.get("/versions/{version}", dependencies=[Depends(require(Role.VIEWER))])
def get_version(goldfold: TheGoldfold, version: str) -> VersionOut:
    """One version."""
    return VersionOut.of(goldfold.ledger.golden.version(version))


@router.post("/verify", dependencies=[Depends(require(Role.ENGINEER))])
def verify_everything(goldfold: TheGoldfold) -> VerifiedOut:
    """Compute every hash of the event chain, the set and all versions; tampering is named (500, integrity-error)."""
    return VerifiedOut.model_validate(check(goldfold.ledger.golden))


@router.post("/versions/{version}/verify", dependencies=[Depends(require(Role.ENGINEER))])
def verify_version(goldfold: TheGoldfold, version: str) -> VerifiedOut:
    """The same for the chain, the set and this version."""
    return VerifiedOut.model_validate(check(goldfold.ledger.golden, version))


@router.post("/versions/{version}/exports", status_code=status.HTTP_201_CREATED)
def export_version(
    goldfold: TheGoldfold,
    version: str,
    caller: Engineer,
    given: Annotated[ExportIn, Body(examples=[EXPORT_EXAMPLE])],
) -> ExportOut:
    """Write partitions for a trainer into the service's exports folder; a training export that leaks is refused."""
    name = f"{version}-{'-'.join(given.partitions)}-{given.form}"
    folder = goldfold.exports_dir / (name if given.media == "none" else f"{name}-{given.media}")
    done = hand_out(
        goldfold.ledger,
        version,
        folder,
        actor=caller.key_id,
        recipient=given.recipient,
        form=given.form,
        partitions=given.partitions,
        vectors=goldfold.vectors(),
        pictures=LakePictures(goldfold.lake),
        cosine=goldfold.duplicate_cosine,
        enclosing=enclosing(goldfold, given.media, given.media_licence),
    )
    goldfold.ledger.audit.add(caller.key_id, "golden.export", version, {"folder": str(folder), "rows": done.rows})
    return ExportOut(version=version, folder=str(folder), form=done.form, rows=done.rows, counts=done.counts)
