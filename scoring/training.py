"""Train the head: one balanced logistic regression per policy, calibrated on decisions it made out of fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import StratifiedKFold
from threadpoolctl import threadpool_limits

from scoring.errors import NotTrainable
from scoring.head import Head

F64 = npt.NDArray[np.float64]
MIN_PER_CLASS = 5  # fewer violating or allowed labels than this: the policy keeps the fallback's row
TUNE_PER_CLASS = 20  # from here on the penalty is chosen by cross-validation
FOLDS = 5
PENALTIES = (0.3, 1.0, 3.0, 10.0, 30.0)  # scikit-learn's C: larger is freer
DEFAULT_PENALTY = 3.0
MAX_SLOPE = 50.0  # keeps Platt's line finite where out-of-fold decisions separate the classes fully


@dataclass(frozen=True, slots=True)
class Fit:
    """What became of one policy. ``average_precision`` is out of fold (None: not trained); ``note`` says why a row
    was kept, and is empty when it was trained."""

    trained: bool
    source: str
    positives: int
    negatives: int
    penalty: float | None = None
    average_precision: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class TrainedHead:
    """A head and how each of its policies came to be."""

    head: Head
    fits: Mapping[str, Fit]

    @property
    def report(self) -> dict[str, object]:
        """``fits`` as plain JSON-able values, by policy id."""
        return {policy: _told(fit) for policy, fit in self.fits.items()}


def _told(fit: Fit) -> dict[str, object]:
    """A fit without its out-of-fold figure, which has no interval and must not be quoted."""
    return {key: value for key, value in asdict(fit).items() if key != "average_precision"}


def train_head(
    embeddings: npt.NDArray[np.floating[Any]],
    labels: npt.NDArray[np.floating[Any]],
    policies: Sequence[str],
    encoder_version: str,
    fallback: Head | None,
    seed: int,
    priors: Mapping[str, float] | None = None,
) -> TrainedHead:
    """Fit a head on ``embeddings`` (n, d) and ``labels`` (n, k): 1 violates, 0 allowed, NaN unknown.

    A policy with fewer than ``MIN_PER_CLASS`` labels of either kind, or whose labels the embeddings do not tell
    apart, keeps ``fallback``'s row, or is not in the head where there is no fallback; its ``Fit`` says so.
    Probabilities are calibrated to the share of violating labels in this very sample; ``priors`` (policy -> share in
    (0, 1) in the traffic) moves them there instead.
    The same rows give the same head under one seed, in whatever order they come.
    Raises ValueError for shapes, labels or a fallback that do not fit, NotTrainable when no policy can be trained.
    """
    _check(embeddings, labels, policies, encoder_version, fallback, priors or {})
    with threadpool_limits(1):  # sums split over threads differ by machine; these fits are too small to gain by them
        return _train(embeddings, labels, tuple(policies), encoder_version, fallback, seed, priors or {})


def _train(
    embeddings: npt.NDArray[np.floating[Any]],
    labels: npt.NDArray[np.floating[Any]],
    policies: tuple[str, ...],
    encoder_version: str,
    fallback: Head | None,
    seed: int,
    priors: Mapping[str, float],
) -> TrainedHead:
    order = _canonical_order(embeddings, labels)
    vectors, answers = embeddings[order].astype(np.float64), labels[order]
    lines: dict[str, _Line] = {}
    fits: dict[str, Fit] = {}
    for j, policy in enumerate(policies):
        known = np.isfinite(answers[:, j])
        fitted = _fit(vectors[known], answers[known, j].astype(np.int64), seed, priors.get(policy))
        if fitted.line is not None:
            fits[policy], lines[policy] = fitted.fit, fitted.line
        elif fallback is None:
            fits[policy] = replace(fitted.fit, note=f"{fitted.fit.note}; it is not in the head")
        else:
            fits[policy], lines[policy] = _kept(fitted.fit, fallback, policy)
    if not any(fit.trained for fit in fits.values()):
        raise NotTrainable("no policy can be trained: " + "; ".join(f"{p}: {fit.note}" for p, fit in fits.items()))
    rows = list(lines.values())
    head = Head(
        policies=tuple(lines),
        weights=_f32([line.weights for line in rows]),
        bias=_f32([line.bias for line in rows]),
        platt=_f32([line.platt for line in rows]),
        sources=tuple(fits[policy].source for policy in lines),
        encoder_version=encoder_version,
    )
    return TrainedHead(head, fits)


@dataclass(frozen=True, slots=True)
class _Line:
    weights: npt.NDArray[Any]
    bias: float
    platt: npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class _Fitted:
    fit: Fit
    line: _Line | None


def _f32(rows: list[Any]) -> npt.NDArray[np.float32]:
    return np.asarray(rows, np.float32)


def _kept(fit: Fit, fallback: Head, policy: str) -> tuple[Fit, _Line]:
    row = fallback.policies.index(policy)
    source = fallback.sources[row]
    told = Fit(False, source, fit.positives, fit.negatives, note=f"{fit.note}; keeps its {source} row")
    return told, _Line(fallback.weights[row], fallback.bias[row], fallback.platt[row])


def _check(
    embeddings: npt.NDArray[Any],
    labels: npt.NDArray[Any],
    policies: Sequence[str],
    encoder_version: str,
    fallback: Head | None,
    priors: Mapping[str, float],
) -> None:
    if embeddings.ndim != 2 or labels.shape != (len(embeddings), len(policies)):
        raise ValueError(
            f"embeddings {embeddings.shape} and labels {labels.shape} must be (n, d) and (n, {len(policies)})"
        )
    if not np.isfinite(embeddings).all():
        raise ValueError("embeddings must be finite")
    if not np.isin(labels[np.isfinite(labels)], (0, 1)).all() or np.isinf(labels).any():
        raise ValueError("labels must be 0, 1 or NaN")
    if fallback is not None:
        _check_fallback(fallback, encoder_version, embeddings.shape[1], policies)
    wrong = [policy for policy, share in priors.items() if not 0 < share < 1]
    if wrong:
        raise ValueError(f"priors must lie in (0, 1): {', '.join(wrong)}")


def _check_fallback(fallback: Head, encoder_version: str, dimension: int, policies: Sequence[str]) -> None:
    if fallback.encoder_version != encoder_version or fallback.dimension != dimension:
        raise ValueError(f"the fallback belongs to encoder {fallback.encoder_version}, not {encoder_version}")
    unknown = [policy for policy in policies if policy not in fallback.policies]
    if unknown:
        raise ValueError(f"the fallback lacks the policies {', '.join(unknown)}")


def _canonical_order(embeddings: npt.NDArray[Any], labels: npt.NDArray[Any]) -> list[int]:
    """Rows by content, so that folds and sums do not depend on the order in which they came."""
    keys = [row.tobytes() + answers.tobytes() for row, answers in zip(embeddings, labels, strict=True)]
    return sorted(range(len(keys)), key=keys.__getitem__)


def _fit(vectors: F64, answers: npt.NDArray[np.int64], seed: int, prior: float | None) -> _Fitted:
    positives = int(answers.sum())
    negatives = len(answers) - positives
    fewest = min(positives, negatives)
    if fewest < MIN_PER_CLASS:
        note = f"{positives} violating and {negatives} allowed labels, {MIN_PER_CLASS} of each are needed"
        return _Fitted(Fit(False, "", positives, negatives, note=note), None)
    folds = list(StratifiedKFold(min(FOLDS, fewest), shuffle=True, random_state=seed).split(vectors, answers))
    penalties = PENALTIES if fewest >= TUNE_PER_CLASS else (DEFAULT_PENALTY,)
    decisions = {penalty: _out_of_fold(vectors, answers, folds, penalty) for penalty in penalties}
    quality = {penalty: float(average_precision_score(answers, d)) for penalty, d in decisions.items()}
    penalty = max(penalties, key=lambda c: (quality[c], -c))
    slope, offset = platt_line(decisions[penalty], answers)
    if slope <= 0:
        note = f"{positives} violating and {negatives} allowed labels, which the embeddings do not tell apart"
        return _Fitted(Fit(False, "", positives, negatives, note=note), None)
    if prior is not None:
        offset += float(logit(prior) - logit(positives / len(answers)))
    model = _model(penalty).fit(vectors, answers)
    line = _Line(model.coef_[0], float(model.intercept_[0]), np.array([slope, offset]))
    return _Fitted(Fit(True, "trained", positives, negatives, penalty, quality[penalty]), line)


def _model(penalty: float) -> LogisticRegression:
    return LogisticRegression(C=penalty, class_weight="balanced", max_iter=2000)


def _out_of_fold(vectors: F64, answers: npt.NDArray[np.int64], folds: list[Any], penalty: float) -> F64:
    decisions = np.empty(len(answers), np.float64)
    for learn, judge in folds:
        decisions[judge] = _model(penalty).fit(vectors[learn], answers[learn]).decision_function(vectors[judge])
    return decisions


def platt_line(decisions: F64, answers: npt.NDArray[np.int64]) -> tuple[float, float]:
    """(a, c) of ``P = sigmoid(a z + c)`` by maximum likelihood with Platt's (1999) smoothed targets.

    The sample's own share of positives comes back in c, which the balanced class weights had taken out of z.
    """
    positives = int(answers.sum())
    negatives = len(answers) - positives
    targets = np.where(answers == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))

    def loss(line: F64) -> tuple[float, F64]:
        z = line[0] * decisions + line[1]
        wrong = expit(z) - targets
        return float(np.sum(np.logaddexp(0, z) - targets * z)), np.array([wrong @ decisions, wrong.sum()])

    start = np.array([1.0, float(logit((positives + 1) / (len(answers) + 2)))])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(-MAX_SLOPE, MAX_SLOPE), (None, None)])
    return float(found.x[0]), float(found.x[1])
