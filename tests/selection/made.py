"""Pools made by hand for tests: clustered vectors, a few planted copies, beta-shaped probabilities."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from selection.types import Lane, Plan, Pool, Quota

POLICIES = ("hate", "threats", "spam")


def made_pool(n: int = 300, copies: int = 10, seed: int = 0, policies: Sequence[str] = POLICIES) -> Pool:
    """n items of which the last ``copies`` repeat the first ones but for a trace of noise."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((12, 16))
    vectors = centres[rng.integers(0, 12, n)] + 0.8 * rng.standard_normal((n, 16))
    if copies:
        vectors[n - copies :] = vectors[:copies] + 0.001 * rng.standard_normal((copies, 16))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    eligible = rng.random((n, len(policies))) < 0.9
    return Pool(
        ids=tuple(f"item-{row:05d}" for row in range(n)),
        policies=tuple(policies),
        probabilities=rng.beta(0.6, 3.0, (n, len(policies))).astype(np.float32),
        embeddings=vectors.astype(np.float16),
        eligible=eligible,
        languages=tuple(rng.choice(["en", "pt", "und"], n, p=[0.6, 0.3, 0.1]).tolist()),
        disagreement=(0.69 * rng.beta(0.6, 3.0, (n, len(policies)))).astype(np.float32),
    )


def made_plan(
    lanes: Sequence[Lane], budget: int = 60, seed: int = 1, quotas: Sequence[Quota] = (), cosine: float | None = 0.95
) -> Plan:
    return Plan(
        budget=budget,
        seed=seed,
        lanes=tuple(lanes),
        thresholds={"hate": 0.5, "threats": 0.3, "spam": 0.6},
        severities={"hate": 2.0, "threats": 4.0, "spam": 1.0},
        quotas=tuple(quotas),
        duplicate_cosine=cosine,
    )


def shuffled(pool: Pool, seed: int) -> Pool:
    """The same pool in another order."""
    order = np.random.default_rng(seed).permutation(len(pool.ids))
    return Pool(
        ids=tuple(pool.ids[row] for row in order),
        policies=pool.policies,
        probabilities=pool.probabilities[order],
        embeddings=pool.embeddings[order],
        eligible=pool.eligible[order],
        languages=tuple(pool.languages[row] for row in order),
        disagreement=None if pool.disagreement is None else pool.disagreement[order],
    )
