"""Which labels a changed policy is likely to turn, from arrays: the order of a relabel round, and who is in a bridge
sample.

Of a label that n people voted on, of whom d said another outcome, and of which a model says that the other outcome
holds with probability m (its calibrated probability, moved so that the policy's operating threshold is 0.5)::

    P(flip) = (d + m) / (n + 1)
    order   = P(flip) * 2^severity, the largest first

which is the share of voices for the other outcome when the model is one voice beside the people. Where the model may
not speak, m is what it says on average where it may, so that it moves none of these before another.
"""

from __future__ import annotations

import numpy as np

from selection.errors import BadSample
from selection.hashing import F64, item_hashes, uniform, uniforms
from selection.relabel import Rows
from selection.sampling import on_grid, pps_draw
from selection.types import Bool

_DIGITS = 9  # worths that differ by less are equal
UNSURE = 0.5  # what a model says that says nothing


def flip_chances(violates: Bool, probabilities: F64, votes: Rows, against: Rows, heard: Bool) -> F64:
    """(m,) in [0, 1]. ``violates``: the label; ``probabilities`` that it violates, at the operating threshold, NaN
    where unknown; ``votes`` of people, ``against`` of which said another outcome; ``heard``: may the model speak?
    Raises BadSample."""
    if (against > votes).any() or (against < 0).any():
        raise BadSample("against: more people than voted, or fewer than none, said another outcome")
    model = np.where(violates, 1.0 - probabilities, probabilities)
    known = heard & ~np.isnan(model)
    common = float(model[known].mean()) if known.any() else UNSURE
    return np.asarray((against + np.where(known, model, common)) / (votes + 1.0), np.float64)


def flip_order(ids: tuple[str, ...], chances: F64, severities: Rows) -> list[int]:
    """Positions, the largest ``P(flip) * 2^severity`` first; equal ones by id."""
    worth = np.round(chances * 2.0**severities, _DIGITS)
    return sorted(range(len(ids)), key=lambda i: (-worth[i], ids[i]))


def bridge_draw(ids: tuple[str, ...], closeness: F64, n: int, floor: float, seed: int) -> tuple[Bool, F64]:
    """(N,) who is drawn, and (N,) pi: n items in proportion to ``closeness`` (N,) in [0, 1] to the operating threshold,
    NaN where unknown, which counts as the mean; a share ``floor`` of the draw is even. All pi are above 0."""
    known = ~np.isnan(closeness)
    mean = float(closeness[known].mean()) if known.any() else 1.0
    sizes = on_grid(np.where(known, closeness, mean), 1.0, floor)
    numbers = uniforms(item_hashes(ids), seed, "bridge")
    return pps_draw(sizes, numbers, uniform(seed, "bridge", "start"), n, floor)
