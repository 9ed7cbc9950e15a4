"""How good is a model on gold, policy by policy, and how far may each figure be believed?

Figures of a labelled sample describe that sample. Only ``population``, which weighs each answer by its inclusion
probability, speaks for all traffic, and it is refused for picks chosen on purpose.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score

from labeling.figures import Origin
from labeling.golden.gold_links import GoldAsked
from labeling.quality.bootstrap import Rows, interval
from labeling.quality.intervals import ENOUGH, FEW, INSUFFICIENT, Figure, clopper_pearson, proportion
from labeling.records import Partition
from selection.estimation import hajek

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

PURPOSIVE = "sample: purposive picks, no population claim"
UNWEIGHTED = "sample: picks with known probability, unweighted, no population claim"
POPULATION = "population: weighted by inclusion probability"
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class PolicyEvaluation:
    """One policy. ``n`` labelled items, ``positives`` of them violate; precision and recall hold at ``threshold``.
    Where all labels are of one kind, precision is insufficient: it would be 0 or 1 whatever the model says."""

    policy_id: str
    policy_version: str
    golden_version: str
    licence: str
    threshold: float
    n: int
    positives: int
    auprc: Figure
    precision: Figure
    recall: Figure

    def as_dict(self) -> dict[str, object]:
        """JSON-able; each figure carries its origin, so that it can be quoted by itself. Models are judged on dev."""
        items = GoldAsked(self.golden_version, Partition.DEV, self.policy_id, judging=True).link()
        origin = Origin(self.licence, self.golden_version, self.policy_version, items)
        figures = {name: origin.of(getattr(self, name).as_dict()) for name in ("auprc", "precision", "recall")}
        return {"threshold": self.threshold, "n": self.n, "positives": self.positives, **origin.as_dict(), **figures}


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All policies of one evaluation, in the order asked. ``left_out``: items of the partition that could not judge,
    because the model had learnt them or a near-duplicate of them. ``calibration_version``: the calibration that was
    judged with the model, None when there is none in force."""

    golden_version: str
    policies: tuple[PolicyEvaluation, ...]
    left_out: int = 0
    calibration_version: str | None = None

    def as_dict(self) -> dict[str, object]:
        """JSON-able: the golden version, the items left out, the calibration, and the policies by id."""
        return {
            "golden_version": self.golden_version,
            "left_out": self.left_out,
            "calibration_version": self.calibration_version,
            "policies": {p.policy_id: p.as_dict() for p in self.policies},
        }


@dataclass(frozen=True, slots=True)
class PopulationFigure:
    """A share of all traffic, with everything that is needed to quote it."""

    figure: Figure
    effective_n: float
    policy_id: str
    policy_version: str
    golden_version: str
    licence: str = POPULATION

    def as_dict(self) -> dict[str, object]:
        return self.figure.as_dict() | {
            "effective_n": self.effective_n,
            "policy_id": self.policy_id,
            "policy_version": self.policy_version,
            "golden_version": self.golden_version,
            "licence": self.licence,
        }


def evaluate(
    probabilities: F32,
    labels: F32,
    policies: Sequence[str],
    *,
    thresholds: Mapping[str, float],
    policy_versions: Mapping[str, str],
    golden_version: str,
    groups: Sequence[str] | None = None,
    pi: Sequence[float | None] | None = None,
    seed: int = 0,
) -> Evaluation:
    """Judge n items under k policies.

    ``probabilities`` (n, k) in [0, 1]; ``labels`` (n, k): 1 violates, 0 allowed, NaN unknown. An item is flagged when
    its probability is at least the policy's threshold. ``groups`` (n,): near-duplicate groups, drawn together by the
    bootstrap of the AUPRC. ``pi`` (n,): inclusion probabilities, which only change the licence's wording.
    Raises ValueError when shapes differ or a number is out of range.
    """
    _check(probabilities, labels, policies)
    known = pi is not None and all(p is not None for p in pi)
    licence = UNWEIGHTED if known else PURPOSIVE
    judged = []
    for j, policy_id in enumerate(policies):
        rows = np.flatnonzero(~np.isnan(labels[:, j]))
        truth = labels[rows, j] == 1
        scores = probabilities[rows, j].astype(np.float64)
        flagged = scores >= np.float64(thresholds[policy_id])
        hits = int((flagged & truth).sum())
        clusters = [groups[r] for r in rows] if groups is not None else None
        judged.append(
            PolicyEvaluation(
                policy_id=policy_id,
                policy_version=policy_versions[policy_id],
                golden_version=golden_version,
                licence=licence,
                threshold=thresholds[policy_id],
                n=len(rows),
                positives=int(truth.sum()),
                auprc=auprc(scores, truth, clusters, seed=seed),
                precision=both_kinds(proportion(hits, int(flagged.sum())), truth),
                recall=proportion(hits, int(truth.sum())),
            )
        )
    return Evaluation(golden_version, tuple(judged))


def both_kinds(figure: Figure, truth: npt.NDArray[np.bool_]) -> Figure:
    """``figure``, a share that says nothing where all labels are of one kind: then it is insufficient."""
    return replace(figure, value=None, verdict=INSUFFICIENT) if truth.all() or not truth.any() else figure


def auprc(scores: F64, truth: npt.NDArray[np.bool_], groups: Sequence[str] | None = None, *, seed: int = 0) -> Figure:
    """Area under the precision-recall curve (average precision), with a bootstrap interval.

    Insufficient with ``FEW`` items or fewer, or fewer than two of either kind: no interval could be drawn. Where every
    draw gives 1 (each positive ranks above each negative) the bootstrap sees no spread at all; the lower end is then
    that of Clopper and Pearson for all of the independent positives, or all of the negatives if they are fewer.
    """
    n, positives = len(truth), int(truth.sum())
    method = "average precision, bootstrap by near-duplicate group"
    if min(positives, n - positives) < 2:
        return Figure(None, 0.0, 1.0, n, positives, method, INSUFFICIENT)

    def statistic(rows: Rows) -> float:
        chosen = truth[rows]
        return _average_precision(chosen, scores[rows]) if chosen.any() else math.nan

    low, high = interval(statistic, n, groups, seed=seed)
    if n <= FEW or math.isnan(low):
        return Figure(None, 0.0, 1.0, n, positives, method, INSUFFICIENT)
    if low > 1 - _ROUNDING:
        fewest = min(_independent(truth, groups), _independent(~truth, groups))
        low, method = clopper_pearson(fewest, fewest)[0], f"{method}; no spread, lower end by clopper-pearson"
    return Figure(_average_precision(truth, scores), low, high, n, positives, method, ENOUGH)


def _independent(rows: npt.NDArray[np.bool_], groups: Sequence[str] | None) -> int:
    """How many of the chosen rows are no near-duplicates of each other."""
    chosen = np.flatnonzero(rows)
    return len(chosen) if groups is None else len({groups[row] for row in chosen})


def _average_precision(truth: npt.NDArray[np.bool_], scores: F64) -> float:
    return min(1.0, float(average_precision_score(truth, scores)))  # its sum may round to just above 1


def population(
    answers: Sequence[bool],
    pi: Sequence[float | None],
    *,
    policy_id: str,
    policy_version: str,
    golden_version: str,
    strata: Sequence[int | None] | None = None,
) -> PopulationFigure:
    """The share of all traffic for which the answer is yes (prevalence, when the answer is "violates"). ``strata``: as
    ``hajek`` has them.

    Raises selection.errors.NoLicence when any pick's probability is unknown, and BadSample on impossible input.
    """
    estimate = hajek(answers, pi, strata=strata)
    enough = estimate.n > FEW
    figure = Figure(
        estimate.value if enough else None,
        estimate.low,
        estimate.high,
        estimate.n,
        estimate.positives,
        f"hajek, {estimate.method}",
        ENOUGH if enough else INSUFFICIENT,
    )
    return PopulationFigure(figure, estimate.effective_n, policy_id, policy_version, golden_version)


def _check(probabilities: F32, labels: F32, policies: Sequence[str]) -> None:
    if probabilities.shape != labels.shape or probabilities.shape[1:] != (len(policies),):
        raise ValueError(
            f"probabilities {probabilities.shape} and labels {labels.shape}: both must be (n, {len(policies)})"
        )
    if not ((probabilities >= 0) & (probabilities <= 1)).all():
        raise ValueError("probabilities: a number is not between 0 and 1")
    odd = ~(np.isnan(labels) | (labels == 0) | (labels == 1))
    if odd.any():
        raise ValueError(f"labels: row {int(np.argwhere(odd)[0][0])} is neither 0, 1 nor unknown (NaN)")
