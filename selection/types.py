"""What goes into a selection and what comes out: arrays and plain values, no storage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
F16 = npt.NDArray[np.float16]
Bool = npt.NDArray[np.bool_]
Near = Callable[[F32, int], npt.NDArray[np.int64]]  # (q, d) unit queries and k to rows of about their k nearest

CHANCE = ("random", "risk", "stratified")  # lanes whose picks have a known probability
PER = ("pick", "minute", "exposure")
QUOTA_FIELDS = ("language", "market", "modality")
RELABEL = "relabel"  # the lane of second looks
LANES = (*CHANCE, "uncertain", RELABEL)


@dataclass(frozen=True, slots=True)
class Pool:
    """The frame of a round: n items under k policies. Order carries no meaning: picks are the same for any.

    ``probabilities`` (n, k) float32 in [0, 1]; ``embeddings`` (n, d) float16 or float32, L2-normalised rows, all zero
    for an item that has none;
    ``eligible`` (n, k) bool: pairs that may be picked (not judged yet, policy applies to the item);
    ``languages`` one BCP-47 tag per item ("und": unknown);
    ``disagreement`` (n, k) float32 in [0, ln 2], where a committee scored: how far its members differ (BALD, nats);
    ``members`` (c, n, k) float32 in [0, 1]: what each member of a committee says, where that is known;
    ``markets``, ``modalities``, ``authors``: one word per item, "" where it is unknown, None where items have no such
    field;
    ``minutes`` (n,) above 0 and ``exposure`` (n,) from 0 up: what asking about an item costs people, in their minutes
    and in units of harm seen; None where nobody counts;
    ``groups`` (n,) int64: items with equal numbers are near-duplicates; None: by cosine of the embeddings;
    ``moved`` (n, k) float32 in [0, 1]: the probabilities moved to where the plan's thresholds hold, where some items
    are held against others; None: as they are. Only closeness to a threshold is told by them;
    ``near``: an index of the embeddings, for strategies that look around labelled items; None: they look at all.
    """

    ids: tuple[str, ...]
    policies: tuple[str, ...]
    probabilities: F32
    embeddings: F16 | F32
    eligible: Bool
    languages: tuple[str, ...]
    disagreement: F32 | None = None
    members: F32 | None = None
    markets: tuple[str, ...] | None = None
    modalities: tuple[str, ...] | None = None
    authors: tuple[str, ...] | None = None
    minutes: F32 | None = None
    exposure: F32 | None = None
    groups: npt.NDArray[np.int64] | None = None
    near: Near | None = None
    moved: F32 | None = None

    def words(self, key: str) -> tuple[str, ...] | None:
        """The items' values of a field that a quota may name, a key of ``QUOTA_FIELDS``."""
        found: dict[str, tuple[str, ...] | None] = {
            "language": self.languages,
            "market": self.markets,
            "modality": self.modalities,
        }
        return found[key]


@dataclass(frozen=True, slots=True)
class Lane:
    """A part of the budget with its own rule. ``share`` in (0, 1]; shares of a plan add up to 1.

    ``strategy`` applies to ``uncertain`` only: a name of ``selection.strategies.registry``.
    """

    name: str
    share: float
    strategy: str = "threshold"


@dataclass(frozen=True, slots=True)
class Quota:
    """A bound on the purposive picks of one policy, language, market or modality; lanes with known pi are not
    touched."""

    key: str  # "policy" or one of QUOTA_FIELDS
    value: str
    at_least: int = 0
    at_most: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a round asks for. ``thresholds`` (tau, in (0, 1)) and ``severities`` (weights > 0) by policy.

    ``risk_floor`` is eps of the PPS rule; ``duplicate_cosine`` collapses near-duplicates (1.0 or more: exact only,
    None: never; groups that a pool brings were made at that cosine and stand, but under None). ``temperature`` is s in
    ``u = exp(-|logit p - logit tau| / s)``. ``per_author``: the most purposive picks of one author, None without a
    bound; items whose author is unknown are not bounded. ``per``: what the lane ``uncertain`` gets the most value out
    of, one of ``PER``; ``max_minutes``: the most minutes all picks may cost.
    """

    budget: int
    seed: int
    lanes: tuple[Lane, ...]
    thresholds: dict[str, float]
    severities: dict[str, float]
    quotas: tuple[Quota, ...] = ()
    risk_floor: float = 0.1
    duplicate_cosine: float | None = 0.95
    temperature: float = 1.0
    per_author: int | None = None
    per: str = "pick"
    max_minutes: float | None = None


@dataclass(frozen=True, slots=True)
class Pick:
    """One item chosen for one policy. ``pi`` in (0, 1] is the probability that this design picks this very pair
    (near-duplicate groups accounted for); None: chosen on purpose, so no claim about the population. ``stratum``: the
    number of the stratum it was drawn from, None where the lane ``stratified`` did not draw it."""

    item_id: str
    policy: str
    lane: str
    pi: float | None
    probability: float
    group: str
    reasons: tuple[str, ...]
    stratum: int | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """Picks sorted by (lane, policy, item id); ``notes`` are stated fallbacks; ``frame`` counts what could have
    been picked: items, pairs, groups, per policy and language."""

    picks: tuple[Pick, ...]
    notes: tuple[str, ...]
    frame: dict[str, object] = field(default_factory=dict)
