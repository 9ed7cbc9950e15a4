"""Folders of a saved model: written whole or not at all, never overwritten."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from scoring.errors import ModelNotSaved


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write ``files`` (name -> content) as ``folder``, which must not be there yet. Raises ModelNotSaved."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            _fill(draft, files)
            os.rename(draft, folder)  # atomic, and fails when someone else was first
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except OSError as error:
        raise ModelNotSaved(f"{folder} could not be written: {error}") from error


def _fill(draft: Path, files: Mapping[str, bytes]) -> None:
    draft.chmod(0o755)  # mkdtemp's 0700 would hide the model from other users of the data folder
    for name, content in files.items():
        with (draft / name).open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    handle = os.open(draft, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
