"""The pool that a round picks from: what its items are, what they cost, and what may still be asked of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

import numpy as np

from labeling.errors import InvalidInput
from labeling.round_costs import costs_of, exposure_of, looks_of, minutes_of
from labeling.round_images import IMAGE, Frame
from labeling.round_plan import floats
from labeling.store.interfaces import Lake, Rounds
from selection.types import Pool


class Judged(Protocol):
    """The part of the ledger that says what was asked before."""

    @property
    def rounds(self) -> Rounds: ...


def pool_of(stores: Judged, lake: Lake, plan: Mapping[str, object], frame: Frame) -> Pool:
    """The frame's items under the plan's policies. A pair is eligible when the item's scorer judges the policy, the
    item may be judged under it, and no round has picked it. Raises InvalidInput for a policy that no scorer judges."""
    sheet, chosen = frame.sheet, tuple(sorted(floats(plan["thresholds"])))
    unscored = [p for p in chosen if p not in sheet.policies]
    if unscored:
        known = ", ".join(sheet.policies)
        raise InvalidInput(f"policies: {', '.join(unscored)}: the scorer does not judge it (it judges: {known})")
    columns = [sheet.policies.index(p) for p in chosen]
    table = lake.take(sheet.ids, ["language", "market", "modality", "policies", "author"])
    eligible = np.ascontiguousarray(frame.judged[:, columns])
    for row, only in enumerate(table["policies"].to_pylist()):
        if only:
            eligible[row] &= [p in only for p in chosen]
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
        markets=tuple(table["market"].to_pylist()),
        modalities=tuple(table["modality"].to_pylist()),
        authors=tuple(author or "" for author in table["author"].to_pylist()),
        disagreement=None if sheet.disagreement is None else np.ascontiguousarray(sheet.disagreement[:, columns]),
    )


def pool_notes(plan: Mapping[str, object], frame: Frame) -> list[str]:
    """What a person should know of a pool that holds images."""
    chosen = sorted(floats(plan["thresholds"]))
    columns = [frame.sheet.policies.index(p) for p in chosen]
    notes = list(frame.notes)
    bare = [p for p, asked in zip(chosen, frame.judged[frame.texts :, columns].T, strict=True) if not asked.any()]
    if frame.images and bare:
        notes.append(f"no {IMAGE} is asked about under {', '.join(bare)}, which the images' scorer does not judge")
    if frame.images and frame.texts:
        notes.append("images have no embedding beside texts, so nothing is spread, or told to be alike, by theirs")
    return notes


def priced(lake: Lake, plan: Mapping[str, object], pool: Pool) -> Pool:
    """With what its items cost, where the plan asks for it: reading every text takes time."""
    overlap, severities = int(str(plan["overlap"])), weights(plan, pool)
    if plan.get("per") == "exposure":
        looks = looks_of(lake, pool.ids, costs_of(floats(plan.get("costs", {}))))
        pool = replace(pool, exposure=exposure_of(pool.probabilities, severities, overlap, looks))
    if plan.get("per") == "minute" or "max_minutes" in plan:
        costs = costs_of(floats(plan.get("costs", {})))
        pool = replace(pool, minutes=minutes_of(lake, pool.ids, costs, overlap))
    return pool


def weights(plan: Mapping[str, object], pool: Pool) -> list[float]:
    """The severity weight of each of the pool's policies."""
    severities = floats(plan["severities"])
    return [severities[policy] for policy in pool.policies]
