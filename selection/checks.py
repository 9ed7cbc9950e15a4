"""The door of the room: a pool and a plan are checked here, once, before anything is computed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from selection.errors import BadPlan, BadPool
from selection.strategies.base import Labelled
from selection.strategies.registry import DISAGREEMENT, STRATEGIES
from selection.types import LANES, PER, QUOTA_FIELDS, RELABEL, Lane, Plan, Pool, Quota

T = TypeVar("T")

_NORM_SLACK = 0.01  # float16 rows are this close to length 1 with room to spare
_MOST_BALD = math.log(2)
_CHUNK_ROWS = 8192


def check_pool(pool: Pool) -> None:
    """Raise BadPool naming the field, the row and the item of the first problem found."""
    check_ids(pool.ids)
    check_shapes(pool)
    n, k = len(pool.ids), len(pool.policies)
    if not all(pool.languages):
        where = _where(pool, pool.languages.index(""))
        raise BadPool(f"languages: {where} has no tag (use 'und' where the language is unknown)")
    _numbers(pool, "probabilities", pool.probabilities, 1.0)
    if pool.disagreement is not None:
        _shape("disagreement", pool.disagreement, (n, k), np.floating)
        _numbers(pool, "disagreement", pool.disagreement, _MOST_BALD)
    if pool.moved is not None:
        _shape("moved", pool.moved, (n, k), np.floating)
        _numbers(pool, "moved", pool.moved, 1.0)
    if pool.members is not None:
        _shape("members", pool.members, (len(pool.members), n, k), np.floating)
        for member in pool.members:
            _numbers(pool, "members", member, 1.0)
    for field, least in (("minutes", 1e-6), ("exposure", 0.0)):
        _costs(pool, field, least)
    _lengths(pool)


def check_ids(ids: Sequence[str]) -> None:
    """Raise BadPool where an id is empty or comes twice."""
    _no_repeats("ids", ids)


def check_shapes(pool: Pool) -> None:
    """Raise BadPool naming the field that does not fit the others, without a look at the items."""
    n, k = len(pool.ids), len(pool.policies)
    _no_repeats("policies", pool.policies)
    if k == 0:
        raise BadPool("policies: a pool needs at least one policy")
    _shape("probabilities", pool.probabilities, (n, k), np.floating)
    _shape("eligible", pool.eligible, (n, k), np.bool_)
    if pool.embeddings.ndim != 2 or pool.embeddings.shape[0] != n or (n and pool.embeddings.shape[1] == 0):
        raise BadPool(f"embeddings: expected ({n}, d), found {pool.embeddings.shape}")
    _shape("embeddings", pool.embeddings, pool.embeddings.shape, np.floating)
    if len(pool.languages) != n:
        raise BadPool(f"languages: expected {n} tags, found {len(pool.languages)}")
    if pool.groups is not None:
        _shape("groups", pool.groups, (n,), np.int64)
    for field in ("markets", "modalities", "authors"):
        words = getattr(pool, field)
        if words is not None and len(words) != n:
            raise BadPool(f"{field}: expected {n} words, found {len(words)}")


def check_labelled(labelled: Labelled | None, pool: Pool) -> None:
    """Raise BadPool naming the field and the row of the first label that does not fit the pool."""
    if labelled is None:
        return
    rows, k = len(labelled.answers), len(pool.policies)
    _shape("labelled.answers", labelled.answers, (rows, k), np.floating)
    _shape("labelled.probabilities", labelled.probabilities, (rows, k), np.floating)
    _shape("labelled.embeddings", labelled.embeddings, (rows, pool.embeddings.shape[1]), np.floating)
    answers, chances = labelled.answers, labelled.probabilities
    lengths = np.linalg.norm(labelled.embeddings.astype(np.float32), axis=1)
    faults = {
        "answers: 1, 0 or NaN (not asked)": ~(np.isnan(answers) | (answers == 0) | (answers == 1)).all(axis=1),
        "probabilities: numbers from 0 to 1": ~((chances >= 0) & (chances <= 1)).all(axis=1),
        "embeddings: finite rows of length 1": ~(np.abs(lengths - 1.0) <= _NORM_SLACK),
    }
    for expected, wrong in faults.items():
        if wrong.any():
            raise BadPool(f"labelled.{expected} are expected; row {int(np.argmax(wrong))} is not so")


def check_plan(plan: Plan, pool: Pool) -> None:
    """Raise BadPlan naming the field that contradicts itself or the pool."""
    if plan.budget <= 0:
        raise BadPlan(f"budget: must be at least 1, found {plan.budget}")
    _lanes(plan.lanes)
    if pool.disagreement is None and any(DISAGREEMENT in STRATEGIES[lane.strategy].needs for lane in plan.lanes):
        raise BadPlan(
            "lanes: uncertain: strategy 'disagreement' needs scores of a committee, and these have no disagreement: "
            "score with an ensemble or under dropout, without a cascade, or choose another strategy"
        )
    _of_every_policy("thresholds", plan.thresholds, pool, high=1.0)
    _of_every_policy("severities", plan.severities, pool, high=math.inf)
    _between("risk_floor", plan.risk_floor, 1.0)
    _between("temperature", plan.temperature, math.inf)
    if plan.duplicate_cosine is not None:
        _between("duplicate_cosine", plan.duplicate_cosine, math.inf)
    _authors(plan, pool)
    _prices(plan, pool)
    for quota in plan.quotas:
        _quota(quota, pool)
    twice = _repeated((quota.key, quota.value) for quota in plan.quotas)
    if twice is not None:
        raise BadPlan(f"quotas: {twice[0]} {twice[1]!r} has more than one quota")


def _where(pool: Pool, row: int) -> str:
    return f"row {row} ({pool.ids[row]!r})"


def _repeated(values: Iterable[T]) -> T | None:
    return next((value for value, times in Counter(values).items() if times > 1), None)


def _no_repeats(field: str, values: Sequence[str]) -> None:
    twice = _repeated(values) if len(set(values)) < len(values) else None
    if twice is not None:
        rows = [row for row, value in enumerate(values) if value == twice]
        raise BadPool(f"{field}: {twice!r} is there more than once (rows {rows[0]} and {rows[1]})")
    if "" in values:
        raise BadPool(f"{field}: row {list(values).index('')} is empty")


def _shape(field: str, array: npt.NDArray[np.generic], shape: tuple[int, ...], kind: type[np.generic]) -> None:
    if array.shape != shape:
        raise BadPool(f"{field}: expected shape {shape}, found {array.shape}")
    if not np.issubdtype(array.dtype, kind):
        raise BadPool(f"{field}: expected {kind.__name__}, found {array.dtype}")


def _numbers(pool: Pool, field: str, values: npt.NDArray[np.floating], most: float) -> None:
    inside = (values >= 0) & (values <= np.float32(most))  # False for NaN too
    if not inside.all():
        row, column = np.argwhere(~inside)[0]
        value, policy = values[row, column], pool.policies[column]
        raise BadPool(f"{field}: {_where(pool, int(row))} has {value} for {policy!r}; expected 0 to {most:g}")


def _costs(pool: Pool, field: str, least: float) -> None:
    costs: npt.NDArray[np.floating] | None = getattr(pool, field)
    if costs is None:
        return
    _shape(field, costs, (len(pool.ids),), np.floating)
    good = np.isfinite(costs) & (costs >= least)
    if not good.all():
        row = int(np.argmin(good))
        raise BadPool(f"{field}: {_where(pool, row)} costs {costs[row]}; expected {least:g} or more, and finite")


def _lengths(pool: Pool) -> None:
    for start in range(0, len(pool.ids), _CHUNK_ROWS):
        part = pool.embeddings[start : start + _CHUNK_ROWS].astype(np.float32)
        lengths = np.sqrt(np.einsum("ij,ij->i", part, part))
        good = (np.abs(lengths - 1.0) <= _NORM_SLACK) | (lengths == 0)  # False for NaN too
        if not good.all():
            row = int(np.argmin(good))
            where = _where(pool, start + row)
            raise BadPool(
                f"embeddings: {where} has length {lengths[row]:.3f}; rows must be L2-normalised and finite, or all zero"
            )


def _lanes(lanes: tuple[Lane, ...]) -> None:
    twice = _repeated(lane.name for lane in lanes)
    if twice is not None:
        raise BadPlan(f"lanes: {twice!r} is there more than once")
    for lane in lanes:
        if lane.name not in LANES:
            raise BadPlan(f"lanes: {lane.name!r} is unknown (known: {', '.join(LANES)})")
        if not 0 < lane.share <= 1:
            raise BadPlan(f"lanes: {lane.name}: share must be above 0 and at most 1, found {lane.share}")
        if lane.strategy not in STRATEGIES:
            known = ", ".join(STRATEGIES)
            raise BadPlan(f"lanes: {lane.name}: strategy {lane.strategy!r} is unknown (known: {known})")
        if lane.name != "uncertain" and lane.strategy != "threshold":
            raise BadPlan(f"lanes: {lane.name}: strategy belongs to the lane 'uncertain' only")
    names = {lane.name for lane in lanes}
    if RELABEL in names and "uncertain" not in names:
        raise BadPlan("lanes: relabel: what it does not use goes to the lane 'uncertain': give that one a share too")
    total = math.fsum(lane.share for lane in lanes)
    if not math.isclose(total, 1.0, abs_tol=1e-6):
        raise BadPlan(f"lanes: shares add up to {total:g}; they must add up to 1")


def _between(field: str, value: float, high: float) -> None:
    if not 0 < value <= high:
        raise BadPlan(f"{field}: must be above 0{'' if math.isinf(high) else f' and at most {high:g}'}, found {value}")


def _of_every_policy(field: str, values: dict[str, float], pool: Pool, high: float) -> None:
    missing = [policy for policy in pool.policies if policy not in values]
    if missing:
        raise BadPlan(f"{field}: missing for {', '.join(missing)}")
    for policy in pool.policies:
        if not 0 < values[policy] < high:  # infinity fails here as well
            raise BadPlan(f"{field}: {policy}: must be above 0 and below {high:g}, found {values[policy]}")


def _prices(plan: Plan, pool: Pool) -> None:
    if plan.per not in PER:
        raise BadPlan(f"per: {plan.per!r} is unknown (known: {', '.join(PER)})")
    if plan.per == "exposure" and pool.exposure is None:
        raise BadPlan("per: the pool does not say what exposure an item costs: give it, or choose another per")
    if plan.max_minutes is not None:
        _between("max_minutes", plan.max_minutes, math.inf)
    if pool.minutes is None and (plan.per == "minute" or plan.max_minutes is not None):
        field = "per" if plan.per == "minute" else "max_minutes"
        raise BadPlan(f"{field}: the pool does not say how many minutes an item takes: give them, or leave {field} out")


def _authors(plan: Plan, pool: Pool) -> None:
    if plan.per_author is None:
        return
    if plan.per_author < 1:
        raise BadPlan(f"per_author: must be at least 1, found {plan.per_author}")
    if not pool.authors or not any(pool.authors):
        raise BadPlan("per_author: no item names its author: bring it in with the items, or leave per_author out")


def _quota(quota: Quota, pool: Pool) -> None:
    name = f"quotas: {quota.key} {quota.value!r}"
    if quota.key not in ("policy", *QUOTA_FIELDS):
        raise BadPlan(f"{name}: key must be 'policy', {', '.join(repr(key) for key in QUOTA_FIELDS)}")
    words = pool.policies if quota.key == "policy" else pool.words(quota.key)
    if not words or not any(words):
        raise BadPlan(f"{name}: no item names its {quota.key}: bring it in with the items, or drop the quota")
    if quota.value not in words or not quota.value:
        raise BadPlan(f"{name}: the pool has no such {quota.key}")
    if quota.at_least < 0 or (quota.at_most is not None and quota.at_most < 0):
        raise BadPlan(f"{name}: at_least and at_most cannot be negative")
    if quota.at_most is not None and quota.at_least > quota.at_most:
        raise BadPlan(f"{name}: at_least {quota.at_least} is above at_most {quota.at_most}")
