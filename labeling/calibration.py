"""Calibrate a model: labels it never saw say what its scores mean, and the scorer says so from then on.

The labels are those of a golden version's ``calibration`` partition, which is apart from ``train`` by near-duplicate
group. Where enough of them are picks with known probability, only these are used, weighted by 1 / pi, and the result
speaks for the traffic of their rounds' frames; else all of them are used alike, and it speaks for itself. That a
partition is a random share of the golden items changes every pi by the same factor, which cancels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from labeling.artefacts import F32, Artefact, Reader, load_artefact
from labeling.errors import InvalidInput, NothingToDo
from labeling.figures import Origin
from labeling.golden.gold_links import GoldAsked
from labeling.golden.judges import judging_rows
from labeling.golden.partition import DUPLICATE_COSINE
from labeling.golden.text import TEXT
from labeling.model_records import Model
from labeling.policies import Policies
from labeling.quality.calibration import Judged, judge
from labeling.quality.evaluation import POPULATION, PURPOSIVE, UNWEIGHTED
from labeling.records import GoldenItem, Outcome, Partition
from labeling.scorebook import NOTES
from labeling.store.audit_interface import Audit
from labeling.store.interfaces import Golden, Lake, Models
from labeling.training import (
    CALIBRATION,
    as_scored,
    calibration_folder,
    calibration_version,
    label_versions,
    unlearnt,
)
from scoring.calibration import METHODS, NONE, CalibrationMap, Calibrator
from scoring.calibration_fit import AUTO, FOLDS, MIN_LABELS, Labelled, cross_fitted, fit_map, lacks

MEASURED = "cross-fitted: each of up to {folds} folds of the calibration partition by a map fitted to the others"


class CalibrationStores(Protocol):
    """The part of the ledger that calibrating needs."""

    @property
    def golden(self) -> Golden: ...

    @property
    def models(self) -> Models: ...

    @property
    def audit(self) -> Audit: ...


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a calibration is and was worth. ``version`` names its maps; ``applied`` says whether it is in force."""

    model_id: str
    version: str
    golden_version: str
    method: str
    left_out: int
    policies: dict[str, dict[str, object]]
    applied: bool

    def as_dict(self) -> dict[str, object]:
        """The fields by name, as JSON has them."""
        return {name: getattr(self, name) for name in self.__slots__}


def calibrate(
    stores: CalibrationStores,
    lake: Lake,
    policies: Policies,
    model_id: str,
    *,
    golden_version: str | None = None,
    method: str = AUTO,
    dry_run: bool = False,
    actor: str,
    duplicate_cosine: float = DUPLICATE_COSINE,
    seed: int = 0,
    reader: Reader | None = None,
) -> Calibration:
    """Fit a map for each policy with enough labels in a version's calibration partition (default: the version the
    model was trained on), and put it in force for this model in place of the one before; ``dry_run`` only says what
    would be. ``reader``: what a fine-tuned model reads texts with. Items that the model learnt, or near-duplicates of
    them, are left out and counted; so are texts that were read in windows, since what is scored here is their mean, and
    what the map would be laid on is their highest.

    Again with the same labels it is the same calibration, and nothing changes. Raises NotFound (model, version),
    InvalidInput (method), NothingToDo when no policy has enough labels or items have no embedding, IntegrityError when
    the model's files are not what was registered."""
    if method not in (AUTO, *METHODS):
        raise InvalidInput(f"method: {method!r} is unknown; use {AUTO}, {', '.join(METHODS)}")
    model = stores.models.get(model_id)
    head, version = load_artefact(model), golden_version or model.golden_version
    everything = judging_rows(stores.golden, version, Partition.CALIBRATION, model.modality)
    noted = set(lake.ids(f"{NOTES}{head.encoder_version}")) if model.modality == TEXT else set()
    rows = unlearnt(stores.golden, lake, head, model, everything, duplicate_cosine)
    rows = [row for row in rows if row.item_id not in noted]
    if not rows:
        raise NothingToDo(
            f"golden version {version} holds no item in its calibration partition that {model_id!r} has not learnt; "
            "label more first"
        )
    ids = sorted({row.item_id for row in rows})
    found = dict(zip(ids, as_scored(lake, head, ids, reader, model.modality), strict=True))
    fits = _fits(policies, head, rows, found, version, method, seed)
    calibrator = _calibrator(fits, model, version)
    result = Calibration(
        model_id,
        calibrator.version,
        version,
        method,
        left_out=len({row.item_id for row in everything}) - len({row.item_id for row in rows}),
        policies={policy_id: fit.report for policy_id, fit in fits.items()},
        applied=not dry_run,
    )
    if not dry_run:
        _put_in_force(stores, model, calibrator, result, actor)
    return result


def _fits(
    policies: Policies,
    head: Artefact,
    rows: Sequence[GoldenItem],
    found: Mapping[str, F32],
    version: str,
    method: str,
    seed: int,
) -> dict[str, _Fit]:
    """Every policy of the model that is still there, by id; ``found``: what the model says of each item."""
    fits = {}
    for place, policy_id in enumerate(head.policies):
        if policy_id in policies:
            own = [row for row in rows if row.policy_id == policy_id]
            scores = {item_id: float(row[place]) for item_id, row in found.items()}
            fits[policy_id] = _fit(own, scores, policies[policy_id].threshold, version, method, seed)
    return fits


def _calibrator(fits: Mapping[str, _Fit], model: Model, version: str) -> Calibrator:
    maps = {policy_id: fit.map for policy_id, fit in fits.items() if fit.map is not None}
    if not maps:
        said = [f"{policy_id}: {fit.report['note']}" for policy_id, fit in fits.items() if fit.report["n"]]
        raise NothingToDo(
            f"no policy has enough labels in the calibration partition of golden version {version}: "
            + ("; ".join(said) or "none of them is for a policy of the model")
        )
    return Calibrator(tuple(maps), tuple(maps.values()), model.version)


def _put_in_force(
    stores: CalibrationStores, model: Model, calibrator: Calibrator, result: Calibration, actor: str
) -> None:
    """Files first, then the ledger's word that they count: a crash in between leaves a folder nobody reads."""
    calibrator.save(calibration_folder(model, calibrator.version))
    stores.models.set_metrics(model.model_id, {CALIBRATION: result.as_dict()})
    if calibration_version(model) != calibrator.version:
        detail = {"version": calibrator.version, "golden_version": result.golden_version, "method": result.method}
        stores.audit.add(actor, "model.calibrate", model.model_id, detail)


@dataclass(frozen=True, slots=True)
class _Fit:
    map: CalibrationMap | None
    report: dict[str, object]


def _fit(
    rows: Sequence[GoldenItem], scores: dict[str, float], threshold: float, version: str, method: str, seed: int
) -> _Fit:
    """One policy: its map (None: too few labels) and what it was worth."""
    chosen, licence = _basis(rows, scores)
    data = _labelled(chosen, scores, weighted=licence == POPULATION)
    policy_id = rows[0].policy_id if rows else ""
    items = GoldAsked(version, Partition.CALIBRATION, policy_id or None, judging=True).link()
    origin = Origin(licence, version, label_versions(rows, policy_id) if rows else "", items)
    about = origin.as_dict()
    counts: dict[str, object] = {
        "n": len(chosen),
        "positives": int(data.labels.sum()),
        "effective_n": data.effective_n,
        "unused": len(rows) - len(chosen),
    }
    if missing := lacks(data, method):
        return _Fit(None, {"method": NONE, "verdict": "insufficient", "note": missing, **about, **counts})
    found = fit_map(data, method, seed)
    left = found.method == NONE
    report: dict[str, object] = {
        "method": found.method,
        "verdict": "left as it is" if left else "calibrated",
        "note": "no map is surely better than the scores as they are" if left and method == AUTO else "",
        **about,
        **counts,
        "measured": MEASURED.format(folds=FOLDS),
        "map": {"slope": found.slope, "offset": found.offset, "knots": len(found.knots)},
        "flagged": {
            "threshold": threshold,
            "before": int((data.probabilities >= threshold).sum()),
            "after": int((found.apply(data.probabilities).astype(np.float64) >= threshold).sum()),
        },
    }
    judged = Judged(
        before=data.probabilities,
        after=cross_fitted(data, method, seed).astype(np.float64),
        truth=data.labels == 1,
        pi=1 / data.weights if licence == POPULATION else None,
        groups=[row.group_id for row in chosen],
    )
    return _Fit(found, report | origin.within(judge(judged, about, seed)))


def _basis(rows: Sequence[GoldenItem], scores: dict[str, float]) -> tuple[list[GoldenItem], str]:
    """The rows to learn from, and whom they speak for: those with a known probability where they are enough."""
    chance = [row for row in rows if row.pi is not None]
    weighted = _labelled(chance, scores, weighted=True)
    if not lacks(weighted) and weighted.effective_n >= MIN_LABELS:
        return chance, POPULATION
    return list(rows), UNWEIGHTED if len(chance) == len(rows) else PURPOSIVE


def _labelled(rows: Sequence[GoldenItem], scores: dict[str, float], *, weighted: bool) -> Labelled:
    return Labelled.of(
        np.array([scores[row.item_id] for row in rows], np.float64),
        np.array([row.outcome is Outcome.VIOLATES for row in rows], np.int64),
        np.array([1 / (row.pi or 1.0) for row in rows], np.float64) if weighted else None,
        [row.group_id for row in rows],
    )
