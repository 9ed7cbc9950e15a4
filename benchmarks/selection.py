"""A round over 100,000 items: what it costs, its diversity step beside scikit-learn's MiniBatchKMeans, and the ranked
batch beside modAL's.

The pool is made: 384 dimensions in 3,000 uneven clusters, 2 % planted near-copies, eight policies. Each round runs
in a process of its own, so that memory is that of the round alone: the peak above what the pool itself holds.
"""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import numpy.typing as npt
from modAL.batch import ranked_batch
from sklearn.cluster import MiniBatchKMeans
from threadpoolctl import threadpool_limits

from benchmarks.process import forget_peak, in_own_process, peak_mib, timed
from benchmarks.row import Row, hardware
from selection.diversity import spread
from selection.hashing import F64
from selection.select import select
from selection.strategies.ranked_batch import rank
from selection.types import F32, Lane, Plan, Pool

ITEMS, DIMENSIONS, POLICIES, BUDGET = 100_000, 384, 8, 500
SHORTLIST = 20 * BUDGET
MILLION, PICKS = 1_000_000, 1_000
RANKED, LABELLED = 100, 50  # picks of 10,000, and what is labelled before
MODAL = "modAL ranked_batch, the same picks, one thread as ours"
PEER = "scikit-learn MiniBatchKMeans, one thread as ours"
NAMES = (
    "selection_round_100k_cpu",
    "selection_round_100k_wall",
    "selection_round_100k_peak_memory",
    "selection_diversity_10k",
    "selection_diversity_10k_coverage",
    "selection_ranked_batch_10k",
    "selection_auto_1m",
    "selection_auto_1m_memory",
)

Rows = npt.NDArray[np.int64]


def rows() -> list[Row]:
    """The figures of one round, of its diversity step and of the ranked batch, best of three."""
    cpu_s, wall_s, peak_mib = in_own_process(measure_round)
    ours, theirs, spread_ours, spread_theirs = in_own_process(measure_diversity)
    ranked_ours, ranked_theirs = in_own_process(measure_ranked_batch)
    auto_cpu_s, auto_s, auto_mib = in_own_process(measure_million)
    million = f"{hardware()}; {MILLION:,} x {DIMENSIONS}, 4 policies, groups ready, {PICKS:,} picks"
    return [
        Row("selection_round_100k_cpu", cpu_s, "CPU s", target="<= 15 CPU s", hardware=hardware()),
        Row("selection_round_100k_wall", wall_s, "s", target="<= 60 s", hardware=hardware()),
        Row("selection_round_100k_peak_memory", peak_mib, "MiB", target="<= 2500 MiB", hardware=hardware()),
        Row("selection_diversity_10k", ours, "CPU s", PEER, theirs, theirs / ours, hardware=hardware()),
        Row(
            "selection_diversity_10k_coverage",
            spread_ours,
            "mean cosine of the shortlist to its nearest pick",
            PEER,
            spread_theirs,
            spread_ours / spread_theirs,
            hardware=hardware(),
        ),
        Row(
            "selection_ranked_batch_10k",
            ranked_ours,
            "CPU s",
            MODAL,
            ranked_theirs,
            ranked_theirs / ranked_ours,
            target=">= 45x the peer",
            hardware=hardware(),
        ),
        Row("selection_auto_1m", auto_s, "s", target="<= 10 s", hardware=f"{million}; {auto_cpu_s:.1f} CPU s"),
        Row("selection_auto_1m_memory", auto_mib, "MiB above the pool", target="<= 2500 MiB", hardware=million),
    ]


def made_pool(items: int = ITEMS, policies: int = POLICIES) -> Pool:
    """The pool of the benchmark; built in float16 blocks, so building it needs little more than holding it."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((3000, DIMENSIONS)).astype(np.float32)
    weights = rng.dirichlet(np.full(3000, 0.3))
    vectors = np.empty((items, DIMENSIONS), dtype=np.float16)
    for start in range(0, items, 5000):
        block = centres[rng.choice(3000, 5000, p=weights)]
        block = block + 0.8 * rng.standard_normal(block.shape, dtype=np.float32)
        vectors[start : start + 5000] = _unit(block)
    copies = items // 50
    trace = 0.008 * rng.standard_normal((copies, DIMENSIONS), dtype=np.float32)
    vectors[-copies:] = _unit(vectors[:copies].astype(np.float32) + trace)
    return Pool(
        ids=tuple(f"item-{row:07d}" for row in rng.permutation(items)),
        policies=tuple(f"policy-{column}" for column in range(policies)),
        probabilities=rng.beta(0.3, 4.0, (items, policies)).astype(np.float32),
        embeddings=vectors,
        eligible=np.ones((items, policies), dtype=np.bool_),
        languages=tuple(rng.choice(["en", "pt", "und"], items).tolist()),
    )


def plan() -> Plan:
    """500 picks: 10 % random, 30 % by risk, 60 % uncertain."""
    policies = [f"policy-{column}" for column in range(POLICIES)]
    lanes = (Lane("random", 0.1), Lane("risk", 0.3), Lane("uncertain", 0.6))
    return Plan(BUDGET, 1, lanes, dict.fromkeys(policies, 0.5), {p: 1.0 + i for i, p in enumerate(policies)})


def measure_round() -> tuple[float, ...]:
    """CPU s, wall s (best of three) and peak MiB above the pool of one round."""
    pool = made_pool()
    forget_peak()
    before = peak_mib()
    times = [timed(lambda: select(pool, plan())) for _ in range(3)]
    return min(cpu for cpu, _ in times), min(wall for _, wall in times), peak_mib() - before


def measure_million() -> tuple[float, ...]:
    """CPU s, wall s (best of two) and peak MiB above the pool of ``auto`` with its random share on ``MILLION`` items,
    whose near-duplicate groups are there already, as the lake's index keeps them."""
    pool = replace(made_pool(MILLION, 4), groups=np.arange(MILLION, dtype=np.int64))
    policies = list(pool.policies)
    lanes = (Lane("random", 0.1), Lane("uncertain", 0.9, "auto"))
    wanted = Plan(PICKS, 1, lanes, dict.fromkeys(policies, 0.5), dict.fromkeys(policies, 1.0))
    forget_peak()
    before = peak_mib()
    times = [timed(lambda: select(pool, wanted)) for _ in range(2)]
    return min(cpu for cpu, _ in times), min(wall for _, wall in times), peak_mib() - before


def measure_diversity() -> tuple[float, ...]:
    """CPU s of ours and of the peer for 500 of 10,000, and how well either covers the 10,000."""
    shortlist = made_pool().embeddings[:SHORTLIST].astype(np.float32)
    ours = min(timed(lambda: spread(shortlist, BUDGET, seed=1))[0] for _ in range(3))
    theirs = min(timed(lambda: _peer(shortlist))[0] for _ in range(3))
    covered = (_coverage(shortlist, rows) for rows in (spread(shortlist, BUDGET, seed=1).rows, _peer(shortlist)))
    return ours, theirs, *covered


def measure_ranked_batch(items: int = 10_000, picks: int = RANKED) -> tuple[float, ...]:
    """CPU s of ours (best of three) and of modAL (once: it takes seconds) for the same picks in the same order."""
    rng = np.random.default_rng(1)
    centres = rng.standard_normal((300, DIMENSIONS))
    near = rng.integers(0, len(centres), items + LABELLED)
    vectors = _unit((centres[near] + 0.8 * rng.standard_normal((len(near), DIMENSIONS))).astype(np.float32))
    p = rng.random(items)
    pool, labelled, uncertainty = vectors[:items], vectors[items : items + LABELLED], np.minimum(p, 1.0 - p)
    with threadpool_limits(1):
        ours = min(timed(lambda: rank(pool, uncertainty, picks, labelled))[0] for _ in range(3))
        theirs, _ = timed(lambda: _modal(pool, uncertainty, picks, labelled))
        same = rank(pool, uncertainty, picks, labelled).tolist() == _modal(pool, uncertainty, picks, labelled).tolist()
    if not same:
        raise RuntimeError("modAL's ranked batch and ours differ in their picks, so their times do not compare")
    return ours, theirs


def _modal(pool: F32, uncertainty: F64, picks: int, labelled: F32) -> Rows:
    learner = SimpleNamespace(X_training=labelled, on_transformed=False)
    return np.asarray(ranked_batch(learner, pool, uncertainty, picks, "euclidean", None)[0], dtype=np.int64)


def _peer(shortlist: F32) -> Rows:
    """The same step with scikit-learn at its defaults: the first (most uncertain) row of each cluster."""
    kmeans = MiniBatchKMeans(BUDGET, random_state=1, n_init=1)
    with threadpool_limits(1):
        labels = kmeans.fit_predict(shortlist)
    return np.asarray(np.unique(labels, return_index=True)[1], dtype=np.int64)


def _coverage(shortlist: F32, picks: Rows) -> float:
    return float((shortlist @ shortlist[picks].T).max(axis=1).mean())


def _unit(block: F32) -> F32:
    return np.asarray(block / np.linalg.norm(block, axis=1, keepdims=True), dtype=np.float32)


if __name__ == "__main__":
    for row in rows():
        print(row)
