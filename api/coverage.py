"""Coverage in an installation: its scorer and settings around the use cases."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from api.composition import Goldfold
from api.ids import check_id
from api.image_models import UNSET
from labeling.errors import InvalidInput, NothingToDo
from labeling.insights.coverage import Asked, coverage
from labeling.insights.coverage_items import coverage_items
from labeling.insights.coverage_rounds import Images, Opened, Order, open_cluster
from labeling.insights.traffic import IMAGE, LETTERS, SAMPLE, TEXT, Frame, frame_of
from labeling.judging.operating import under
from labeling.policies import Policies
from labeling.quality.coverage import NEAR
from labeling.round_images import NOT_SET_UP, hashes
from labeling.scorebook import Judge

SAMPLES = (2_000, 20_000, SAMPLE)  # a few sizes only: one item more or less would tell whether it lies near sealed gold
Json = dict[str, Any]
Tick = Callable[[int, int], None]


def read_coverage(
    goldfold: Goldfold,
    policy: str = "",
    cosine: float = NEAR,
    sample: int = SAMPLE,
    *,
    modality: str = TEXT,
    words: bool = False,
    tick: Tick = lambda _done, _all: None,
) -> Json:
    """How much of the traffic of a modality, text or image, lies near gold, and the darkest clusters. Raises
    InvalidInput, NothingToDo."""
    if modality not in LETTERS:
        raise InvalidInput(f"modality: must be one of {', '.join(LETTERS)}, found {modality!r}")
    if sample not in SAMPLES:
        raise InvalidInput(f"sample: must be one of {', '.join(map(str, SAMPLES))}, found {sample}")
    asked = Asked(policy, cosine, Frame(sample=sample, modality=modality), words)
    return coverage(goldfold.ledger, goldfold.lake, *_judge(goldfold, modality), asked, tick)


def _judge(goldfold: Goldfold, modality: str) -> tuple[Judge, Policies]:
    """What scores a modality, and the policies with the thresholds that it operates at. Raises NothingToDo where
    nothing scores images."""
    if modality != IMAGE:
        return goldfold.scorer(), goldfold.operating()
    scorer = goldfold.media_scorer(IMAGE)
    if scorer is None:
        raise NothingToDo(UNSET)
    return scorer, under(goldfold.ledger.models.champion(IMAGE), goldfold.policies)


def _images(goldfold: Goldfold, modality: str) -> Images | None:
    """What reads images; None where none is asked about. Raises NothingToDo where a setting is missing."""
    if modality != IMAGE:
        return None
    desk = goldfold.image_desk()
    if desk.missing:
        raise NothingToDo(f"{NOT_SET_UP}: {desk.missing}")
    return partial(hashes, goldfold.lake, desk)


def items_covered(
    goldfold: Goldfold, frame: Frame, kind: str, *, cluster: str = "", policy: str = "", cosine: float = NEAR
) -> list[str]:
    """The items behind a figure of coverage. Raises InvalidInput, NotFound, NothingToDo."""
    if not cluster and frame.sample not in SAMPLES:
        raise InvalidInput(f"sample: must be one of {', '.join(map(str, SAMPLES))}, found {frame.sample}")
    how = {"cluster": cluster, "policy": policy}
    scorer, policies = _judge(goldfold, frame.modality)
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
    modality, stores, lake = frame_of(cluster).modality, goldfold.ledger, goldfold.lake
    images = _images(goldfold, modality)
    return open_cluster(stores, lake, *_judge(goldfold, modality), order, actor, dry_run=dry_run, images=images)
