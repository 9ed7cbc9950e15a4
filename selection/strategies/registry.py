"""Every strategy by its name, with where it comes from, what it costs and what it needs.

None of them keeps ``pi``: what is chosen on purpose says nothing about the population. Cost: N candidates, n picks, d
dimensions, M = min(N, shortlist).
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import cast

from selection.errors import BadPlan
from selection.strategies.base import Choose


@dataclass(frozen=True, slots=True)
class Entry:
    """``where``: "module:function", looked up on use, since modAL imports torch where torch is installed and a round
    that does not ask for modAL must not pay for it; ``needs``: "labels" or "committee", what it is refused without."""

    where: str
    source: str
    cost: str
    needs: tuple[str, ...] = ()


STRATEGIES: dict[str, Entry] = {
    "threshold": Entry(
        "selection.strategies.measures:threshold",
        "uncertainty at the operating threshold, then one pick per k-means cluster (Zhdanov 2019)",
        "O(N log N + M n d)",
    ),
    "modal_least_confident": Entry(
        "selection.strategies.measures:modal_least_confident", "modAL classifier_uncertainty", "O(N log N + M n d)"
    ),
    "modal_margin": Entry(
        "selection.strategies.measures:modal_margin", "modAL classifier_margin", "O(N log N + M n d)"
    ),
    "modal_entropy": Entry(
        "selection.strategies.measures:modal_entropy", "modAL classifier_entropy", "O(N log N + M n d)"
    ),
    "facility_location": Entry(
        "selection.strategies.facility:facility",
        "Nemhauser et al. 1978; lazy greedy (Minoux 1978), stochastic above 10,000 rows (Mirzasoleiman et al. 2015)",
        "O(N log N + M^2 d), M <= max(10,000, n)",
    ),
    "least_confidence": Entry(
        "selection.strategies.pointwise:least_confidence", "Lewis and Catlett 1994, prior-adjusted", "O(N k + N log N)"
    ),
    "margin": Entry(
        "selection.strategies.pointwise:margin", "Scheffer et al. 2001, prior-adjusted", "O(N k + N log N)"
    ),
    "entropy": Entry("selection.strategies.pointwise:entropy", "Shannon 1948, prior-adjusted", "O(N k + N log N)"),
    "density": Entry(
        "selection.strategies.pointwise:density",
        "information density (Settles and Craven 2008), beta = 1",
        "O(N d + N log N)",
    ),
    "random": Entry("selection.strategies.pointwise:random", "the baseline", "O(N k + N log N)"),
    "vote_entropy": Entry(
        "selection.strategies.committee:vote_entropy",
        "Dagan and Engelson 1995",
        "O(c N k + N log N)",
        ("committee",),
    ),
    "bald": Entry("selection.strategies.committee:bald", "Houlsby et al. 2011", "O(c N k + N log N)", ("committee",)),
    "modal_vote_entropy": Entry(
        "selection.strategies.committee:modal_vote_entropy", "modAL vote_entropy", "O(c N k + N log N)", ("committee",)
    ),
    "modal_consensus_entropy": Entry(
        "selection.strategies.committee:modal_consensus_entropy",
        "modAL consensus_entropy",
        "O(c N k + N log N)",
        ("committee",),
    ),
    "modal_max_disagreement": Entry(
        "selection.strategies.committee:modal_max_disagreement",
        "modAL KL_max_disagreement",
        "O(c N k + N log N)",
        ("committee",),
    ),
}


def find(name: str) -> Choose:
    """The strategy of that name. Raises BadPlan naming the known ones."""
    module, function = entry(name).where.split(":")
    return cast(Choose, getattr(importlib.import_module(module), function))


def entry(name: str) -> Entry:
    """What is known about it. Raises BadPlan naming the known ones."""
    if name not in STRATEGIES:
        raise BadPlan(f"strategy: {name!r} is unknown (known: {', '.join(STRATEGIES)})")
    return STRATEGIES[name]
