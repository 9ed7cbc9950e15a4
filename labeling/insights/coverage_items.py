"""The items behind figures of coverage. Dark is told as clusters are: by gold that may be told item by item."""

from __future__ import annotations

import numpy as np

from labeling.errors import InvalidInput
from labeling.insights.coverage import DARK, KINDS, RISKY, Stores, check_cosine, gold_of
from labeling.insights.traffic import Frame, frame_of, place_of, survey
from labeling.policies import Policies
from labeling.quality.coverage import NEAR, nearest
from labeling.scorebook import Judge
from labeling.store.interfaces import Lake


def coverage_items(
    stores: Stores,
    lake: Lake,
    scorer: Judge,
    policies: Policies,
    frame: Frame,
    kind: str,
    *,
    cluster: str = "",
    policy: str = "",
    cosine: float = NEAR,
) -> list[str]:
    """The items of the frame that were looked at, or of these the ``risky`` or the ``dark`` ones, sorted. ``cluster``:
    of this one alone, which names its own frame. Raises InvalidInput, NotFound, NothingToDo."""
    if kind not in KINDS:
        raise InvalidInput(f"kind: {kind!r} is none of {', '.join(KINDS)}")
    check_cosine(cosine)
    frame = frame_of(cluster) if cluster else frame
    traffic = survey(stores.items, lake, scorer, frame)
    kept = np.ones(len(traffic.ids), np.bool_)
    if cluster:
        kept &= traffic.labels == place_of(traffic, cluster)
    if kind == RISKY:
        kept &= traffic.weights(policies, policy) > 0
    if kind == DARK:
        gold = gold_of(stores.golden, lake, scorer, [policy] if policy else [], frame.modality)
        kept &= nearest(traffic.vectors, gold.vectors[gold.seen]) < cosine
    return [traffic.ids[row] for row in np.flatnonzero(kept)]
