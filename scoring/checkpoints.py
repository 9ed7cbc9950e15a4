"""Where a training stands, as safetensors and JSON: weights, optimizer, schedule and random numbers, and no pickle."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from scoring.errors import ModelNotSaved, ModelRefused
from scoring.model_files import read_json

PREFIX = "checkpoint-"
FILES = ("weights.safetensors", "optimizer.safetensors", "random.safetensors", "state.json", "trainer_state.json")
SEAL = "sealed.json"  # written last: the hashes of the others
_NAME = re.compile(rf"{PREFIX}(\d+)")

Tensors = dict[str, torch.Tensor]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that decides what a training does next. ``plain``: JSON-able, of optimizer, schedule and random numbers;
    ``history``: the trainer's own state as JSON text."""

    weights: Tensors
    optimizer: Tensors
    random: Tensors
    plain: dict[str, Any]
    history: str


class Checkpoints:
    """The checkpoints of one run in one folder, by step. ``key`` names what the run is made of: those of another are
    not ours to go on from."""

    def __init__(self, folder: Path, key: str) -> None:
        self.folder, self.key = folder, key

    def steps(self) -> list[int]:
        """Steps with a whole checkpoint of this run, rising."""
        found = [int(m[1]) for path in self.folder.glob(f"{PREFIX}*") if (m := _NAME.fullmatch(path.name))]
        return [step for step in sorted(found) if self._is_ours(step)]

    def path(self, step: int) -> Path:
        return self.folder / f"{PREFIX}{step}"

    def save(self, step: int, snapshot: Snapshot) -> None:
        """Write it whole or not at all; a no-op when this run has one of that step. Raises ModelNotSaved."""
        if self._is_ours(step):
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=self.folder))
            try:
                self._fill(draft, snapshot)
                if self.path(step).exists():  # another run's, or one without its seal
                    shutil.rmtree(self.path(step))
                os.rename(draft, self.path(step))
                _sync(self.folder)
            finally:
                shutil.rmtree(draft, ignore_errors=True)
        except (OSError, SafetensorError) as error:
            raise ModelNotSaved(f"{self.path(step)} could not be written: {error}") from error

    def load(self, step: int) -> Snapshot:
        """Raises ModelRefused when a file is not what was written."""
        folder = self.path(step)
        seal = read_json(folder / SEAL, dict)
        for name in FILES:
            if not (folder / name).is_file() or _hash(folder / name) != seal.get("files", {}).get(name):
                raise ModelRefused(f"{folder / name} is not what was written; delete that folder to train it anew")
        weights, optimizer, numbers = (load_file(folder / name) for name in FILES[:3])
        history = (folder / FILES[4]).read_text(encoding="utf-8")
        return Snapshot(weights, optimizer, numbers, read_json(folder / FILES[3], dict), history)

    def keep(self, steps: set[int]) -> None:
        """Delete all others, whatever run they are of, and drafts of a process that was killed."""
        for path in [*self.folder.glob(f"{PREFIX}*"), *self.folder.glob(".draft-*")]:
            found = _NAME.fullmatch(path.name)
            if found is None or int(found[1]) not in steps:
                shutil.rmtree(path)

    def _is_ours(self, step: int) -> bool:
        seal = self.path(step) / SEAL
        return seal.is_file() and read_json(seal, dict).get("key") == self.key

    def _fill(self, draft: Path, snapshot: Snapshot) -> None:
        for name, tensors in zip(FILES, (snapshot.weights, snapshot.optimizer, snapshot.random), strict=False):
            save_file(tensors, draft / name)
        (draft / FILES[3]).write_text(json.dumps(snapshot.plain), encoding="utf-8")
        (draft / FILES[4]).write_text(snapshot.history, encoding="utf-8")
        for name in FILES:
            _sync(draft / name)
        seal = {"key": self.key, "files": {name: _hash(draft / name) for name in FILES}}
        (draft / SEAL).write_text(json.dumps(seal), encoding="utf-8")
        for path in (draft / SEAL, draft):
            _sync(path)


def trained_weights(model: torch.nn.Module) -> Tensors:
    """Copies of the parameters that training moves, by name."""
    moved = ((name, p) for name, p in model.named_parameters() if p.requires_grad)
    return {name: p.detach().cpu().contiguous().clone() for name, p in moved}


def put_weights(model: torch.nn.Module, weights: Mapping[str, torch.Tensor]) -> None:
    """Set them again. Raises ModelRefused when they are of another model."""
    places = {name: p for name, p in model.named_parameters() if p.requires_grad}
    if places.keys() != weights.keys() or any(places[name].shape != value.shape for name, value in weights.items()):
        raise ModelRefused("the checkpoint's weights are of another model; delete the run's folder to train it anew")
    with torch.no_grad():
        for name, value in weights.items():
            places[name].copy_(value)


def optimizer_state(state: Mapping[str, Any]) -> tuple[Tensors, dict[str, Any]]:
    """An optimizer's ``state_dict`` as tensors and plain values."""
    tensors = {
        f"{place}.{name}": value.detach().cpu().contiguous()
        for place, row in state["state"].items()
        for name, value in row.items()
    }
    return tensors, {"param_groups": state["param_groups"]}


def optimizer_state_of(tensors: Mapping[str, torch.Tensor], plain: Mapping[str, Any]) -> dict[str, Any]:
    """The ``state_dict`` again."""
    rows: dict[int, Tensors] = {}
    for key, value in tensors.items():
        place, _, name = key.partition(".")
        rows.setdefault(int(place), {})[name] = value
    groups = [{**group, "betas": tuple(group["betas"])} for group in plain["param_groups"]]
    return {"state": rows, "param_groups": groups}


def random_state() -> tuple[Tensors, dict[str, Any]]:
    """Where the generators of Python, numpy, torch and its first GPU stand."""
    version, words, gauss = random.getstate()
    kind, keys, position, has_gauss, cached = np.random.get_state(legacy=True)
    tensors = {"torch": torch.get_rng_state(), "numpy": torch.from_numpy(np.asarray(keys).astype(np.int64))}
    if torch.cuda.is_available():
        tensors["cuda"] = torch.cuda.get_rng_state()
    plain = {"python": [version, list(words), gauss], "numpy": [kind, int(position), int(has_gauss), float(cached)]}
    return tensors, plain


def put_random_state(tensors: Mapping[str, torch.Tensor], plain: Mapping[str, Any]) -> None:
    """Let them go on from there."""
    version, words, gauss = plain["python"]
    random.setstate((version, tuple(words), gauss))
    kind, position, has_gauss, cached = plain["numpy"]
    np.random.set_state((kind, tensors["numpy"].numpy().astype(np.uint32), position, has_gauss, cached))
    torch.set_rng_state(tensors["torch"])
    if "cuda" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors["cuda"])


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
