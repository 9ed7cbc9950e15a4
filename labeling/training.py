"""From a golden version to a model: train on its train partition, judge on its dev partition, promote.

Models are folders under ``models/``: ``head.safetensors`` and ``head.json`` as ``scoring.head`` writes them, or a
fine-tuned classifier (``labeling.finetuning``), and a folder for each calibration (``labeling.calibration``); the
ledger says which of these is in force.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from labeling.artefacts import Artefact, Reader, artefact_hash, load_artefact, read_texts
from labeling.errors import Conflict, IntegrityError, InvalidInput, NothingToDo, UnknownItem
from labeling.golden.enough import refuse_if_none_can, refuse_if_stale
from labeling.golden.export import evaluation_rows, training_rows
from labeling.golden.judges import judging_rows
from labeling.golden.leaks import find_leaks, refuse_leaks
from labeling.golden.partition import DUPLICATE_COSINE
from labeling.golden.stale import standing
from labeling.golden.text import TEXT
from labeling.golden.vectors import LakeVectors, Vectors, no_vectors
from labeling.model_records import Model, ModelState
from labeling.pictures import LakePictures
from labeling.policies import Policies
from labeling.quality.evaluation import Evaluation, evaluate
from labeling.records import GoldenItem, Outcome, Partition
from labeling.scorebook import F16, NOTES, embeddings
from labeling.store.interfaces import Golden, Lake, Models
from scoring.calibration import Calibrator
from scoring.errors import ModelRefused
from scoring.finetuned import is_finetuned
from scoring.head import Head
from scoring.training import TrainedHead, train_head

F32 = npt.NDArray[np.float32]
CALIBRATION = "calibration"  # the key of a model's metrics that says which calibration is in force
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class Stores(Protocol):
    """The part of the ledger that training needs."""

    @property
    def golden(self) -> Golden: ...

    @property
    def models(self) -> Models: ...


@dataclass(frozen=True, slots=True)
class Trained:
    """A registered candidate, and what training says of each policy (trained, or kept from the fallback and why)."""

    model: Model
    report: dict[str, object]


def label_matrix(rows: Sequence[GoldenItem], policies: Sequence[str]) -> tuple[tuple[str, ...], F32]:
    """Item ids (n) and labels (n, k) float32: 1 violates, 0 allowed, NaN unknown (also where context was missing)."""
    ids = tuple(sorted({row.item_id for row in rows}))
    places = {item_id: i for i, item_id in enumerate(ids)}
    columns = {policy_id: j for j, policy_id in enumerate(policies)}
    labels = np.full((len(ids), len(columns)), np.nan, np.float32)
    for row in rows:
        if row.policy_id in columns and row.outcome is not Outcome.CONTEXT_MISSING:
            labels[places[row.item_id], columns[row.policy_id]] = float(row.outcome is Outcome.VIOLATES)
    return ids, labels


@dataclass(frozen=True, slots=True)
class Basis:
    """What a head is fitted on: kept embeddings of an encoder that reads a ``modality``. ``fallback``: gives rows to
    policies with too few labels; without one these are not in the head."""

    modality: str
    encoder_version: str
    policies: tuple[str, ...]
    fallback: Head | None = None

    @classmethod
    def of(cls, fallback: Head) -> Basis:
        """Of texts, beside the prototypes of the cold start."""
        return cls(TEXT, fallback.encoder_version, fallback.policies, fallback)


def train(
    stores: Stores,
    lake: Lake,
    *,
    model_id: str,
    golden_version: str,
    basis: Basis,
    folder: Path,
    seed: int,
    duplicate_cosine: float,
) -> Trained:
    """Fit a head on the train partition's rows of a modality and register it as a candidate. The same id, version and
    seed again give the same model. Raises NotFound (version), NothingToDo (no usable train label, or one without an
    embedding), Conflict (id taken), LeakError (a training row gives away an evaluation item), InvalidInput (an id that
    is no file name)."""
    check_model_id(model_id)
    everything, now = stores.golden.members(golden_version), stores.golden.items()
    usable = training_rows(standing(everything, now), None)
    rows = [row for row in usable if row.modality == basis.modality]
    vectors = vectors_of(lake, basis.modality, basis.encoder_version)
    exams = evaluation_rows(everything, now)
    refuse_leaks(rows, exams, vectors, duplicate_cosine, LakePictures(lake))
    ids, labels = label_matrix(rows, basis.policies)
    if not len(ids) or bool(np.isnan(labels).all()):
        raise NothingToDo(
            f"golden version {golden_version} holds no usable label in its train partition"
            f"{others(usable, basis.modality)}"
        )
    trained = train_head(
        kept_embeddings(lake, basis.encoder_version, ids),
        labels,
        basis.policies,
        basis.encoder_version,
        basis.fallback,
        seed,
    )
    return _register(stores.models, trained, model_id, golden_version, folder / model_id, basis.modality)


def others(rows: Sequence[GoldenItem], modality: str) -> str:
    """What a message says of usable rows that a model of a modality does not read: how many, the first, the cure."""
    unread = sorted({(row.modality, row.item_id) for row in rows if row.modality != modality})
    if not unread:
        return ""
    kind, item_id = unread[0]
    return (
        f"; {len(unread)} items of another kind are left out, the first is the {kind} {item_id}: train a head on them "
        f"(goldfold train head --modality {kind})"
    )


def vectors_of(lake: Lake, modality: str, encoder_version: str) -> Vectors:
    """By what near-duplicates of a modality are told, beside texts and pictures: images have perceptual hashes, and
    features by which different images may be as near as copies are."""
    return LakeVectors(lake, f"embeddings-{encoder_version}") if modality == TEXT else no_vectors


def check_model_id(model_id: str) -> None:
    """Raises InvalidInput for one that cannot name a folder."""
    if not _FILE_NAME.fullmatch(model_id):
        raise InvalidInput(f"model_id: {model_id!r}: use letters, digits, dot, dash and underscore, 100 at most")


def _register(
    models: Models, trained: TrainedHead, model_id: str, golden_version: str, path: Path, modality: str
) -> Trained:
    if path.exists() and (is_finetuned(path) or Head.load(path).version != trained.head.version):
        raise Conflict(f"{path} holds another model; choose another model id")
    if not path.exists():
        trained.head.save(path)
    model = Model(
        model_id,
        trained.head.version,
        golden_version,
        str(path),
        ModelState.CANDIDATE,
        {},
        datetime.now(UTC),
        artefact=artefact_hash(path),
        family=f"head on {trained.head.encoder_version}",
        modality=modality,
    )
    models.add(model)
    there = models.get(model_id)
    if there.golden_version != golden_version:
        raise Conflict(f"model {model_id!r} was trained on golden version {there.golden_version}; use another id")
    return Trained(there, dict(trained.report))


def calibration_version(model: Model) -> str | None:
    """The calibration that is in force for a model; None when there is none."""
    recorded = model.metrics.get(CALIBRATION)
    return str(recorded["version"]) if isinstance(recorded, dict) else None


def load_calibrator(model: Model) -> Calibrator | None:
    """The maps of the calibration that is in force. Raises IntegrityError when its files are not those that were
    recorded, ModelNotFound when they are gone."""
    version = calibration_version(model)
    if version is None:
        return None
    folder = calibration_folder(model, version)
    try:
        found = Calibrator.load(folder)
    except ModelRefused as error:
        raise IntegrityError(f"the calibration of {model.model_id!r} is not what was recorded: {error}") from error
    if (found.version, found.model_version) != (version, model.version):
        raise IntegrityError(
            f"{folder} holds calibration {found.version} of {found.model_version}, but {version} of {model.version} "
            f"was recorded for {model.model_id!r}"
        )
    return found


def calibration_folder(model: Model, version: str) -> Path:
    """Where a model keeps one of its calibrations."""
    return Path(model.path) / f"{CALIBRATION}-{version}"


def evaluate_model(
    stores: Stores,
    lake: Lake,
    policies: Policies,
    model_id: str,
    golden_version: str | None = None,
    duplicate_cosine: float = DUPLICATE_COSINE,
    reader: Reader | None = None,
) -> Evaluation:
    """Judge a model on the ``dev`` partition of a version (default: the one it was trained on) and keep the result.

    Another version may hold in ``dev`` what this model learnt (groups that merged since): such items are left out and
    counted. A calibration that is in force is judged with the model, and named. A head judges kept embeddings; a text
    with a note, such as one read in windows, whose highest score counts, is read again by ``reader``'s scorer, as a
    round's scorer reads it, and so is every text where the model is a fine-tuned one. Raises NothingToDo when no item
    is left or such a text cannot be read, TooLittleGold when what is left can judge no policy, ValueError for a text
    without a reader, ModelRefused where the reader's encoder is not the head's.
    """
    model = stores.models.get(model_id)
    version = golden_version or model.golden_version
    head, calibrator = load_artefact(model), load_calibrator(model)
    judged = [p for p in head.policies if p in policies]  # a policy may have been given up since
    everything = judging_rows(stores.golden, version, Partition.DEV, model.modality)
    if not everything:
        refuse_if_stale(stores.golden, version, Partition.DEV, judged, "judge")
        raise NothingToDo(f"golden version {version} holds no item in its dev partition yet; label more first")
    rows = unlearnt(stores.golden, lake, head, model, everything, duplicate_cosine)
    if not rows:
        raise NothingToDo(f"model {model_id!r} has learnt every item of golden version {version}'s dev partition")
    refuse_if_none_can(stores.golden, version, Partition.DEV, rows, judged, "judge")
    ids, labels = label_matrix(rows, judged)
    groups = {row.item_id: row.group_id for row in rows}
    probabilities = as_scored(lake, head, ids, reader, model.modality)
    if calibrator is not None:
        probabilities = calibrator.apply(head.policies, probabilities)
    result = evaluate(
        probabilities[:, [head.policies.index(p) for p in judged]],
        labels,
        judged,
        thresholds={p: policies[p].threshold for p in judged},
        policy_versions={p: label_versions(rows, p) or policies[p].version for p in judged},
        golden_version=version,
        groups=[groups[item_id] for item_id in ids],
        pi=[row.pi for row in rows],
    )
    result = replace(
        result,
        left_out=len({row.item_id for row in everything}) - len(ids),
        calibration_version=None if calibrator is None else calibrator.version,
    )
    stores.models.set_metrics(model_id, result.as_dict())
    return result


def as_scored(lake: Lake, artefact: Artefact, ids: Sequence[str], reader: Reader | None, modality: str = TEXT) -> F32:
    """(n, k) what the model's scorer says of each item, before any calibration: a head by kept embeddings, and by the
    text where a text has a note; a fine-tuned model by the text. An image is judged by its embedding, of an animation
    the mean of its frames."""
    if not isinstance(artefact, Head):
        return read_texts(lake, artefact, ids, reader)
    probabilities = artefact.probabilities(kept_embeddings(lake, artefact.encoder_version, ids))
    noted = set(lake.ids(f"{NOTES}{artefact.encoder_version}")) if modality == TEXT else set()
    places = [place for place, item_id in enumerate(ids) if item_id in noted]
    if places:
        probabilities[places] = read_texts(lake, artefact, [ids[place] for place in places], reader)
    return probabilities


def unlearnt(
    golden: Golden, lake: Lake, head: Artefact, model: Model, rows: Sequence[GoldenItem], cosine: float
) -> list[GoldenItem]:
    """The rows that the model has not learnt: neither themselves nor as a near-duplicate."""
    learnt = training_rows(golden.members(model.golden_version), model.modality)
    vectors = vectors_of(lake, model.modality, head.encoder_version)
    leaks = find_leaks(learnt, rows, vectors, cosine, LakePictures(lake))
    given_away = {leak.evaluation_id for leak in leaks}
    return [row for row in rows if row.item_id not in given_away]


def label_versions(rows: Sequence[GoldenItem], policy_id: str) -> str:
    """The policy versions that the labels were given under, which need not be the newest."""
    return ", ".join(sorted({row.policy_version for row in rows if row.policy_id == policy_id}))


def kept_embeddings(lake: Lake, encoder_version: str, item_ids: Sequence[str]) -> F16:
    """Embeddings of golden items. Raises NothingToDo, which says what to run, when one has none."""
    try:
        return embeddings(lake, encoder_version, item_ids)
    except UnknownItem as error:
        raise NothingToDo(
            f"golden items without an embedding by encoder {encoder_version}: {error}; "
            "run the score job first (goldfold score)"
        ) from error


def newest_version(golden: Golden) -> str:
    """The newest golden version. Raises NothingToDo when there is none."""
    versions = golden.versions()
    if not versions:
        raise NothingToDo("there is no golden version yet: publish one first (goldfold golden publish)")
    return versions[-1].version
