"""A round's selection: pool and plan in, picks out.

The same plan, seed and pool give the same picks, whatever the order of the pool and the number of threads.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import numpy as np

from selection.chance import Draw, draw
from selection.checks import check_labelled, check_plan, check_pool
from selection.frame import Frame, build_frame
from selection.purposive import Choice, UncertainLane, minutes_of
from selection.relabel import SecondLooks
from selection.relabel_lane import exchange
from selection.strata import FLOOR, Strata
from selection.strategies.base import Labelled
from selection.types import CHANCE, LANES, RELABEL, Pick, Plan, Pool, Selection


def select(pool: Pool, plan: Plan, labelled: Labelled | None = None, looks: SecondLooks | None = None) -> Selection:
    """Pick ``plan.budget`` (item, policy) pairs, near-duplicates counted once. ``labelled``: what people have settled,
    in an order that does not change from run to run; only the lane ``uncertain`` looks at it. ``looks``: labels that
    the lane ``relabel`` may have looked at again.

    Raises BadPool, BadPlan, EmptyFrame or BudgetTooLarge. What could not be done as planned (a quota, a lane that
    ran short, a diversity fallback) is said in ``notes``; it never fails in silence.
    """
    check_pool(pool)
    check_plan(plan, pool)
    check_labelled(labelled, pool)
    frame = build_frame(pool, plan)
    sizes = split_budget(plan)
    notes = [f"lane {lane}: its share of {plan.budget} picks is none" for lane, size in sizes.items() if size == 0]
    drawn = draw(frame, plan, sizes)
    picks = _chance_picks(frame, drawn)
    overlap = sum(sizes.get(lane, 0) for lane in CHANCE) - len(picks)
    if drawn.strata is not None:
        notes += _merged(drawn.strata)
    spent = minutes_of(frame, plan, drawn.taken)  # the bound holds without a lane 'uncertain' too
    told: dict[str, object] = {}
    uncertain = next((lane for lane in plan.lanes if lane.name == "uncertain"), None)
    if uncertain is not None:
        lane = UncertainLane(frame, plan, uncertain.strategy, drawn.taken, labelled)
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
    counts = frame.counts() if drawn.strata is None else {**frame.counts(), "strata": _told(frame, drawn.strata)}
    return Selection(picks=tuple(by_lane), notes=_counted(notes), frame={**counts, **told})


def split_budget(plan: Plan) -> dict[str, int]:
    """Picks per lane, adding up to the budget (largest remainders; ties go to the lane first in LANES)."""
    lanes = sorted(plan.lanes, key=lambda lane: LANES.index(lane.name))
    exact = {lane.name: plan.budget * lane.share for lane in lanes}
    sizes = {name: math.floor(value + 1e-9) for name, value in exact.items()}
    by_remainder = sorted(exact, key=lambda name: round(sizes[name] - exact[name], 9))
    for name in by_remainder[: plan.budget - sum(sizes.values())]:
        sizes[name] += 1
    return sizes


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
