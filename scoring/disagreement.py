"""How far the members of a committee disagree about each pair of item and policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import entr

from scoring.base import Scores

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
LN_2 = float(np.log(2))  # the most that two answers can be uncertain, in nats


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitteeScores(Scores):
    """``Scores`` whose probabilities are the mean of ``members`` (m, n, k) float32, one layer a member."""

    members: F32


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Three measures, (n, k) float64 each, all 0 where the members agree and the same in any order of the members.

    ``vote_entropy`` in [0, ln 2]: entropy of the votes "at or above the threshold" (Dagan and Engelson 1995).
    ``bald`` in [0, ln 2]: mutual information of answer and member, entropy of the mean less mean of the entropies
    (Houlsby et al. 2011, "Bayesian active learning for classification and preference learning").
    ``variance`` in [0, 1/4]: of the members' probabilities, over all m.
    Entropies are natural.
    """

    vote_entropy: F64
    bald: F64
    variance: F64


def disagreement(scores: CommitteeScores, thresholds: Mapping[str, float]) -> Disagreement:
    """``thresholds``: policy -> tau in (0, 1). Raises ValueError when a policy of ``scores`` has none."""
    bare = sorted(set(scores.policies) - set(thresholds))
    if bare:
        raise ValueError(f"no threshold is given for {', '.join(bare)}")
    members = _canonical(scores.members)
    taus = np.array([thresholds[policy] for policy in scores.policies], np.float64)
    return Disagreement(
        vote_entropy=_entropy((members >= taus).mean(axis=0)),
        bald=bald(members),
        variance=members.var(axis=0),
    )


def bald(members: npt.NDArray[np.floating[Any]]) -> F64:
    """(m, n, k) probabilities to (n, k) mutual information in nats."""
    shares = _canonical(members)
    information = _entropy(shares.mean(axis=0)) - _entropy(shares).mean(axis=0)
    return np.asarray(np.clip(information, 0, LN_2), np.float64)


def told_of(members: npt.NDArray[np.floating[Any]]) -> F32:
    """(m, n, k) to ``Scores.disagreement``: ``bald`` as float32."""
    return bald(members).astype(np.float32)


def mean_of(members: npt.NDArray[np.floating[Any]]) -> F32:
    """(m, n, k) to (n, k) float32, to the bit the same in any order of the members."""
    return np.asarray(np.clip(_canonical(members).mean(axis=0), 0, 1), np.float32)


def _canonical(members: npt.NDArray[np.floating[Any]]) -> F64:
    """Each pair's probabilities by size: float sums depend on their order, and members have none."""
    if members.ndim != 3 or not len(members):
        raise ValueError(f"members must be (m, n, k) with at least one member, not {members.shape}")
    return np.sort(members.astype(np.float64), axis=0)


def _entropy(share: F64) -> F64:
    return np.asarray(entr(share) + entr(1 - share), np.float64)
