"""A round: plan -> frame -> picks -> tasks -> Label Studio. Each function is one durable step, safe to run again.

The frame is frozen by the lake version of the plan: items that arrive later wait for the next round, so a round that
was killed picks the same items when it goes on. A pair (item, policy) that any round has picked is not picked again,
except by the lane ``relabel``, for a second look at its label.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import numpy as np

from labeling.assisted import draw, with_assisted
from labeling.errors import BadMedia, Conflict, NotFound, NothingToDo
from labeling.lane_advice import advise
from labeling.near_duplicates import Grouped, group_near_duplicates
from labeling.neighbour_index import INDEX_ABOVE, Indexed, index_neighbours
from labeling.pictures import LakePictures
from labeling.policies import Policies
from labeling.records import PickRow, Round, RoundState, Task, TaskKind, TaskState
from labeling.round_costs import costs_of, estimate, exposure_of, looks_of, minutes_of
from labeling.round_images import IMAGE, TEXT, Frame, ImageDesk, ImageFrame, hashes, opinions, read_frame
from labeling.round_labels import known_labels
from labeling.round_plan import RoundRequest, check_frame, floats, plan_of, selection_plan
from labeling.round_pool import pool_notes, pool_of, priced, weights
from labeling.round_thresholds import at_thresholds, images_plan, threshold_notes, thresholds_of
from labeling.scorebook import Judge, LakeScorer, Sheet, complete
from labeling.second_looks import Question, earlier, second_looks
from labeling.store.interfaces import Annotations, Golden, ItemRegistry, Lake, Rounds, Tasks
from selection.relabel import SecondLooks
from selection.select import select
from selection.strategies.registry import COMMITTEE, SEALS, entry
from selection.types import RELABEL, Pick, Pool, Selection

_SELECTED = (RoundState.SELECTED, RoundState.OPEN, RoundState.CLOSED)


class Stores(Protocol):
    """The part of the ledger that a round needs."""

    @property
    def items(self) -> ItemRegistry: ...

    @property
    def rounds(self) -> Rounds: ...

    @property
    def tasks(self) -> Tasks: ...

    @property
    def annotations(self) -> Annotations: ...

    @property
    def golden(self) -> Golden: ...


@dataclass(frozen=True, slots=True)
class Preview:
    """What a dry run shows: the selection, and nothing written."""

    selection: Selection
    items_scored: int


def open_round(
    stores: Stores, lake: Lake, policies: Policies, request: RoundRequest, images: ImageFrame | None = None
) -> Round:
    """Record the plan and freeze the frame. The same request again returns the round that is there;
    another request under the same id is a Conflict. Raises InvalidInput or BadPlan naming the field,
    and what ``check_frame`` does."""
    check_frame(stores, lake, policies, request, images)
    plan = _whole_plan(request, policies, images)
    now = datetime.now(UTC)
    frame: dict[str, object] = {"lake_version": stores.items.last_lake_version(), **_advice(stores, plan)}
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
    images: ImageDesk | None = None,
) -> Round:
    """Pick the items, and commit picks and tasks in one transaction. Does nothing when that was done before.
    ``images``: what asking about images needs; without it, and where they have no score, a note says that they are left
    out. An image that cannot be read when it is picked has its task withdrawn, and may be picked again.
    ``cache_dir``: where near-duplicates are kept for the next round, and embeddings of a large lake while it runs;
    without it the former are found anew each time, and the latter held in memory.

    Raises NothingToDo when a text of the frame has not met this scorer yet: a frame that is short in silence would
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
    images = images or ImageDesk()
    items = read_frame(lake, stores.items, version, scorer, images, cache_dir)
    sheet = items.sheet
    if sheet.waiting:
        raise NothingToDo(
            f"{sheet.waiting} items of round {round_id!r} have no score by {scorer.name} {scorer.version} yet: "
            "run the score job first (goldfold score)"
        )
    grouped = _grouped(lake, round_.plan, sheet, cache_dir, keep=True)
    indexed = _indexed(items.lead, round_.plan, sheet, cache_dir, keep=True)
    plan, desk = _tuned(round_.plan, round_.frame), _Desk(scorer, images)
    selection = _select(stores, lake, desk, plan, round_.seed, items, grouped, indexed, round_.created_at)
    picks = [_pick_row(round_id, pick) for pick in selection.picks]
    texts = set(sheet.ids[: items.texts])
    asked = sorted({pick.item_id for pick in picks})
    complete(lake, scorer, [i for i in asked if i in texts])  # what may become gold is compared and trained on
    read = hashes(lake, images, [item_id for item_id in asked if item_id not in texts])
    overlap = int(str(round_.plan["overlap"]))
    tasks = blind_tasks(lake, _versions(round_.plan), picks, lambda pick: 1 if pick.lane == RELABEL else overlap, read)
    drawn = draw(plan, round_.seed, [(pick.item_id, pick.policy_id, pick.lane) for pick in picks])
    told = {kind: f"{judge.name} {judge.version}" for kind, judge in desk.judges.items()}
    tasks = with_assisted(tasks, picks, plan, drawn, policies, told[TEXT], told.get(IMAGE, ""))
    frame = {**round_.frame, **selection.frame, **_counted(items, scorer, images)}
    notes = (*selection.notes, *_unread(read))
    stores.rounds.record_selection(round_id, picks, tasks, frame, scorer.version, notes)
    return stores.rounds.get(round_id)


def _counted(items: Frame, scorer: LakeScorer, images: ImageDesk) -> dict[str, object]:
    """What the frame says of who scored it."""
    told: dict[str, object] = {"items_scored": len(items.sheet.ids), "items_failed": items.sheet.failed}
    told["scorer"] = scorer.name
    if items.images and images.scorer is not None:
        told |= {"image_scorer": images.scorer.name, "image_scorer_version": images.scorer.version}
    return told


def _unread(read: Mapping[str, str | BadMedia]) -> list[str]:
    """A note of the picked images that cannot be read, if any."""
    bad = [(item_id, error) for item_id, error in read.items() if isinstance(error, BadMedia)]
    if not bad:
        return []
    (item_id, error), *_ = bad
    return [
        f"{len(bad)} of the picked images cannot be read now, so nobody is asked about them, and they may be picked "
        f"again; the first is {item_id}: it {error}"
    ]


def preview(
    stores: Stores,
    lake: Lake,
    policies: Policies,
    scorer: LakeScorer,
    request: RoundRequest,
    cache_dir: Path | None = None,
    images: ImageDesk | None = None,
    asked: ImageFrame | None = None,
) -> Preview:
    """Run the selection and write nothing; only items scored already take part, and a note says how many wait.
    ``asked``: as ``open_round`` has it."""
    plan = _whole_plan(request, policies, asked)
    desk = _Desk(scorer, images or ImageDesk())
    items = read_frame(lake, stores.items, stores.items.last_lake_version(), scorer, desk.images, cache_dir)
    advice = _advice(stores, plan)
    grouped = _grouped(lake, plan, items.sheet, cache_dir, keep=False)
    indexed = _indexed(items.lead, plan, items.sheet, cache_dir, keep=False)
    selection = _select(stores, lake, desk, _tuned(plan, advice), request.seed, items, grouped, indexed)
    return Preview(replace(selection, frame={**selection.frame, **advice}), len(items.sheet.ids))


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
    """Close an open round whose tasks all have an end; True when it is closed now. A second lead's look keeps no round
    open: it changes no answer but to say that it is contested, and there may be no second lead."""
    if stores.rounds.get(round_id).state is not RoundState.OPEN:
        return False
    counts = stores.tasks.counts(round_id)
    ends = {TaskState.SETTLED, TaskState.WITHDRAWN, TaskState.QUARANTINED}
    left = [TaskState(state) for state in counts if TaskState(state) not in ends]
    reviews = len(stores.tasks.where(round_id=round_id, states=left, kind=TaskKind.REVIEW)) if left else 0
    if sum(counts[state] for state in left) > reviews:
        return False
    stores.rounds.set_state(round_id, RoundState.CLOSED)
    return True


def _whole_plan(request: RoundRequest, policies: Policies, images: ImageFrame | None) -> dict[str, object]:
    plan = plan_of(request, policies)
    if images is None or images.missing:
        return plan
    taus = {policy: tau for policy, tau in images.thresholds.items() if policy in images.policies}
    return plan | images_plan(taus, images.whose, plan)


def _check_versions(round_: Round, policies: Policies) -> None:
    for policy_id, version in _versions(round_.plan).items():
        now = policies[policy_id].version if policy_id in policies else "gone"
        if now != version:
            raise Conflict(
                f"round {round_.round_id!r} was planned under {policy_id} {version}, which is {now} now: "
                "restore that policy file, or cancel the round and open a new one"
            )


def _versions(plan: Mapping[str, object]) -> dict[str, str]:
    planned = plan["policies"]
    if not isinstance(planned, Mapping):
        raise TypeError("a plan names its policies with their versions")
    return {str(policy_id): str(version) for policy_id, version in planned.items()}


def _advice(stores: Stores, plan: Mapping[str, object]) -> dict[str, object]:
    """What the frame keeps of the lanes' advice, where the plan asks for it: frozen with it, so that a round that was
    killed goes on with the shares it began with."""
    return {"lanes": advise(stores, floats(plan["lanes"])).as_dict()} if plan.get("retune") else {}


def _tuned(plan: Mapping[str, object], frame: Mapping[str, object]) -> Mapping[str, object]:
    """The plan with the shares that its frame froze."""
    advice = frame.get("lanes") if plan.get("retune") else None
    return {**plan, "lanes": advice["lanes"], "why": advice["why"]} if isinstance(advice, Mapping) else plan


def _grouped(
    lake: Lake, plan: Mapping[str, object], sheet: Sheet, cache_dir: Path | None, *, keep: bool
) -> Grouped | None:
    """The near-duplicates among the items that have a score; None where the plan wants no groups."""
    cosine = plan["duplicate_cosine"]
    if cosine is None or not sheet.ids:
        return None
    return group_near_duplicates(
        lake, sheet.ids, sheet.embeddings, float(str(cosine)), cache_dir, keep=keep, pictures=LakePictures(lake)
    )


def _indexed(scorer: Judge, plan: Mapping[str, object], sheet: Sheet, cache_dir: Path | None, *, keep: bool) -> Indexed:
    """The index of the items that have a score, where the strategy looks around labelled ones and there are many."""
    if plan["strategy"] != SEALS or len(sheet.ids) <= INDEX_ABOVE:
        return Indexed(None)
    return index_neighbours(sheet.ids, sheet.embeddings, scorer.embedding_version, cache_dir, keep=keep)


@dataclass(frozen=True, slots=True)
class _Desk:
    """Who scores what a round asks about."""

    scorer: LakeScorer
    images: ImageDesk

    @property
    def judges(self) -> dict[str, Judge]:
        """By modality."""
        seen = self.images.scorer
        return {TEXT: self.scorer, **({} if seen is None or self.images.missing else {IMAGE: seen})}


def _select(
    stores: Stores,
    lake: Lake,
    desk: _Desk,
    plan: Mapping[str, object],
    seed: int,
    items: Frame,
    grouped: Grouped | None,
    indexed: Indexed,
    until: datetime | None = None,
) -> Selection:
    sheet = items.sheet
    if not sheet.ids:
        why = "".join(f"; {note}" for note in items.notes)
        raise NothingToDo(f"no item has a score yet: run the score job first (goldfold score){why}")
    pool = replace(pool_of(stores, lake, plan, items), near=indexed.near)
    if grouped is not None:
        pool = replace(pool, groups=grouped.groups)
    if COMMITTEE in entry(str(plan["strategy"])).needs:
        pool = replace(pool, members=opinions(desk.scorer, items, pool.policies))
    pool = at_thresholds(plan, priced(lake, plan, pool), items)
    dimension = pool.embeddings.shape[1]
    known = known_labels(stores.golden, lake, items.lead, pool.policies, dimension, until, items.modality)
    looks = _looks(stores, lake, desk, plan, pool, until)
    selection = select(pool, selection_plan(plan, seed), known.labelled, looks)
    notes = [*selection.notes, *(grouped.notes if grouped is not None else ()), *indexed.notes]
    notes += [*pool_notes(plan, items), *threshold_notes(plan, items)]
    if known.left_out:
        notes.append(
            f"{known.left_out} labelled items have no score or no embedding by this scorer yet, so no strategy learns "
            "from them"
        )
    if "why" in plan:
        shares = ", ".join(f"{lane} {share:.3g}" for lane, share in floats(plan["lanes"]).items())
        notes.append(f"lanes: {shares} ({plan['why']})")
    if sheet.failed:
        notes.append(
            f"{sheet.failed} items could not be scored; no lane could pick them, and no figure speaks for them"
        )
    if sheet.waiting:
        notes.append(f"{sheet.waiting} items wait for a score and take no part yet")
    told: dict[str, object] = {"labelled": known.items}
    told["estimate"] = _estimate(stores, lake, plan, seed, pool, selection.picks)
    if "assisted" in plan:
        drawn = draw(plan, seed, [(pick.item_id, pick.policy, pick.lane) for pick in selection.picks])
        told["assisted"] = drawn.as_dict()
        notes.append(
            f"{len(drawn.assisted)} of {drawn.of} picks are answered beside a suggestion, {len(drawn.also_blind)} of "
            "them also blind; the others of them become no gold"
        )
    return replace(selection, notes=tuple(notes), frame={**selection.frame, **told})


def _looks(
    stores: Stores, lake: Lake, desk: _Desk, plan: Mapping[str, object], pool: Pool, until: datetime | None
) -> SecondLooks | None:
    """The labels that the lane ``relabel`` may have looked at again; None where the plan has no such lane."""
    if RELABEL not in floats(plan["lanes"]):
        return None
    costs = costs_of(floats(plan.get("costs", {})))
    question = Question(
        versions=_versions(plan),
        thresholds={kind: thresholds_of(plan, kind) for kind in (TEXT, IMAGE)},
        items=frozenset(pool.ids),
        until=until,
        minutes=None if pool.minutes is None else lambda ids: minutes_of(lake, ids, costs, 1),
    )
    return second_looks(stores, lake, desk.judges, question)


def _people(stores: Stores, plan: Mapping[str, object], seed: int, picks: Sequence[Pick]) -> list[int]:
    """How many people see each pick; for a second look, as many as make sure that a new one is among them."""
    drawn = draw(plan, seed, [(pick.item_id, pick.policy, pick.lane) for pick in picks])
    again = {(pick.item_id, pick.policy) for pick in picks if pick.lane == RELABEL}
    before = earlier(stores, again) if again else {}
    overlap = int(str(plan["overlap"]))
    return [
        before[p.item_id, p.policy].enough if p.lane == RELABEL else drawn.people((p.item_id, p.policy), overlap)
        for p in picks
    ]


def _estimate(
    stores: Stores, lake: Lake, plan: Mapping[str, object], seed: int, pool: Pool, picks: Sequence[Pick]
) -> dict[str, object]:
    """What the picks cost those who answer them, all people of each together."""
    places = {item_id: row for row, item_id in enumerate(pool.ids)}
    rows = [places[pick.item_id] for pick in picks]
    people = np.array(_people(stores, plan, seed, picks), np.float32)
    ids, costs = [pick.item_id for pick in picks], costs_of(floats(plan.get("costs", {})))
    looks = looks_of(lake, ids, costs)
    exposure = people * exposure_of(pool.probabilities[rows], weights(plan, pool), 1, looks)
    return estimate([pick.lane for pick in picks], people * minutes_of(lake, ids, costs, 1), exposure)


def _pick_row(round_id: str, pick: Pick) -> PickRow:
    return PickRow(round_id, pick.item_id, pick.policy, pick.lane, pick.pi, pick.probability, pick.group, pick.reasons)


def blind_tasks(
    lake: Lake,
    versions: Mapping[str, str],
    picks: Sequence[PickRow],
    overlap: Callable[[PickRow], int],
    read: Mapping[str, str | BadMedia],
) -> list[Task]:
    """A blind task for each pick, under the policy ``versions`` by id; ``overlap``: how many people answer it.
    ``read``: of images, the hash of what they are now, or why that cannot be told."""
    ids = sorted({pick.item_id for pick in picks})
    content = {row["item_id"]: row for row in lake.take(ids, ["text", "content_hash", "modality"]).to_pylist()}
    faults = {item_id: f"its image {error}" for item_id, error in read.items() if isinstance(error, BadMedia)}
    now = datetime.now(UTC)
    return [
        Task(
            task_id=uuid.uuid4().hex,  # says nothing about the item, the lane or the order
            kind=TaskKind.BLIND,
            round_id=pick.round_id,
            item_id=pick.item_id,
            policy_id=pick.policy_id,
            policy_version=versions[pick.policy_id],
            text=content[pick.item_id]["text"] or "",
            content_hash=_hash(content[pick.item_id]["content_hash"], read.get(pick.item_id)),
            overlap=overlap(pick),
            state=TaskState.WITHDRAWN if pick.item_id in faults else TaskState.QUEUED,
            project_id=None,
            studio_task_id=None,
            parent_task_id=None,
            error=faults.get(pick.item_id, ""),
            created_at=now,
            updated_at=now,
            modality=content[pick.item_id]["modality"],
        )
        for pick in picks
    ]


def _hash(item: str, read: str | BadMedia | None) -> str:
    return read if isinstance(read, str) else item
