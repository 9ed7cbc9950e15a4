"""What a person asks of a round, checked, and what the ledger keeps of it: the plan, as JSON-able values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labeling.assisted import check_shares
from labeling.errors import InvalidInput, NotFound, NothingToDo
from labeling.policies import Policies
from labeling.round_costs import costs_of
from labeling.round_images import IMAGE, TEXT, ImageFrame
from labeling.round_labels import train_rows
from labeling.store.interfaces import Golden, ItemRegistry, Lake, Rounds
from selection.checks import check_plan
from selection.errors import BadPlan, BudgetTooLarge, EmptyFrame
from selection.strategies.registry import LABELS, entry
from selection.types import Lane, Plan, Pool, Quota

WORDS = ("language", "market", "modality")  # what a quota may bound by, of what items say of themselves


class Frames(Protocol):
    """The part of the ledger that says what a round may ask about."""

    @property
    def items(self) -> ItemRegistry: ...

    @property
    def rounds(self) -> Rounds: ...

    @property
    def golden(self) -> Golden: ...


@dataclass(frozen=True, slots=True)
class RoundRequest:
    """What a person asks for. ``lanes`` maps lane name -> share (adding up to 1); ``policies`` empty means all.

    ``budget`` counts picks, each of which ``overlap`` people answer. ``per``, ``max_minutes`` and ``per_author``: as
    ``Plan`` has them; ``costs``: constants of ``labeling.round_costs.Costs`` that are not the default. ``retune``:
    share the budget out by what the lanes brought before (``labeling.lane_advice``), starting from ``lanes``.
    ``assisted``: share of the picks that are answered beside a suggestion, in [0, 1]; ``assisted_blind_share``: share
    of these that are also asked blind, in (0, 1] (``labeling.assisted``)."""

    round_id: str
    budget: int
    seed: int
    lanes: Mapping[str, float]
    policies: tuple[str, ...] = ()
    strategy: str = "auto"
    overlap: int = 2
    risk_floor: float = 0.1
    duplicate_cosine: float | None = 0.95
    quotas: tuple[Quota, ...] = ()
    per: str = "pick"
    max_minutes: float | None = None
    costs: Mapping[str, float] = field(default_factory=dict)
    retune: bool = False
    per_author: int | None = None
    assisted: float = 0.0
    assisted_blind_share: float = 0.2


def check_request(request: RoundRequest, policies: Policies) -> None:
    """Raises InvalidInput or BadPlan for what is wrong whatever the items are."""
    plan_of(request, policies)


def check_frame(
    stores: Frames, lake: Lake, policies: Policies, request: RoundRequest, images: ImageFrame | None = None
) -> None:
    """Raises NothingToDo (also for a strategy that needs labels before there is one), EmptyFrame, BudgetTooLarge or
    BadPlan for what the items cannot give, near-duplicates left aside: before anything is written. ``images``: under
    which policies images may be asked about. A round that is there already has its frame, and is not asked again."""
    images = images or ImageFrame()
    plan = plan_of(request, policies)
    with suppress(NotFound):
        stores.rounds.get(request.round_id)
        return
    if not stores.items.count() or not lake.snapshot():
        raise NothingToDo("the lake is empty: ingest items first (goldfold ingest FILE)")
    _check_needs(stores, plan)
    chosen = frozenset(floats(plan["thresholds"]))
    asked = {TEXT: chosen} | ({} if images.missing else {IMAGE: chosen & images.policies})
    _check_words(lake, request, tuple(asked))
    judged, pairs, there = stores.rounds.judged(), 0, 0
    for batch in lake.scan(["policies", "modality"]):
        batch = batch.filter(pc.is_in(batch["modality"], pa.array(list(asked))))
        there += batch.num_rows
        for row in batch.to_pylist():
            own, only = asked[row["modality"]], row["policies"]
            pairs += sum((row["item_id"], p) not in judged for p in (own.intersection(only) if only else own))
        if pairs >= request.budget:
            return
    if not there:
        raise NothingToDo(
            f"the lake holds nothing that a round can ask about: no text; images: {images.missing or 'there are none'}"
            "; videos are not shown in Label Studio yet; ingest texts or images"
        )
    if not pairs:
        raise EmptyFrame("rounds have picked every item under every policy asked for: ingest more items")
    raise BudgetTooLarge(
        f"the budget asks for {request.budget} picks, but the frame holds {pairs} (pairs of item and policy that no "
        f"round has picked yet): ask for at most {pairs}, or ingest more items"
    )


def _check_needs(stores: Frames, plan: Mapping[str, object]) -> None:
    strategy, chosen = str(plan["strategy"]), tuple(floats(plan["thresholds"]))
    if LABELS in entry(strategy).needs and not train_rows(stores.golden, chosen):
        raise NothingToDo(
            f"strategy: {strategy!r} learns from labels, and none of these policies has gold in the partition train "
            "yet: open this round with another strategy, such as threshold"
        )


def _check_words(lake: Lake, request: RoundRequest, modalities: Sequence[str]) -> None:
    """Raises BadPlan for a language or market that no item of these modalities has, and for ``per_author`` where none
    names its author."""
    wanted = {(quota.key, quota.value) for quota in request.quotas if quota.key in WORDS}
    wanted.discard(("modality", TEXT))  # a bound on texts is kept where there are none
    authors = request.per_author is not None
    for batch in lake.scan(["author", *WORDS]) if wanted or authors else ():
        batch = batch.filter(pc.is_in(batch["modality"], pa.array(list(modalities))))
        wanted -= {(key, word) for key in WORDS for word in pc.unique(batch[key]).to_pylist()}
        authors = authors and not pc.any(pc.not_equal(batch["author"], "")).as_py()
    if wanted:
        key, word = min(wanted)
        raise BadPlan(f"quotas: {key} {word!r}: no item has that {key}: drop the quota, or ingest such items first")
    if authors:
        raise BadPlan("per_author: no item names its author: bring it in with the items, or leave per_author out")


def _check(request: RoundRequest, policies: Policies) -> None:
    unknown = [p for p in request.policies if p not in policies]
    if unknown:
        raise InvalidInput(f"policies: {', '.join(unknown)} unknown (known: {', '.join(sorted(policies))})")
    if request.budget < 1:
        raise InvalidInput(f"budget: {request.budget} is not a positive number of picks")
    if request.overlap < 1:
        raise InvalidInput(f"overlap: {request.overlap} is not a positive number of people per item")
    if not -(2**63) <= request.seed < 2**63:
        raise InvalidInput(f"seed: {request.seed} does not fit in 64 bits")
    check_shares(request.assisted, request.assisted_blind_share)


def plan_of(request: RoundRequest, policies: Policies) -> dict[str, object]:
    """The request as JSON-able values, checked as far as it can be without the items."""
    _check(request, policies)
    chosen = sorted(set(request.policies or policies))
    plan: dict[str, object] = {
        "budget": request.budget,
        "lanes": {name: float(share) for name, share in sorted(request.lanes.items())},
        "strategy": request.strategy,
        "overlap": request.overlap,
        "risk_floor": request.risk_floor,
        "duplicate_cosine": request.duplicate_cosine,
        "quotas": [asdict(quota) for quota in sorted(request.quotas, key=lambda q: (q.key, q.value))],
        "policies": {p: policies[p].version for p in chosen},
        "thresholds": {p: policies[p].threshold for p in chosen},
        "severities": {p: float(2 ** policies[p].severity) for p in chosen},
        **_prices(request),
    }
    check_plan(selection_plan(plan, request.seed), _no_items(chosen, request.quotas))
    return plan


def _prices(request: RoundRequest) -> dict[str, object]:
    """What a plan says of costs and tuning; nothing of defaults, so that plans of older rounds stay equal."""
    costs_of(request.costs)
    costs = {name: float(value) for name, value in sorted(request.costs.items())}
    asked = {"per": request.per, "max_minutes": request.max_minutes, "costs": costs, "retune": request.retune}
    asked["per_author"] = request.per_author
    if request.assisted:
        asked |= {"assisted": request.assisted, "assisted_blind_share": request.assisted_blind_share}
    return {name: value for name, value in asked.items() if value not in ("pick", None, {}, False)}


def _no_items(policies: Sequence[str], quotas: Sequence[Quota]) -> Pool:
    """A pool to hold a plan against before its items are known; every language and market of a quota may be there, and
    disagreement."""
    nothing = np.zeros((0, len(policies)), np.float32)

    def named(key: str) -> tuple[str, ...]:
        return tuple(quota.value for quota in quotas if quota.key == key)

    return Pool(
        ids=(),
        policies=tuple(policies),
        probabilities=nothing,
        embeddings=nothing,
        eligible=nothing.astype(np.bool_),
        languages=named("language"),
        disagreement=nothing,
        markets=named("market"),
        modalities=(TEXT, IMAGE),
        authors=("anyone",),
        minutes=np.zeros(0, np.float32),
        exposure=np.zeros(0, np.float32),
    )


def selection_plan(plan: Mapping[str, object], seed: int) -> Plan:
    lanes = floats(plan["lanes"])
    strategy = str(plan["strategy"])
    cosine = plan["duplicate_cosine"]
    quotas = plan["quotas"]
    return Plan(
        budget=int(str(plan["budget"])),
        seed=seed,
        lanes=tuple(Lane(n, share, strategy if n == "uncertain" else "threshold") for n, share in lanes.items()),
        thresholds=floats(plan["thresholds"]),
        severities=floats(plan["severities"]),
        quotas=tuple(Quota(**q) for q in quotas) if isinstance(quotas, list) else (),
        risk_floor=float(str(plan["risk_floor"])),
        duplicate_cosine=None if cosine is None else float(str(cosine)),
        per=str(plan.get("per", "pick")),
        max_minutes=float(str(plan["max_minutes"])) if "max_minutes" in plan else None,
        per_author=int(str(plan["per_author"])) if "per_author" in plan else None,
    )


def floats(value: object) -> dict[str, float]:
    if not isinstance(value, Mapping):
        raise TypeError(f"a plan holds a mapping here, not {type(value).__name__}")
    return {str(key): float(number) for key, number in value.items()}
