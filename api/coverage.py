"""Coverage in an installation: its scorer and settings around the use cases."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from api.composition import Goldfold
from api.ids import check_id
from labeling.errors import InvalidInput
from labeling.insights.coverage import Asked, coverage
from labeling.insights.coverage_items import coverage_items
from labeling.insights.coverage_rounds import Opened, Order, open_cluster
from labeling.insights.traffic import SAMPLE, Frame
from labeling.quality.coverage import NEAR

SAMPLES = (2_000, 20_000, SAMPLE)  # a few sizes only: one item more or less would tell whether it lies near sealed gold
Json = dict[str, Any]
Tick = Callable[[int, int], None]


def read_coverage(
    goldfold: Goldfold,
    policy: str = "",
    cosine: float = NEAR,
    sample: int = SAMPLE,
    *,
    words: bool = False,
    tick: Tick = lambda _done, _all: None,
) -> Json:
    """How much of the traffic lies near gold, and the darkest clusters. Raises InvalidInput, NothingToDo."""
    if sample not in SAMPLES:
        raise InvalidInput(f"sample: must be one of {', '.join(map(str, SAMPLES))}, found {sample}")
    asked = Asked(policy, cosine, Frame(sample=sample), words)
    return coverage(goldfold.ledger, goldfold.lake, goldfold.scorer(), goldfold.operating(), asked, tick)


def items_covered(
    goldfold: Goldfold, frame: Frame, kind: str, *, cluster: str = "", policy: str = "", cosine: float = NEAR
) -> list[str]:
    """The items behind a figure of coverage. Raises InvalidInput, NotFound, NothingToDo."""
    if not cluster and frame.sample not in SAMPLES:
        raise InvalidInput(f"sample: must be one of {', '.join(map(str, SAMPLES))}, found {frame.sample}")
    how = {"cluster": cluster, "policy": policy}
    scorer, policies = goldfold.scorer(), goldfold.operating()
    return coverage_items(goldfold.ledger, goldfold.lake, scorer, policies, frame, kind, cosine=cosine, **how)


def open_round(
    goldfold: Goldfold,
    cluster: str,
    actor: str,
    *,
    budget: int | None = None,
    policies: Sequence[str] = (),
    overlap: int | None = None,
    cosine: float = NEAR,
    round_id: str = "",
    dry_run: bool,
) -> Opened:
    """Open a round over a cluster, or show what it would ask. Raises InvalidInput, NotFound, NothingToDo, Conflict,
    SelectionError."""
    given = goldfold.settings
    order = Order(
        cluster=cluster,
        budget=given.budget if budget is None else budget,
        policies=tuple(policies),
        overlap=given.overlap if overlap is None else overlap,
        cosine=cosine,
        duplicate_cosine=given.duplicate_cosine,
        round_id=check_id(round_id) if round_id else "",
    )
    stores, lake = goldfold.ledger, goldfold.lake
    return open_cluster(stores, lake, goldfold.scorer(), goldfold.operating(), order, actor, dry_run=dry_run)
