"""Where gold lacks, and a round about it: /v1/coverage."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from api.auth import Lead, Role, require
from api.coverage import SAMPLES, items_covered, open_round, read_coverage
from api.ids import JOB_ID
from api.problems import documented
from api.routes.figures import FIRST, After, FigureOut, ItemPageOut, Limit
from api.routes.state import TheGoldfold
from labeling.insights.coverage import KINDS
from labeling.insights.coverage_rounds import Opened
from labeling.insights.traffic import SAMPLE, TEXT, Frame
from labeling.quality.coverage import NEAR

router = APIRouter(prefix="/v1/coverage", tags=["coverage"], responses=documented(404, 409))
EXAMPLE = {"cluster": "c412x200000-1a2b3c4d", "policies": ["hate_speech"], "budget": 50, "dry_run": True}


class ClusterRoundIn(BaseModel):
    """A round over a cluster; what is left out comes from the settings."""

    model_config = ConfigDict(extra="forbid")

    cluster: str = Field(max_length=80, description="Its id, as the coverage tells it.")
    policies: list[str] = Field([], description="Default: all that the scorer judges.")
    budget: int | None = Field(None, ge=1)
    overlap: int | None = Field(None, ge=1, le=10)
    cosine: float = Field(NEAR, gt=0, le=1, description="From where on an item is near gold, and not asked about.")
    round_id: str | None = Field(None, pattern=JOB_ID, description="Default: coverage-CLUSTER.")
    dry_run: bool = Field(True, description="Show the picks; write nothing.")


class ClusterPickOut(BaseModel):
    """A pick of such a round."""

    item_id: str
    policy: str
    reasons: list[str]


class ClusterRoundOut(BaseModel):
    """A round over a cluster, or what it would ask."""

    round_id: str
    cluster: str
    items: int = Field(description="In the cluster.")
    dark: int = Field(description="Of these, near no gold that may be told.")
    picks: list[ClusterPickOut]
    notes: list[str]
    again: bool = Field(description="The round was there.")
    dry_run: bool

    @classmethod
    def of(cls, made: Opened) -> ClusterRoundOut:
        return cls(
            round_id=made.round_id,
            cluster=made.cluster,
            items=made.items,
            dark=made.dark,
            picks=[
                ClusterPickOut(item_id=pick.item_id, policy=pick.policy_id, reasons=list(pick.reasons))
                for pick in made.picks
            ],
            notes=list(made.notes),
            again=made.again,
            dry_run=made.dry_run,
        )


class GoldOut(BaseModel):
    """The golden texts that traffic is held against."""

    items: int
    partitions: dict[str, int]
    without_embedding: int


class RungOut(FigureOut):
    """The share near gold, were ``cosine`` called near."""

    cosine: float


class ClusterOut(BaseModel):
    """A cluster of the traffic. ``gold``, ``near``, ``near_risky`` and ``exemplars`` by gold that may be told."""

    cluster: str
    words: list[str]
    items: int
    looked_at: int
    risky: int
    dark_risk: float
    gold: int
    near: FigureOut
    near_risky: FigureOut
    exemplars: list[str] = Field(description="Ids of up to five dark items that nobody was asked about.")


class CoverageOut(BaseModel):
    """How much of the traffic lies near gold; clusters from the darkest on."""

    policy: str
    cosine: float
    lake_version: int
    modality: str
    items: int
    looked_at: int
    left_out: int
    others: dict[str, int] = Field(description="Items of other modalities, for which no figure here speaks.")
    gold: GoldOut
    near: FigureOut
    near_risky: FigureOut
    ladder: list[RungOut]
    divergence: FigureOut = Field(description="In bits, of gold from risky traffic; beside `by_chance`.")
    clusters: list[ClusterOut]


@router.get("", dependencies=[Depends(require(Role.LEAD))])
def get_coverage(
    goldfold: TheGoldfold,
    policy: str = "",
    cosine: Annotated[float, Query(gt=0, le=1)] = NEAR,
    sample: Annotated[int, Query(description=f"One of {', '.join(map(str, SAMPLES))}.")] = SAMPLE,
    modality: Annotated[str, Query(description="text or image: each by itself.")] = TEXT,
    words: Annotated[bool, Query(description="Name clusters by words of their texts.")] = False,
) -> CoverageOut:
    """The share of traffic near gold, how far gold is from risky traffic, and the clusters, the darkest first."""
    return CoverageOut.model_validate(read_coverage(goldfold, policy, cosine, sample, modality=modality, words=words))


@router.get("/items", dependencies=[Depends(require(Role.LEAD))])
def list_items(
    goldfold: TheGoldfold,
    kind: Annotated[str, Query(description=f"One of {', '.join(KINDS)}.")] = KINDS[0],
    cluster: Annotated[str, Query(max_length=80, description="Of this cluster alone.")] = "",
    policy: str = "",
    cosine: Annotated[float, Query(gt=0, le=1)] = NEAR,
    version: Annotated[int, Query(ge=0, description="Of the lake; 0: now.")] = 0,
    sample: int = SAMPLE,
    modality: Annotated[str, Query(description="text or image.")] = TEXT,
    after: After = "",
    limit: Limit = FIRST,
) -> ItemPageOut:
    """The items behind a figure of coverage, a page at a time; each page looks at the traffic again."""
    frame = Frame(version, sample, modality)
    found = items_covered(goldfold, frame, kind, cluster=cluster, policy=policy, cosine=cosine)
    return ItemPageOut.of(goldfold, found, after, limit)


@router.post("/rounds")
def post_round(
    goldfold: TheGoldfold, caller: Lead, given: Annotated[ClusterRoundIn, Body(examples=[EXAMPLE])]
) -> ClusterRoundOut:
    """A round over the dark items of a cluster; a dry run unless told otherwise. The next sync sends its tasks."""
    made = open_round(
        goldfold,
        given.cluster,
        caller.key_id,
        budget=given.budget,
        policies=given.policies,
        overlap=given.overlap,
        cosine=given.cosine,
        round_id=given.round_id or "",
        dry_run=given.dry_run,
    )
    return ClusterRoundOut.of(made)
