"""The frame of a round: every (near-duplicate group, policy) that could be picked, each stood for by one item.

Judging one copy judges them all, so a *unit* is a group under a policy. Its representative is the eligible member
with the smallest permanent random number, the same for every policy where all members are eligible. Any of the g
eligible members is the representative with probability 1/g, so a pair's pi is its unit's pi over g.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from itertools import compress, islice
from operator import lt

import numpy as np
import numpy.typing as npt

from selection.duplicates import near_duplicate_groups
from selection.errors import BudgetTooLarge, EmptyFrame
from selection.hashing import F64, U64, item_hashes, uniforms
from selection.types import F16, F32, Plan, Pool

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Frame:
    """A pool in id order and its units; (u,) arrays unless said otherwise.

    ``row``: the representative's row in the sorted pool; ``group``: the group's smallest row; ``policy``: column;
    ``members``: g, the eligible members; ``mean``: their mean probability; ``probability``: the representative's.
    ``moved``: the same at the plan's thresholds. ``disagreement``: the representative's, None where the pool has none.
    ``pairs`` counts eligible (item, policy) pairs, ``hashes`` (n,) belong to the rows of the sorted pool.
    ``embeddings`` stay where they were, unsorted and not copied (``pool`` has none): ask ``vectors`` for them; ``at``
    (n,) is where each row of the sorted pool has its own.
    """

    pool: Pool
    embeddings: F16 | F32
    at: Rows
    hashes: U64
    row: Rows
    group: Rows
    policy: Rows
    members: Rows
    mean: F64
    probability: F64
    pairs: int
    disagreement: F64 | None = None

    @property
    def moved(self) -> F64:
        """(u,) the representatives' probabilities at the plan's thresholds."""
        moved = self.pool.moved
        return self.probability if moved is None else moved[self.row, self.policy].astype(np.float64)

    def __len__(self) -> int:
        return len(self.row)

    def vectors(self, rows: Rows) -> F16 | F32:
        """(r, d) embeddings of those rows of the sorted pool."""
        return self.embeddings[self.at[rows]]

    def uniforms(self, *words: object) -> F64:
        """(u,) permanent random numbers of the units for a purpose."""
        numbers = np.empty(len(self))
        for column, policy in enumerate(self.pool.policies):
            mine = self.policy == column
            numbers[mine] = uniforms(self.hashes[self.group[mine]], *words, policy)
        return numbers

    def item_uniforms(self, rows: Rows, *words: object) -> F64:
        """Permanent random numbers of the items at ``rows`` for a purpose, as long as ``rows``."""
        return uniforms(self.hashes[rows], *words)

    def of_policy(self, values: dict[str, float]) -> F64:
        """(u,) a per-policy setting, spread over the units."""
        return np.array([values[policy] for policy in self.pool.policies], dtype=np.float64)[self.policy]

    def counts(self) -> dict[str, object]:
        """What could have been picked: items, pairs, groups and units in all, pairs per policy, items per language."""
        eligible = self.pool.eligible
        items = np.flatnonzero(eligible.any(axis=1))
        languages = Counter(compress(self.pool.languages, np.asarray(eligible.any(axis=1))))
        return {
            "items": len(items),
            "pairs": self.pairs,
            "groups": len(np.unique(self.group)),
            "units": len(self),
            "policies": dict(zip(self.pool.policies, eligible.sum(axis=0).tolist(), strict=True)),
            "languages": dict(sorted(languages.items())),
            **self._others(items),
        }

    def _others(self, items: Rows) -> dict[str, object]:
        pool = self.pool
        fields = {"markets": pool.markets, "modalities": pool.modalities}
        return {
            name: dict(sorted(Counter(words[row] for row in items if words[row]).items()))
            for name, words in fields.items()
            if words is not None and any(words)
        }


def build_frame(pool: Pool, plan: Plan) -> Frame:
    """Sort the pool by id, group its near-duplicates and list its units. The pool and the plan must be checked.

    Raises EmptyFrame when no pair is eligible, BudgetTooLarge when there are fewer units than picks asked for.
    """
    if not pool.eligible.any():
        raise EmptyFrame(f"none of the pool's {len(pool.ids)} items may be picked under any policy")
    frame = frame_of(pool, plan)
    check_budget(plan, len(frame))
    return frame


def check_budget(plan: Plan, units: int) -> None:
    """Raise BudgetTooLarge when there are fewer units than picks asked for."""
    if plan.budget > units:
        raise BudgetTooLarge(
            f"the budget asks for {plan.budget} picks, but the frame holds {units} "
            f"(pairs of item and policy, near-duplicates counted once): ask for at most {units}, "
            "or ingest more items"
        )


def frame_of(pool: Pool, plan: Plan) -> Frame:
    """As ``build_frame``, of any size: none or fewer units than picks are no error."""
    embeddings, (pool, at) = pool.embeddings, _by_id(pool)
    hashes = item_hashes(pool.ids)
    labels = _groups(pool, embeddings, at, plan)
    rows, columns = np.nonzero(pool.eligible)
    chances = pool.probabilities[rows, columns].astype(np.float64)
    # One number per unit, then everything about a unit is a sum or a minimum over its pairs.
    keys, unit = np.unique(labels[rows] * len(pool.policies) + columns, return_inverse=True)
    members = np.bincount(unit, minlength=len(keys))
    row = rows
    if len(keys) < len(rows):
        row = _representatives(rows, unit, len(keys), uniforms(hashes, plan.seed, "representative"))
    group, policy = np.divmod(keys, len(pool.policies))
    return Frame(
        pool=pool,
        embeddings=embeddings,
        at=at,
        hashes=hashes,
        row=row,
        group=group,
        policy=policy,
        members=members,
        mean=np.bincount(unit, weights=chances, minlength=len(keys)) / members,
        probability=pool.probabilities[row, policy].astype(np.float64),
        pairs=len(rows),
        disagreement=None if pool.disagreement is None else pool.disagreement[row, policy].astype(np.float64),
    )


def _by_id(pool: Pool) -> tuple[Pool, Rows]:
    """The pool in id order, without its embeddings, and where each of its rows was."""
    order: Rows = np.arange(len(pool.ids), dtype=np.int64)
    if not all(map(lt, pool.ids, islice(pool.ids, 1, None))):
        order = np.array(sorted(range(len(pool.ids)), key=pool.ids.__getitem__), dtype=np.int64)
    rows = order.tolist()
    return replace(
        pool,
        ids=tuple(map(pool.ids.__getitem__, rows)),
        probabilities=pool.probabilities[order],
        embeddings=pool.embeddings[:0],
        eligible=pool.eligible[order],
        languages=tuple(map(pool.languages.__getitem__, rows)),
        disagreement=None if pool.disagreement is None else pool.disagreement[order],
        members=None if pool.members is None else pool.members[:, order],
        markets=_ordered(pool.markets, order),
        modalities=_ordered(pool.modalities, order),
        authors=_ordered(pool.authors, order),
        minutes=None if pool.minutes is None else pool.minutes[order],
        exposure=None if pool.exposure is None else pool.exposure[order],
        groups=None if pool.groups is None else pool.groups[order],
        moved=None if pool.moved is None else pool.moved[order],
    ), order


def _groups(pool: Pool, embeddings: F16 | F32, at: Rows, plan: Plan) -> Rows:
    """(n,) the smallest row of each row's near-duplicate group."""
    if plan.duplicate_cosine is None:
        return np.arange(len(at), dtype=np.int64)
    if pool.groups is None:
        return near_duplicate_groups(embeddings[at], plan.duplicate_cosine)
    _, firsts, places = np.unique(pool.groups, return_index=True, return_inverse=True)
    return firsts[places].astype(np.int64)


def _ordered(words: tuple[str, ...] | None, order: npt.NDArray[np.intp]) -> tuple[str, ...] | None:
    return None if words is None else tuple(words[row] for row in order)


def _representatives(rows: Rows, unit: Rows, units: int, numbers: F64) -> Rows:
    by_number = np.argsort(numbers, kind="stable").astype(np.int64)
    rank = np.empty(len(numbers), dtype=np.int64)
    rank[by_number] = np.arange(len(numbers))
    best = np.full(units, len(numbers), dtype=np.int64)
    np.minimum.at(best, unit, rank[rows])
    return by_number[best]
