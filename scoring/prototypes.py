"""Cold start: a head made from the policies' own words, so that the very first round already ranks."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from scoring.embeddings import Encoder
from scoring.head import Head

STEEPNESS = 12.0  # logits a unit of cosine
MIDDLE = 0.3  # cosine that maps to 0.5; most content lies below 0.1, clear hits about 0.2 to 0.5
SHARED = 0.5  # how much of what all policies have in common is taken away


def prototype_head(encoder: Encoder, policies: Mapping[str, str]) -> Head:
    """A head over ``policies`` (id -> text, one clause a line), sorted by id.

    A policy's direction is the mean of its clauses' embeddings, less half the mean over all policies, which tells
    kindred policies apart. The result is a *ranking*: a higher figure means closer in meaning to the policy's words;
    as a probability it is not calibrated, and content may violate a policy in words the policy does not have.
    Raises ValueError for no policy, or one without text.
    """
    if not policies:
        raise ValueError("there is no policy to make a prototype from")
    ids = tuple(sorted(policies))
    means = np.stack([_clauses(encoder, policy, policies[policy]) for policy in ids])
    if len(ids) > 1:
        means = means - SHARED * _unit(means.mean(axis=0))
    weights = np.stack([_unit(mean) for mean in means]).astype(np.float32)
    k = len(ids)
    return Head(
        policies=ids,
        weights=weights,
        bias=np.full(k, -MIDDLE, np.float32),
        platt=np.tile(np.array([STEEPNESS, 0.0], np.float32), (k, 1)),
        sources=("prototype",) * k,
        encoder_version=encoder.version,
    )


def _clauses(encoder: Encoder, policy: str, text: str) -> npt.NDArray[np.float64]:
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise ValueError(f"policy {policy!r} has no text to make a prototype from")
    found = encoder.encode([str(i) for i in range(len(lines))], lines)
    if found.failures:
        raise ValueError(f"policy {policy!r} has a line that cannot be encoded: {found.failures[0].reason}")
    return _unit(found.vectors.astype(np.float64).mean(axis=0))


def _unit(vector: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return vector / max(float(np.linalg.norm(vector)), 1e-12)
