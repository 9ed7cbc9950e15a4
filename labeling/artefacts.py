"""What a registered model is made of: a head on the service's encoder, or a fine-tuned classifier of its own; and its
files under one hash, so that what is loaded is what was registered."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from labeling.errors import IntegrityError, NothingToDo
from labeling.model_records import Model
from labeling.store.interfaces import Lake
from scoring.base import Scorer
from scoring.errors import ModelRefused
from scoring.finetuned import Finetuned, is_finetuned
from scoring.head import Head

F32 = npt.NDArray[np.float32]
Artefact = Head | Finetuned
Reader = Callable[[Artefact], Scorer]  # the scorer that reads texts with a model, for the model's own policies
HEAD, FINETUNED = "head", "finetuned"
APART = "calibration-"  # folders of calibrations, which come later and are verified by themselves


def kind_of(model: Model) -> str:
    """``HEAD`` or ``FINETUNED``, as the folder says; nothing is checked."""
    return FINETUNED if is_finetuned(Path(model.path)) else HEAD


def load_head(model: Model) -> Head:
    """The head of a model. Raises IntegrityError when its files are not those that were registered, ModelNotFound
    when they are gone."""
    verify_artefact(model)
    try:
        head = Head.load(Path(model.path))
    except ModelRefused as error:
        raise IntegrityError(f"model {model.model_id!r} is not what was registered: {error}") from error
    _check_version(model, head.version)
    return head


def load_artefact(model: Model) -> Artefact:
    """What a model is made of, each file checked. Raises IntegrityError when they are not those that were registered,
    ModelNotFound when they are gone."""
    if kind_of(model) == HEAD:
        return load_head(model)
    verify_artefact(model)
    try:
        found = Finetuned.load(Path(model.path))
    except ModelRefused as error:
        raise IntegrityError(f"model {model.model_id!r} is not what was registered: {error}") from error
    _check_version(model, found.version)
    return found


def read_texts(lake: Lake, artefact: Artefact, ids: Sequence[str], reader: Reader | None) -> F32:
    """(n, k) what a model's scorer says of the texts of golden items, columns as the model's policies. Raises
    NothingToDo when one cannot be read, ValueError without a reader."""
    if reader is None:
        raise ValueError(f"item {ids[0]!r} was scored from more than its embedding; give a reader")
    scores = reader(artefact).score(ids, lake.take(ids, ["text"])["text"].to_pylist())
    if scores.failures:
        failure = scores.failures[0]
        raise NothingToDo(
            f"item {failure.item_id!r} of the golden set cannot be read again: {failure.reason}; mend that first"
        )
    return scores.probabilities[:, [scores.policies.index(policy) for policy in artefact.policies]]


def _check_version(model: Model, found: str) -> None:
    if found != model.version:
        raise IntegrityError(
            f"{model.path} holds {found}, but model {model.model_id!r} was registered as {model.version}"
        )


def artefact_hash(folder: Path) -> str:
    """SHA-256 (hex) over the name and the SHA-256 of each file, sorted by name; calibrations are left out. Raises
    IntegrityError for a link, which could lead anywhere."""
    digest = hashlib.sha256()
    for name, path in sorted((path.relative_to(folder).as_posix(), path) for path in _files(folder)):
        with path.open("rb") as file:
            digest.update(f"{name}:{hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return digest.hexdigest()


def verify_artefact(model: Model) -> None:
    """Raises IntegrityError when the model's folder is not what was registered; a folder that is not there is for the
    loader to tell."""
    folder = Path(model.path)
    if model.artefact and folder.is_dir() and (found := artefact_hash(folder)) != model.artefact:
        raise IntegrityError(
            f"{folder} holds files of hash {found[:16]}, but model {model.model_id!r} was registered with "
            f"{model.artefact[:16]}: restore them from a backup, or train again under a new id"
        )


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.is_symlink():
            raise IntegrityError(f"{path} is a link, and a model's folder holds files only: put the file there")
        if path.is_dir() and not path.name.startswith(APART):
            yield from _files(path)
        elif path.is_file():
            yield path
