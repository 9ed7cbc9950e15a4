"""A small model as a folder of one safetensors file and one JSON card, written whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from scoring.errors import ModelNotSaved, ModelRefused


def write_folder(
    folder: Path, tensors: tuple[str, Mapping[str, npt.NDArray[Any]]], card: tuple[str, Mapping[str, object]]
) -> None:
    """Write ``folder``, which must not be there, with (file name, tensors) and (file name, JSON card).

    Raises ModelNotSaved when it cannot be written, or when somebody else wrote it first.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            _fill(draft, tensors, card)
            os.rename(draft, folder)  # atomic, and fails when someone else was first
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except (OSError, SafetensorError) as error:
        raise ModelNotSaved(f"{folder} could not be written: {error}") from error


def read_tensors(path: Path) -> dict[str, npt.NDArray[Any]]:
    """The tensors of a safetensors file. Raises ModelRefused when it is damaged."""
    try:
        found: dict[str, npt.NDArray[Any]] = load_file(path)
    except (OSError, SafetensorError, ValueError, KeyError) as error:
        raise ModelRefused(f"{path} is damaged: {error}") from error
    return found


def _fill(
    folder: Path, tensors: tuple[str, Mapping[str, npt.NDArray[Any]]], card: tuple[str, Mapping[str, object]]
) -> None:
    save_file({name: np.ascontiguousarray(array) for name, array in tensors[1].items()}, folder / tensors[0])
    text = json.dumps(card[1], indent=2, ensure_ascii=False)
    (folder / card[0]).write_text(text + "\n", encoding="utf-8")
    folder.chmod(0o755)  # mkdtemp's 0700 would hide the model from other users of the data folder
    for path in (folder / tensors[0], folder / card[0], folder):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
