"""Set where a model draws the line, from labels of the ``calibration`` partition alone; keep the bound beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from labeling.errors import InvalidInput, NothingToDo
from labeling.golden.enough import refuse_if_stale, shortfalls, stale_labels, too_little
from labeling.golden.gold_links import GoldAsked
from labeling.golden.judges import judging_rows
from labeling.judging.contender import Contender, Decisions, decide
from labeling.judging.operating import THRESHOLDS, own_thresholds
from labeling.judging.slices import one_a_group
from labeling.quality.evaluation import PURPOSIVE, UNWEIGHTED
from labeling.quality.risk import Line, labels_needed, miss_rate_line, precision_line
from labeling.records import GoldenItem, Partition
from labeling.store.audit_interface import Audit
from labeling.store.interfaces import Golden, Models
from labeling.training import label_versions

MISS_RATE, PRECISION = "miss rate", "precision"
Json = dict[str, object]


class ThresholdStores(Protocol):
    """The part of the ledger that thresholds need."""

    @property
    def golden(self) -> Golden: ...

    @property
    def models(self) -> Models: ...

    @property
    def audit(self) -> Audit: ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """``rule``: MISS_RATE (``target``: the most that may be missed) or PRECISION (the least); ``target`` in (0, 1)."""

    rule: str
    target: float


def wanted_of(miss_rate: float | None, precision: float | None) -> Wanted | None:
    """None where neither is given. Raises InvalidInput where both are."""
    if miss_rate is not None and precision is not None:
        raise InvalidInput("miss_rate and precision: give one of them, since each sets the threshold")
    if miss_rate is not None:
        return Wanted(MISS_RATE, miss_rate)
    return None if precision is None else Wanted(PRECISION, precision)


def set_threshold(
    stores: ThresholdStores,
    contender: Contender,
    policy_id: str,
    wanted: Wanted,
    *,
    golden_version: str,
    actor: str,
    dry_run: bool = False,
) -> Json:
    """Where the model draws the line for one policy from now on, and what it rests on. It holds under the calibration
    of now: another one makes the policy's own threshold hold again. Near-duplicates count once.

    Raises InvalidInput (policy, target), TooLittleGold where there are too few labels, which says how many would do, or
    those that are left are of one kind, NothingToDo where no threshold keeps the target."""
    if policy_id not in contender.thresholds:
        known = ", ".join(sorted(contender.thresholds))
        raise InvalidInput(f"policy: {policy_id!r} is not judged by {contender.model_id!r} (it judges: {known})")
    if not 0 < wanted.target < 1:
        raise InvalidInput(f"target: {wanted.target} is not between 0 and 1")
    rows = _rows(stores.golden, contender, policy_id, golden_version)
    decided = decide(contender, rows)
    _check(stores.golden, decided, wanted, policy_id, golden_version)
    line = _line(decided, wanted)
    told = {
        "threshold": line.threshold,
        "rule": wanted.rule,
        "target": wanted.target,
        "bound": line.bound,
        "confidence": line.confidence,
        "n": line.n,
        "events": line.events,
        "before": contender.thresholds[policy_id],
        "golden_version": golden_version,
        "policy_version": label_versions(rows, policy_id),
        "licence": _licence(rows),
        "items": GoldAsked(golden_version, Partition.CALIBRATION, policy_id, judging=True).link(),
        "calibration_version": contender.calibration_version,
    }
    if not dry_run:
        _keep(stores, contender.model_id, policy_id, told, actor)
    return told


def clear_threshold(
    stores: ThresholdStores, model_id: str, policy_id: str, actor: str, *, dry_run: bool = False
) -> None:
    """The policy's own threshold holds again. Raises NothingToDo when none was set, with ``dry_run`` too."""
    if policy_id not in own_thresholds(stores.models.get(model_id)):
        raise NothingToDo(f"model {model_id!r} has no threshold of its own for {policy_id!r}")
    if not dry_run:
        _keep(stores, model_id, policy_id, None, actor)


def _rows(golden: Golden, contender: Contender, policy_id: str, version: str) -> list[GoldenItem]:
    held = judging_rows(golden, version, Partition.CALIBRATION, contender.modality)
    everything = [row for row in held if row.policy_id == policy_id]
    rows = one_a_group(contender.fit(everything)) if everything else []
    if not rows:
        refuse_if_stale(golden, version, Partition.CALIBRATION, [policy_id], "set a threshold")
        raise NothingToDo(
            f"golden version {version} holds no item for {policy_id!r} in its calibration partition that "
            f"{contender.model_id!r} has not learnt; label more first"
        )
    return rows


def _check(golden: Golden, decided: Decisions, wanted: Wanted, policy_id: str, version: str) -> None:
    """A precision takes labels of both kinds, a miss rate enough violating ones."""
    lacking = shortfalls(decided.rows, [policy_id]) if wanted.rule == PRECISION else {}
    violating, least = int(decided.truth.sum()), labels_needed(wanted.target)
    if wanted.rule == MISS_RATE and violating < least:
        why = f"a miss rate of {wanted.target:g} takes {least} violating labels or more, and there are {violating}"
        lacking = {policy_id: why}
    if lacking:
        stale = stale_labels(golden, golden.members(version), Partition.CALIBRATION)
        raise too_little(version, Partition.CALIBRATION, lacking, stale, "set a threshold")


def _line(decided: Decisions, wanted: Wanted) -> Line:
    violating = decided.probabilities[decided.truth]
    if wanted.rule == PRECISION:
        line = precision_line(decided.probabilities, decided.truth, wanted.target)
        cure = f"no threshold keeps a precision of {wanted.target:g} with {len(decided.truth)} labels"
    else:
        line = miss_rate_line(violating, wanted.target)
        cure = f"no threshold keeps a miss rate of {wanted.target:g}: too many violating items score next to nothing"
    if line is None:
        raise NothingToDo(f"{cure}: label more for the calibration partition, or ask for less")
    return line


def _keep(stores: ThresholdStores, model_id: str, policy_id: str, told: Json | None, actor: str) -> None:
    kept = {policy: dict(one) for policy, one in own_thresholds(stores.models.get(model_id)).items()}
    kept.pop(policy_id, None)
    stores.models.set_metrics(model_id, {THRESHOLDS: kept if told is None else {**kept, policy_id: told}})
    stores.audit.add(actor, "model.threshold", model_id, {"policy_id": policy_id, **(told or {"threshold": None})})


def _licence(rows: Sequence[GoldenItem]) -> str:
    return UNWEIGHTED if all(row.pi is not None for row in rows) else PURPOSIVE
