"""A model's files under one hash, so that what is loaded is what was registered."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from labeling.errors import IntegrityError
from labeling.records import Model

APART = "calibration-"  # folders of calibrations, which come later and are verified by themselves


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
