"""A round's selection: pool and plan in, picks out.

The same plan, seed and pool give the same picks, whatever the order of the pool and the number of threads.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np

from selection.blocks import BLOCK_ROWS, blocks_of
from selection.chance import Draw, draw, split_budget
from selection.checks import check_ids, check_labelled, check_plan, check_pool, check_shapes
from selection.frame import Frame, build_frame, frame_of
from selection.hashing import U64, item_hashes
from selection.purposive import Choice, UncertainLane, minutes_of
from selection.relabel import SecondLooks
from selection.relabel_lane import exchange
from selection.sift import Sifted, can_sift, sift
from selection.strata import FLOOR, Strata
from selection.strategies.base import Labelled
from selection.types import CHANCE, F16, F32, RELABEL, Pick, Plan, Pool, Selection
from selection.whole import Whole

SIFT_ABOVE = 200_000  # items; below, the whole pool is looked at as quickly


def select(
    pool: Pool,
    plan: Plan,
    labelled: Labelled | None = None,
    looks: SecondLooks | None = None,
    *,
    sift_above: int = SIFT_ABOVE,
) -> Selection:
    """Pick ``plan.budget`` (item, policy) pairs, near-duplicates counted once. ``labelled``: what people have settled,
    in an order that does not change from run to run; only the lane ``uncertain`` looks at it. ``looks``: labels that
    the lane ``relabel`` may have looked at again. A pool of more than ``sift_above`` items, whose groups are known, is
    sifted first where the plan allows it: the picks are the same, but of its embeddings only the shortlisted are read,
    and so checked.

    Raises BadPool, BadPlan, EmptyFrame or BudgetTooLarge. What could not be done as planned (a quota, a lane that
    ran short, a diversity fallback) is said in ``notes``; it never fails in silence.
    """
    known = pool.groups is not None or plan.duplicate_cosine is None
    if len(pool.ids) > sift_above and known and pool.moved is None and can_sift(plan):
        return _sifted(pool, plan, labelled)
    check_pool(pool)
    check_plan(plan, pool)
    check_labelled(labelled, pool)
    return _picked(build_frame(pool, plan), plan, labelled, looks=looks)


def select_sifted(sifted: Sifted, embeddings: F16 | F32, plan: Plan, labelled: Labelled | None = None) -> Selection:
    """The same picks as ``select`` makes of the frame that was sifted under this plan. ``embeddings`` (m, d) of the
    shortlist, in the order of ``sifted.pool.ids``. Raises BadPool."""
    pool = replace(sifted.pool, embeddings=embeddings)
    check_pool(pool)
    check_labelled(labelled, pool)
    return _picked(frame_of(pool, plan), plan, labelled, sifted.whole)


def _sifted(pool: Pool, plan: Plan, labelled: Labelled | None) -> Selection:
    check_shapes(pool)
    hashes = item_hashes(pool.ids)
    ordered = np.sort(hashes)
    if "" in pool.ids or (ordered[1:] == ordered[:-1]).any():
        check_ids(pool.ids)
    del ordered
    sifted = sift(lambda: blocks_of(pool, hashes), plan, pool.policies)
    rows = _rows_of(sifted.pool.ids, pool.ids, hashes)
    return select_sifted(sifted, pool.embeddings[rows], plan, labelled)


def _rows_of(wanted: tuple[str, ...], ids: tuple[str, ...], hashes: U64) -> list[int]:
    """Where the wanted ones are among ``ids``."""
    short = np.sort(item_hashes(wanted))
    rows: dict[str, int] = {}
    for start in range(0, len(ids), BLOCK_ROWS):
        part = hashes[start : start + BLOCK_ROWS]
        places = np.minimum(np.searchsorted(short, part), len(short) - 1)
        rows.update((ids[row], row) for row in (start + np.flatnonzero(short[places] == part)).tolist())
    return [rows[item_id] for item_id in wanted]


def _picked(
    frame: Frame,
    plan: Plan,
    labelled: Labelled | None,
    whole: Whole | None = None,
    looks: SecondLooks | None = None,
) -> Selection:
    """The picks of a frame; ``whole``: what is known of the units that it leaves out."""
    sizes = split_budget(plan)
    notes = [f"lane {lane}: its share of {plan.budget} picks is none" for lane, size in sizes.items() if size == 0]
    drawn = draw(frame, plan, sizes, whole=whole)
    picks = _chance_picks(frame, drawn)
    overlap = sum(sizes.get(lane, 0) for lane in CHANCE) - len(picks)
    if drawn.strata is not None:
        notes += _merged(drawn.strata)
    spent = minutes_of(frame, plan, drawn.taken)  # the bound holds without a lane 'uncertain' too
    told: dict[str, object] = {}
    uncertain = next((lane for lane in plan.lanes if lane.name == "uncertain"), None)
    if uncertain is not None:
        lane = UncertainLane(frame, plan, uncertain.strategy, drawn.taken, labelled, whole)
        again = sizes.get(RELABEL, 0)
        wanted = sizes["uncertain"] + overlap + again
        lane.choose(wanted)
        choices, notes = lane.choices, [*notes, *lane.notes]
        if again:
            found = exchange(frame, plan, choices, looks, again, vacant=wanted - len(choices), spent=spent)
            choices, told = list(found.kept), found.told
            picks, notes = [*picks, *found.picks], [*notes, *found.notes]
        picks += [_purposive_pick(frame, plan, uncertain.strategy, choice) for choice in choices]
    else:
        if overlap:
            named = " and ".join(lane for lane in CHANCE if sizes.get(lane))
            notes.append(f"the round is short by {overlap}: {named} drew the same pairs")
        if plan.quotas:
            notes.append("quotas: the plan has no lane 'uncertain', so there are no purposive picks for them to bound")
    by_lane = sorted(picks, key=lambda pick: (pick.lane, pick.policy, pick.item_id))
    counts = frame.counts() if whole is None else whole.counts
    if drawn.strata is not None:
        counts = {**counts, "strata": _told(frame, drawn.strata)}
    return Selection(picks=tuple(by_lane), notes=_counted(notes), frame={**counts, **told})


def _chance_picks(frame: Frame, drawn: Draw) -> list[Pick]:
    picks = []
    for unit in drawn.taken.nonzero()[0].tolist():
        lanes = [lane for lane in CHANCE if drawn.lanes[lane][unit]]
        why = {"random": "random", "risk": f"risk: p={_short(frame.mean[unit])}"}
        stratum = None
        if drawn.strata is not None and "stratified" in lanes:
            stratum = int(drawn.strata.of[unit])
            why["stratified"] = (
                f"stratified: stratum {stratum}, {drawn.strata.picks[stratum]} of {drawn.strata.units[stratum]}"
            )
        pi = float(drawn.pi[unit]) / int(frame.members[unit])
        picks.append(replace(_pick(frame, unit, lanes[0], pi, [why[lane] for lane in lanes]), stratum=stratum))
    return picks


def _merged(strata: Strata) -> list[str]:
    if len(strata) == strata.wanted:
        return []
    return [
        f"lane stratified: {strata.wanted} strata were merged into {len(strata)}, "
        f"for each needs {FLOOR} items and {FLOOR} picks"
    ]


def _told(frame: Frame, strata: Strata) -> list[dict[str, object]]:
    """Each stratum by its number: its policies, its units, its picks, and the mean score of its units."""
    means = np.bincount(strata.of, weights=frame.mean) / strata.units
    return [
        {
            "policies": [frame.pool.policies[column] for column in np.unique(frame.policy[strata.of == stratum])],
            "units": int(strata.units[stratum]),
            "picks": int(strata.picks[stratum]),
            "mean": round(float(means[stratum]), 6),
        }
        for stratum in range(len(strata))
    ]


def _purposive_pick(frame: Frame, plan: Plan, strategy: str, choice: Choice) -> Pick:
    tau = plan.thresholds[frame.pool.policies[frame.policy[choice.unit]]]
    where = f"at tau={_short(tau)}" if strategy == "threshold" else f"by {strategy}"
    reasons = [f"uncertain: u={_short(choice.utility)} {where}"]
    reasons += choice.reasons
    if choice.quota is not None:
        reasons.append(f"quota: {choice.quota.key} {choice.quota.value}")
    return _pick(frame, choice.unit, "uncertain", None, reasons)


def _pick(frame: Frame, unit: int, lane: str, pi: float | None, reasons: list[str]) -> Pick:
    pool, members = frame.pool, int(frame.members[unit])
    if members > 1:
        reasons = [*reasons, f"near-duplicates: 1 of {members}"]
    return Pick(
        item_id=pool.ids[frame.row[unit]],
        policy=pool.policies[frame.policy[unit]],
        lane=lane,
        pi=pi,
        probability=float(frame.probability[unit]),
        group=pool.ids[frame.group[unit]],
        reasons=tuple(reasons),
    )


def _short(value: float) -> str:
    return f"{value:.2f}" if 0.01 <= value <= 0.99 or value in (0.0, 1.0) else f"{value:.3g}"


def _counted(notes: list[str]) -> tuple[str, ...]:
    return tuple(note if times == 1 else f"{note} ({times} times)" for note, times in Counter(notes).items())
