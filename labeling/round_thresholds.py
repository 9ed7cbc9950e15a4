"""Where the line is drawn for each item of a round: by the thresholds of whoever scored it.

A plan's ``thresholds`` are those that texts are held against: the champion's. Images are scored by another scorer, so
theirs are the ones that were set for a champion of images, else the policies' own. Where they differ, the plan keeps
them under ``images``, and whoever compares a score with a line asks here which one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from labeling.golden.text import IMAGE, TEXT
from selection.types import Pool
from selection.uncertainty import logit

if TYPE_CHECKING:
    from labeling.round_images import Frame

F32 = npt.NDArray[np.float32]
IMAGES = "images"  # the key of a plan that says what images are held against, and whose it is
POLICIES = "the policies"


def images_plan(taus: Mapping[str, float], whose: str, plan: Mapping[str, object]) -> dict[str, object]:
    """What a plan says of images that are held against ``taus`` (by policy); nothing where they are the plan's."""
    texts = thresholds_of(plan)
    differs = {policy: float(tau) for policy, tau in taus.items() if policy in texts and float(tau) != texts[policy]}
    return {IMAGES: {"thresholds": differs, "of": whose or POLICIES}} if differs else {}


def thresholds_of(plan: Mapping[str, object], modality: str = TEXT) -> dict[str, float]:
    """Policy to the probability from which an item of that modality counts as flagged."""
    found = _floats(plan["thresholds"])
    own = plan.get(IMAGES)
    return found | (_floats(own["thresholds"]) if modality == IMAGE and isinstance(own, Mapping) else {})


def at_thresholds(plan: Mapping[str, object], pool: Pool, frame: Frame) -> Pool:
    """The pool with the probabilities of images moved to where the plan's thresholds hold, for what looks at how near
    to the line an item is; what the scorer said stays beside it."""
    if IMAGES not in plan or not frame.images:
        return pool
    ours, theirs = (_columns(thresholds_of(plan, kind), pool) for kind in (TEXT, IMAGE))
    moved = pool.probabilities.copy()
    moved[frame.texts :] = _moved(moved[frame.texts :], theirs, ours)
    members = pool.members
    if members is not None:
        members = members.copy()
        members[:, frame.texts :] = moved[frame.texts :]
    return replace(pool, moved=moved, members=members)


def threshold_notes(plan: Mapping[str, object], frame: Frame) -> list[str]:
    """Which thresholds images were held against, where they are not those of texts."""
    own = plan.get(IMAGES)
    if not frame.images or not isinstance(own, Mapping):
        return []
    told = ", ".join(f"{policy} {tau:g}" for policy, tau in sorted(_floats(own["thresholds"]).items()))
    return [f"images are held against the thresholds of {own['of']}, and not those of texts: {told}"]


def _moved(probabilities: F32, own: npt.NDArray[np.float64], plan: npt.NDArray[np.float64]) -> F32:
    logits = logit(probabilities.astype(np.float64)) - logit(own) + logit(plan)
    same = own == plan  # to the last bit, where nothing is to be moved
    return np.asarray(np.where(same, probabilities, expit(logits)), np.float32)


def _columns(taus: Mapping[str, float], pool: Pool) -> npt.NDArray[np.float64]:
    return np.array([taus[policy] for policy in pool.policies], np.float64)


def _floats(value: object) -> dict[str, float]:
    if not isinstance(value, Mapping):
        raise TypeError("a plan holds its thresholds by policy")
    return {str(policy): float(tau) for policy, tau in value.items()}
