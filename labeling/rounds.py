"""A round: plan -> frame -> picks -> tasks -> Label Studio. Each function is one durable step, safe to run again.

The frame is frozen by the lake version of the plan: items that arrive later wait for the next round, so a round that
was killed picks the same items when it goes on. A pair (item, policy) that any round has picked is not picked again.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow.compute as pc

from labeling.errors import Conflict, InvalidInput, NotFound, NothingToDo
from labeling.near_duplicates import Grouped, group_near_duplicates
from labeling.policies import Policies
from labeling.records import PickRow, Round, RoundState, Task, TaskKind, TaskState
from labeling.scorebook import LakeScorer, Sheet, complete, read_sheet
from labeling.store.interfaces import ItemRegistry, Lake, Rounds, Tasks
from selection.checks import check_plan
from selection.errors import BudgetTooLarge, EmptyFrame
from selection.select import select
from selection.types import Lane, Pick, Plan, Pool, Quota, Selection

TEXT = "text"  # the modality that rounds ask about
_SELECTED = (RoundState.SELECTED, RoundState.OPEN, RoundState.CLOSED)


class Stores(Protocol):
    """The part of the ledger that a round needs."""

    @property
    def items(self) -> ItemRegistry: ...

    @property
    def rounds(self) -> Rounds: ...

    @property
    def tasks(self) -> Tasks: ...


@dataclass(frozen=True, slots=True)
class RoundRequest:
    """What a person asks for. ``lanes`` maps lane name -> share (adding up to 1); ``policies`` empty means all.

    ``budget`` counts picks, each of which ``overlap`` people answer."""

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


@dataclass(frozen=True, slots=True)
class Preview:
    """What a dry run shows: the selection, and nothing written."""

    selection: Selection
    items_scored: int


def open_round(stores: Stores, lake: Lake, policies: Policies, request: RoundRequest) -> Round:
    """Record the plan and freeze the frame. The same request again returns the round that is there;
    another request under the same id is a Conflict. Raises InvalidInput or BadPlan naming the field,
    and what ``check_frame`` does."""
    check_frame(stores, lake, policies, request)
    plan = _plan_of(request, policies)
    now = datetime.now(UTC)
    frame: dict[str, object] = {"lake_version": stores.items.last_lake_version()}
    with suppress(NotFound):
        frame = stores.rounds.get(request.round_id).frame
    return stores.rounds.create(
        Round(request.round_id, RoundState.PLANNED, request.seed, plan, frame, "", (), now, now)
    )


def select_round(
    stores: Stores,
    lake: Lake,
    policies: Policies,
    scorer: LakeScorer,
    round_id: str,
    cache_dir: Path | None = None,
) -> Round:
    """Pick the items, and commit picks and tasks in one transaction. Does nothing when that was done before.
    ``cache_dir``: where near-duplicates are kept for the next round; without it they are found anew each time.

    Raises NothingToDo when an item of the frame has not met this scorer yet: a frame that is short in silence would
    make every pi a lie. Raises Conflict when the round was cancelled or a policy changed since it was planned.
    """
    round_ = stores.rounds.get(round_id)
    if round_.state in _SELECTED:
        return round_
    if round_.state is RoundState.CANCELLED:
        raise Conflict(f"round {round_id!r} is cancelled; open a new one")
    if stores.rounds.picks(round_id):  # it failed after it had picked
        stores.rounds.set_state(round_id, RoundState.SELECTED)
        return stores.rounds.get(round_id)
    _check_versions(round_, policies)
    version = int(str(round_.frame["lake_version"]))
    sheet = read_sheet(lake, scorer, stores.items.ids(version, TEXT))
    if sheet.waiting:
        raise NothingToDo(
            f"{sheet.waiting} items of round {round_id!r} have no score by {scorer.name} {scorer.version} yet: "
            "run the score job first (goldfold score)"
        )
    grouped = _grouped(lake, round_.plan, sheet, cache_dir, keep=True)
    selection = _select(stores, lake, round_.plan, round_.seed, sheet, grouped)
    picks = [_pick_row(round_id, pick) for pick in selection.picks]
    complete(lake, scorer, sorted({pick.item_id for pick in picks}))  # what may become gold is compared and trained on
    tasks = _tasks(lake, policies, picks, int(str(round_.plan["overlap"])))
    counts = {"items_scored": len(sheet.ids), "items_failed": sheet.failed, "scorer": scorer.name}
    frame = {**round_.frame, **selection.frame, **counts}
    stores.rounds.record_selection(round_id, picks, tasks, frame, scorer.version, selection.notes)
    return stores.rounds.get(round_id)


def preview(
    stores: Stores,
    lake: Lake,
    policies: Policies,
    scorer: LakeScorer,
    request: RoundRequest,
    cache_dir: Path | None = None,
) -> Preview:
    """Run the selection and write nothing; only items scored already take part, and a note says how many wait."""
    plan = _plan_of(request, policies)
    sheet = read_sheet(lake, scorer, stores.items.ids(stores.items.last_lake_version(), TEXT))
    grouped = _grouped(lake, plan, sheet, cache_dir, keep=False)
    return Preview(_select(stores, lake, plan, request.seed, sheet, grouped), len(sheet.ids))


def cancel_round(stores: Stores, round_id: str) -> Round:
    """End a round early: its tasks without an end are withdrawn, and their items may be picked again. What was settled
    stays gold; what hangs in Label Studio stays there, and its answers no longer count. Raises Conflict when it is
    closed already."""
    stores.rounds.set_state(round_id, RoundState.CANCELLED, "cancelled: open tasks were withdrawn")
    ends = (TaskState.SETTLED, TaskState.WITHDRAWN)
    tasks = [task.task_id for task in stores.tasks.where(round_id=round_id) if task.state not in ends]
    stores.tasks.set_state(tasks, TaskState.WITHDRAWN)
    return stores.rounds.get(round_id)


def close_round(stores: Stores, round_id: str) -> bool:
    """Close an open round whose tasks all have an end; True when it is closed now."""
    if stores.rounds.get(round_id).state is not RoundState.OPEN:
        return False
    counts = stores.tasks.counts(round_id)
    ends = {TaskState.SETTLED, TaskState.WITHDRAWN, TaskState.QUARANTINED}
    if any(n for state, n in counts.items() if TaskState(state) not in ends):
        return False
    stores.rounds.set_state(round_id, RoundState.CLOSED)
    return True


def check_request(request: RoundRequest, policies: Policies) -> None:
    """Raises InvalidInput or BadPlan for what is wrong whatever the items are."""
    _plan_of(request, policies)


def check_frame(stores: Stores, lake: Lake, policies: Policies, request: RoundRequest) -> None:
    """Raises NothingToDo, EmptyFrame or BudgetTooLarge for what the items cannot give, near-duplicates left aside:
    before anything is written. A round that is there already has its frame, and is not asked again."""
    plan = _plan_of(request, policies)
    with suppress(NotFound):
        stores.rounds.get(request.round_id)
        return
    if not stores.items.count() or not lake.snapshot():
        raise NothingToDo("the lake is empty: ingest items first (goldfold ingest FILE)")
    chosen, judged, pairs = frozenset(_floats(plan["thresholds"])), stores.rounds.judged(), 0
    texts = 0
    for batch in lake.scan(["policies", "modality"]):
        batch = batch.filter(pc.equal(batch["modality"], TEXT))
        texts += batch.num_rows
        for item_id, only in zip(batch["item_id"].to_pylist(), batch["policies"].to_pylist(), strict=True):
            pairs += sum((item_id, p) not in judged for p in (chosen.intersection(only) if only else chosen))
        if pairs >= request.budget:
            return
    if not texts:
        raise NothingToDo(
            "the lake holds no text: a round asks people about texts only, since images and videos are not shown in "
            "Label Studio yet; ingest texts"
        )
    if not pairs:
        raise EmptyFrame("rounds have picked every item under every policy asked for: ingest more items")
    raise BudgetTooLarge(
        f"the budget asks for {request.budget} picks, but the frame holds {pairs} (pairs of item and policy that no "
        f"round has picked yet): ask for at most {pairs}, or ingest more items"
    )


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


def _check_versions(round_: Round, policies: Policies) -> None:
    planned = round_.plan["policies"]
    if not isinstance(planned, Mapping):
        raise TypeError("a plan names its policies with their versions")
    for policy_id, version in planned.items():
        now = policies[policy_id].version if policy_id in policies else "gone"
        if now != version:
            raise Conflict(
                f"round {round_.round_id!r} was planned under {policy_id} {version}, which is {now} now: "
                "restore that policy file, or cancel the round and open a new one"
            )


def _plan_of(request: RoundRequest, policies: Policies) -> dict[str, object]:
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
    }
    check_plan(_selection_plan(plan, request.seed), _no_items(chosen, request.quotas))
    return plan


def _no_items(policies: Sequence[str], quotas: Sequence[Quota]) -> Pool:
    """A pool to hold a plan against before its items are known; every language of a quota may still come, and
    disagreement."""
    nothing = np.zeros((0, len(policies)), np.float32)
    languages = tuple(quota.value for quota in quotas if quota.key == "language")
    return Pool((), tuple(policies), nothing, nothing, nothing.astype(np.bool_), languages, nothing)


def _grouped(
    lake: Lake, plan: Mapping[str, object], sheet: Sheet, cache_dir: Path | None, *, keep: bool
) -> Grouped | None:
    """The near-duplicates among the items that have a score; None where the plan wants no groups."""
    cosine = plan["duplicate_cosine"]
    if cosine is None or not sheet.ids:
        return None
    return group_near_duplicates(lake, sheet.ids, sheet.embeddings, float(str(cosine)), cache_dir, keep=keep)


def _select(
    stores: Stores, lake: Lake, plan: Mapping[str, object], seed: int, sheet: Sheet, grouped: Grouped | None
) -> Selection:
    if not sheet.ids:
        raise NothingToDo("no item has a score yet: run the score job first (goldfold score)")
    pool = _pool(stores, lake, plan, sheet)
    if grouped is not None:
        pool = replace(pool, groups=grouped.groups)
    selection = select(pool, _selection_plan(plan, seed))
    notes = [*selection.notes, *(grouped.notes if grouped is not None else ())]
    if sheet.failed:
        notes.append(
            f"{sheet.failed} items could not be scored; no lane could pick them, and no figure speaks for them"
        )
    if sheet.waiting:
        notes.append(f"{sheet.waiting} items wait for a score and take no part yet")
    return replace(selection, notes=tuple(notes))


def _pool(stores: Stores, lake: Lake, plan: Mapping[str, object], sheet: Sheet) -> Pool:
    chosen = tuple(sorted(_floats(plan["thresholds"])))
    unscored = [p for p in chosen if p not in sheet.policies]
    if unscored:
        known = ", ".join(sheet.policies)
        raise InvalidInput(f"policies: {', '.join(unscored)}: the scorer does not judge it (it judges: {known})")
    columns = [sheet.policies.index(p) for p in chosen]
    table = lake.take(sheet.ids, ["language", "policies"])
    eligible = np.ones((len(sheet.ids), len(chosen)), np.bool_)
    for row, only in enumerate(table["policies"].to_pylist()):
        if only:
            eligible[row] = [p in only for p in chosen]
    rows = {item_id: row for row, item_id in enumerate(sheet.ids)}
    places = {p: column for column, p in enumerate(chosen)}
    for item_id, policy_id in stores.rounds.judged():
        if item_id in rows and policy_id in places:
            eligible[rows[item_id], places[policy_id]] = False
    return Pool(
        ids=sheet.ids,
        policies=chosen,
        probabilities=np.ascontiguousarray(sheet.probabilities[:, columns]),
        embeddings=sheet.embeddings,
        eligible=eligible,
        languages=tuple(table["language"].to_pylist()),
        disagreement=None if sheet.disagreement is None else np.ascontiguousarray(sheet.disagreement[:, columns]),
    )


def _selection_plan(plan: Mapping[str, object], seed: int) -> Plan:
    lanes = _floats(plan["lanes"])
    strategy = str(plan["strategy"])
    cosine = plan["duplicate_cosine"]
    quotas = plan["quotas"]
    return Plan(
        budget=int(str(plan["budget"])),
        seed=seed,
        lanes=tuple(Lane(n, share, strategy if n == "uncertain" else "threshold") for n, share in lanes.items()),
        thresholds=_floats(plan["thresholds"]),
        severities=_floats(plan["severities"]),
        quotas=tuple(Quota(**q) for q in quotas) if isinstance(quotas, list) else (),
        risk_floor=float(str(plan["risk_floor"])),
        duplicate_cosine=None if cosine is None else float(str(cosine)),
    )


def _floats(value: object) -> dict[str, float]:
    if not isinstance(value, Mapping):
        raise TypeError(f"a plan holds a mapping here, not {type(value).__name__}")
    return {str(key): float(number) for key, number in value.items()}


def _pick_row(round_id: str, pick: Pick) -> PickRow:
    return PickRow(round_id, pick.item_id, pick.policy, pick.lane, pick.pi, pick.probability, pick.group, pick.reasons)


def _tasks(lake: Lake, policies: Policies, picks: Sequence[PickRow], overlap: int) -> list[Task]:
    ids = sorted({pick.item_id for pick in picks})
    table = lake.take(ids, ["text", "content_hash"])
    content = dict(
        zip(ids, zip(table["text"].to_pylist(), table["content_hash"].to_pylist(), strict=True), strict=True)
    )
    now = datetime.now(UTC)
    return [
        Task(
            task_id=uuid.uuid4().hex,  # says nothing about the item, the lane or the order
            kind=TaskKind.BLIND,
            round_id=pick.round_id,
            item_id=pick.item_id,
            policy_id=pick.policy_id,
            policy_version=policies[pick.policy_id].version,
            text=content[pick.item_id][0],
            content_hash=content[pick.item_id][1],
            overlap=overlap,
            state=TaskState.QUEUED,
            project_id=None,
            studio_task_id=None,
            parent_task_id=None,
            error="",
            created_at=now,
            updated_at=now,
        )
        for pick in picks
    ]
