"""Pools made by hand for tests: clustered vectors, a few planted copies, beta-shaped probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from selection.strategies.base import Candidates, Labelled
from selection.types import F32, Lane, Plan, Pool, Quota

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
    return replace(
        pool,
        ids=tuple(pool.ids[row] for row in order),
        probabilities=pool.probabilities[order],
        embeddings=pool.embeddings[order],
        eligible=pool.eligible[order],
        languages=tuple(pool.languages[row] for row in order),
        disagreement=None if pool.disagreement is None else pool.disagreement[order],
        members=None if pool.members is None else pool.members[:, order],
        markets=_ordered(pool.markets, order),
        modalities=_ordered(pool.modalities, order),
        authors=_ordered(pool.authors, order),
        minutes=None if pool.minutes is None else pool.minutes[order],
        exposure=None if pool.exposure is None else pool.exposure[order],
        groups=None if pool.groups is None else pool.groups[order],
    )


def _ordered(words: tuple[str, ...] | None, order: np.ndarray[Any, Any]) -> tuple[str, ...] | None:
    return None if words is None else tuple(words[row] for row in order)


def made_candidates(
    m: int, policies: int = 3, d: int = 16, seed: int = 0, committee: int = 0, labelled: int = 0
) -> Candidates:
    """Clustered vectors; a linear truth per policy, about one in five violating; probabilities that know it roughly."""
    rng = np.random.default_rng(seed)
    centres, truth = rng.standard_normal((12, d)), rng.standard_normal((d, policies))

    def vectors(count: int) -> F32:
        found = centres[rng.integers(0, 12, count)] + 0.8 * rng.standard_normal((count, d))
        return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), np.float32)

    def chances(rows: F32, noise: float) -> F32:
        logits = 6.0 * rows @ truth / d**0.5 - 2.0 + noise * rng.standard_normal((len(rows), policies))
        return np.asarray(1 / (1 + np.exp(-logits)), np.float32)

    rows, known = vectors(m), vectors(labelled)
    sure = chances(known, 0.0)
    return Candidates(
        embeddings=rows,
        probabilities=chances(rows, 0.5),
        open=np.ones((m, policies), dtype=bool),
        thresholds=np.full(policies, 0.4),
        weights=np.exp2(np.arange(policies, dtype=np.float64)),
        ties=rng.random(m),
        labelled=Labelled(known, (sure > 0.5).astype(np.float32), sure) if labelled else None,
        members=np.stack([chances(rows, 1.0) for _ in range(committee)]) if committee else None,
        disagreement=(0.69 * rng.beta(0.6, 3.0, (m, policies))).astype(np.float32) if committee else None,
    )
