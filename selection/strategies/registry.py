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
    that does not ask for modAL must not pay for it; ``needs``: "labels", "committee" or "disagreement", what it is
    refused without."""

    where: str
    source: str
    cost: str
    needs: tuple[str, ...] = ()


DISAGREEMENT, COMMITTEE, LABELS = "disagreement", "committee", "labels"
SEALS = "seals"

STRATEGIES: dict[str, Entry] = {
    "auto": Entry(
        "selection.strategies.auto:auto",
        "ours: deployed boundary and rare policies' own boundaries by facility location, typical items first",
        "O(N k + N log N + M^2 d), M <= 20 n",
    ),
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
    DISAGREEMENT: Entry(
        "selection.strategies.measures:disagreement",
        "BALD of the scorer's members (Houlsby et al. 2011), then one pick per k-means cluster",
        "O(N log N + M n d)",
        needs=(DISAGREEMENT,),
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
        "selection.strategies.committee:modal_vote_entropy",
        "modAL vote_entropy, a Python loop over the pairs",
        "O(c N k + N log N)",
        ("committee",),
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
    "k_center": Entry(
        "selection.strategies.cover:k_center",
        "core-set (Sener and Savarese 2018; Gonzalez 1985)",
        "O(N k + M (l + n) d), M <= max(50,000, n)",
    ),
    "k_means": Entry(
        "selection.strategies.clusters:k_means", "Zhdanov 2019, unweighted", "O(N k + M n d), M <= max(50,000, n)"
    ),
    "typiclust": Entry(
        "selection.strategies.clusters:typical",
        "TypiClust (Hacohen et al. 2022)",
        "O(N k + (M + l) c d + M^2 d / c), c <= max(500, n) clusters, M <= max(10,000, n)",
    ),
    "probcover": Entry(
        "selection.strategies.cover:probability_cover",
        "ProbCover (Yehuda et al. 2022)",
        "O(N k + M (M + l) d), M <= max(10,000, n)",
    ),
    "cluster_margin": Entry(
        "selection.strategies.clusters:cluster_margin",
        "Cluster-Margin (Citovsky et al. 2021)",
        "O(N log N + M^2 d), M <= max(10,000, n)",
    ),
    "weighted_plus_plus": Entry(
        "selection.strategies.seeding:weighted_plus_plus",
        "k-means++ seeding (Arthur and Vassilvitskii 2007), weighted by uncertainty",
        "O(N log N + M n d), M <= max(50,000, n)",
    ),
    "badge": Entry(
        "selection.strategies.seeding:badge",
        "BADGE (Ash et al. 2020), prior-adjusted",
        "O(N log N + M n (d + k)), M <= max(50,000, n)",
    ),
    "bait": Entry(
        "selection.strategies.fisher:bait",
        "BAIT (Ash et al. 2021): a head a policy, forward greedy only",
        "O(N log N + M n d + k (M + l + d) d^2), M <= max(10,000, n)",
    ),
    "ranked_batch": Entry(
        "selection.strategies.ranked_batch:ranked_batch",
        "Cardoso et al. 2017 as in modAL, Euclidean",
        "O(N log N + M (l + n) d), M <= max(10,000, n); without labels M^2 d",
    ),
    "cal": Entry(
        "selection.strategies.contrast:contrastive",
        "CAL (Margatina et al. 2021)",
        "O(N log N + M l d), M <= max(50,000, n)",
        ("labels",),
    ),
    "discriminative": Entry(
        "selection.strategies.contrast:discriminative",
        "Gissin and Shalev-Shwartz 2019, logistic",
        "O(N k + (M + l) d^2), M <= max(10,000, n)",
        ("labels",),
    ),
    SEALS: Entry(
        "selection.strategies.rare:seals",
        "SEALS (Coleman et al. 2022), around violations",
        "O(k N d + N log N), 50 violations a policy; above 500,000 items by a kept index, approximate",
        ("labels",),
    ),
    "anchors": Entry(
        "selection.strategies.rare:anchors",
        "AnchorAL (Lesci and Vlachos 2024), around violations",
        "O(k N d + k N log N)",
        ("labels",),
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
