"""Strategies that ask where the members of a committee disagree (query by committee)."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import cast

import numpy as np

from selection.hashing import F64
from selection.strategies import needs
from selection.strategies.base import Candidates, Chosen
from selection.strategies.pointwise import bits
from selection.strategies.shortlist import by_value
from selection.types import F32

Measure = Callable[[F32], F64]  # (c, r) members' probabilities to (r,)


def vote_entropy(candidates: Candidates, n: int, _: int) -> Chosen:
    """The entropy in bits of the members' votes, each cast at the operating threshold. Ties are many."""
    votes = needs.committee(candidates) >= candidates.thresholds.astype(np.float32)
    return _best(candidates, bits(votes.mean(axis=0, dtype=np.float64)), n)


def bald(candidates: Candidates, n: int, _: int) -> Chosen:
    """What the answer would tell about which member is right: entropy of the mean minus mean of the entropies, bits."""
    members = needs.committee(candidates)
    own = sum((bits(member.astype(np.float64)) for member in members), np.zeros(members.shape[1:])) / len(members)
    return _best(candidates, np.maximum(bits(members.mean(axis=0, dtype=np.float64)) - own, 0.0), n)


def modal_vote_entropy(candidates: Candidates, n: int, _: int) -> Chosen:
    """modAL's vote entropy over a Committee of the served members, in bits; votes are cast at 0.5."""
    return _modal("vote_entropy_utility", candidates, n)


def modal_consensus_entropy(candidates: Candidates, n: int, _: int) -> Chosen:
    """modAL's consensus entropy over a Committee of the served members, in bits."""
    return _modal("consensus_entropy_utility", candidates, n)


def modal_max_disagreement(candidates: Candidates, n: int, _: int) -> Chosen:
    """modAL's largest Kullback-Leibler divergence of a served member from the consensus, in bits."""
    return _modal("max_disagreement_utility", candidates, n)


def _modal(name: str, candidates: Candidates, n: int) -> Chosen:
    measure = cast(Measure, getattr(importlib.import_module("selection.modal_committee"), name))
    members = needs.committee(candidates)
    return _best(candidates, measure(members.reshape(len(members), -1)).reshape(members.shape[1:]), n)


def _best(candidates: Candidates, utilities: F64, n: int) -> Chosen:
    short = by_value(candidates, utilities, n)
    return short.chosen(np.arange(len(short)), n)
