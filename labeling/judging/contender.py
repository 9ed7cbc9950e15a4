"""Whoever is judged: something that says a probability for golden items, and where it would draw the line."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from labeling.artefacts import Reader, load_artefact
from labeling.errors import NothingToDo
from labeling.golden.partition import DUPLICATE_COSINE
from labeling.judging.operating import operating_thresholds
from labeling.model_records import Model
from labeling.policies import Policies
from labeling.records import GoldenItem, Outcome
from labeling.store.interfaces import Golden, Lake, Models
from labeling.training import as_scored, label_matrix, load_calibrator, unlearnt
from scoring.head import Head, completed

F32 = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
TEXT = "text"  # the modality of what most contenders read
EXTERNAL = "external"  # the family of all that was not trained here: a file, or an address, has any name one likes
COLD = "prototypes"  # the model id of what scores before there is a champion


class JudgingStores(Protocol):
    """The part of the ledger that judging reads."""

    @property
    def golden(self) -> Golden: ...

    @property
    def models(self) -> Models: ...


@dataclass(frozen=True, slots=True)
class Contender:
    """``score``: item ids (n) to (n, k) float32 in [0, 1], columns as in ``policies``, NaN where it says nothing.
    ``fit``: of some rows those that may judge it, because it has not learnt them or a near-duplicate of them.
    ``thresholds``: policy to the probability from which it acts. ``calibration_version``: None without one.
    ``modality``: of the items that it reads. ``details``: what else its decisions depend on, JSON-able; ``beside``:
    what it has to say besides, once it has scored, JSON-able. ``expect`` hears the rows that the next ``score`` is
    about."""

    model_id: str
    version: str
    family: str
    policies: tuple[str, ...]
    thresholds: Mapping[str, float]
    calibration_version: str | None
    score: Callable[[Sequence[str]], F32]
    fit: Callable[[Sequence[GoldenItem]], list[GoldenItem]]
    modality: str = TEXT
    details: Mapping[str, object] = field(default_factory=dict)
    beside: Callable[[], dict[str, object]] = dict
    expect: Callable[[Sequence[GoldenItem]], object] = len

    def about(self) -> dict[str, object]:
        """Everything that its decisions depend on, JSON-able."""
        told: dict[str, object] = {
            "model_id": self.model_id,
            "version": self.version,
            "family": self.family,
            "calibration_version": self.calibration_version,
            "thresholds": {policy: float(tau) for policy, tau in sorted(self.thresholds.items())},
        }
        return told | ({"details": dict(self.details)} if self.details else {})


@dataclass(frozen=True, slots=True)
class Decisions:
    """n pairs of an item and a policy with a golden answer: ``rows`` (n,), ``truth`` (n,) violates, ``probabilities``
    (n,) float64 and ``flagged`` (n,): at or above the contender's threshold."""

    rows: tuple[GoldenItem, ...]
    truth: Bools
    probabilities: npt.NDArray[np.float64]
    flagged: Bools

    @property
    def right(self) -> Bools:
        return np.equal(self.truth, self.flagged)


def of_model(
    stores: JudgingStores,
    lake: Lake,
    policies: Policies,
    model: Model,
    cosine: float = DUPLICATE_COSINE,
    reader: Reader | None = None,
    fallback: Head | None = None,
) -> Contender:
    """A registered model under its calibration and thresholds, as it would score: policies that a head never saw are
    those of ``fallback``, where both read the same encoder. Raises IntegrityError, ModelNotFound."""
    own, calibrator = load_artefact(model), load_calibrator(model)
    alike = isinstance(own, Head) and fallback is not None and fallback.encoder_version == own.encoder_version
    head = completed(own, fallback) if isinstance(own, Head) and fallback is not None and alike else own
    taus = operating_thresholds(model, policies)

    def score(ids: Sequence[str]) -> F32:
        found = as_scored(lake, head, ids, reader, model.modality)
        return found if calibrator is None else calibrator.apply(head.policies, found)

    return Contender(
        model_id=model.model_id,
        version=model.version,
        family=family_of(model),
        policies=head.policies,
        thresholds={policy: taus[policy] for policy in head.policies if policy in taus},
        calibration_version=None if calibrator is None else calibrator.version,
        score=score,
        fit=lambda rows: unlearnt(stores.golden, lake, own, model, rows, cosine),
        modality=model.modality,
    )


def of_prototypes(lake: Lake, policies: Policies, head: Head, reader: Reader | None = None) -> Contender:
    """What scores before any model was promoted; it has learnt nothing."""
    return Contender(
        model_id=COLD,
        version=head.version,
        family=COLD,
        policies=head.policies,
        thresholds={policy: policies[policy].threshold for policy in head.policies if policy in policies},
        calibration_version=None,
        score=lambda ids: as_scored(lake, head, ids, reader),
        fit=list,
    )


def family_of(model: Model) -> str:
    """Which models share its budget of sealed questions."""
    return model.family or model.model_id


def decide(contender: Contender, rows: Sequence[GoldenItem]) -> Decisions:
    """What a contender decides about each row, in the order of (item, policy); rows of policies that it does not
    judge, or says nothing about, are left out. Raises NothingToDo where none is left."""
    judged = sorted((row for row in rows if row.policy_id in contender.thresholds), key=_key)
    policies = [policy for policy in contender.policies if policy in contender.thresholds]
    ids, _ = label_matrix(judged, policies)
    if not ids:
        raise NothingToDo(f"model {contender.model_id!r} judges none of the policies that these golden items are for")
    contender.expect(judged)
    scores = contender.score(ids)
    places, columns = {item_id: i for i, item_id in enumerate(ids)}, {p: j for j, p in enumerate(contender.policies)}
    told = np.array([scores[places[r.item_id], columns[r.policy_id]] for r in judged], np.float64)
    known = ~np.isnan(told)
    kept = tuple(row for row, there in zip(judged, known, strict=True) if there)
    lines = np.array([contender.thresholds[row.policy_id] for row in kept], np.float64)
    truth = np.array([row.outcome is Outcome.VIOLATES for row in kept], bool)
    return Decisions(kept, truth, told[known], told[known] >= lines)


def _key(row: GoldenItem) -> tuple[str, str]:
    return row.item_id, row.policy_id
