"""How much should somebody look at this trend first? An emerging-risk score of parts that are all shown.

Each part is in [0, 1], larger is worse:

- ``surprise``: -log10 p over ``FULL_SURPRISE``, at most 1;
- ``novelty``: 1 - the mean cosine of the items with their nearest gold, at least 0; 1 where there is no gold;
- ``severity``: the mean over items of the largest probability x 2^severity / 2^4 over policies (S0..S4), at the
  scorer's word;
- ``reach``: log10(1 + views of all items) over ``FULL_REACH``, at most 1;
- ``uncovered``: the share of items without gold within ``COVERED`` (cosine).

The score is 100 x the mean of the parts by ``WEIGHTS``. A part that nothing is known of (no scores, say) is None and
takes no part; the others' weights then add up to 1. The weights are a choice, not a fit: they order a list, and no
figure rests on it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FULL_SURPRISE, FULL_REACH, COVERED = 12.0, 6.0, 0.8
WEIGHTS = {"surprise": 0.3, "novelty": 0.2, "severity": 0.2, "reach": 0.15, "uncovered": 0.15}
F32 = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Risk:
    """``score`` in [0, 100]; ``parts`` as above, by name."""

    score: float
    parts: dict[str, float | None]


def risk(p: float, cosine: F32 | None, severity: F32 | None, views: int) -> Risk:
    """``cosine`` (n,): of each item with its nearest gold; None: there is no gold. ``severity`` (n,) in [0, 1]: the
    expected severity of those items that are scored; None: none is. ``views``: of all items together."""
    parts: dict[str, float | None] = {
        "surprise": float(min(1.0, -np.log10(max(p, 1e-300)) / FULL_SURPRISE)),
        "novelty": 1.0 if cosine is None else float(np.clip(1.0 - cosine.mean(), 0.0, 1.0)),
        "severity": None if severity is None or not len(severity) else float(severity.mean()),
        "reach": float(min(1.0, np.log10(1.0 + views) / FULL_REACH)),
        "uncovered": 1.0 if cosine is None else float((cosine < COVERED).mean()),
    }
    known = {name: part for name, part in parts.items() if part is not None}
    weight = sum(WEIGHTS[name] for name in known)
    return Risk(100.0 * sum(WEIGHTS[name] * part for name, part in known.items()) / weight, parts)
