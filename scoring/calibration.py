"""Calibration: one rising map a policy, from what a scorer says to the share that violates when it says so.

``Head.platt`` belongs to training: it is fitted on the rows the head learnt from and is part of the head's weights. A
``Calibrator`` comes later, from labels the head never saw, works on any scorer's probabilities, and leaves the
registered model as it is; so the same head can be calibrated again whenever there are more labels.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

from scoring.errors import ModelExists, ModelNotFound, ModelRefused
from scoring.model_files import VERSION_LENGTH, read_json
from scoring.saving import read_tensors, write_folder

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
NONE, TEMPERATURE, PLATT, ISOTONIC = METHODS = ("none", "temperature", "platt", "isotonic")  # from stiff to free
FORMAT = 1
TENSORS = "calibrator.safetensors"
CARD = "calibrator.json"
LOWEST, HIGHEST = 1e-12, 1 - 2.0**-24  # between them logits are finite; float32 has nothing from HIGHEST up to 1


def _no_knots() -> F64:
    return np.zeros((0, 2), np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class CalibrationMap:
    """``none``: p stays as it is, to the last bit. ``temperature`` (offset 0) and ``platt``:
    ``sigmoid(slope * logit(p) + offset)``, slope above 0. ``isotonic``: straight lines between ``knots`` (m, 2) of
    (logit p, probability), both rising, flat beyond the ends.

    Never falls, so no two items change places. On a line two items become a tie only where float32 cannot tell their
    new probabilities apart (close to 1) or both were below 1e-12; an isotonic map has level steps, all of them ties.
    Guo et al. 2017 (temperature), Platt 1999, Zadrozny and Elkan 2002 (isotonic). Raises ValueError for anything else.
    """

    method: str = NONE
    slope: float = 1.0
    offset: float = 0.0
    knots: F64 = field(default_factory=_no_knots)

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"method must be one of {', '.join(METHODS)}, not {self.method!r}")
        if not (np.isfinite(self.slope) and np.isfinite(self.offset) and self.slope > 0):
            raise ValueError("slope and offset must be finite and the slope above 0, or the ranking would turn round")
        if (self.method in (NONE, ISOTONIC) and self.slope != 1) or (self.method != PLATT and self.offset != 0):
            raise ValueError(f"a map of the kind {self.method} has no such slope or offset")
        _check_knots(self.knots, wanted=self.method == ISOTONIC)

    def apply(self, probabilities: npt.NDArray[np.floating[Any]]) -> F32:
        """(n,) in [0, 1] to (n,) float32 in [0, 1]. Raises ValueError for NaN or a number out of range."""
        if not ((probabilities >= 0) & (probabilities <= 1)).all():
            raise ValueError("probabilities must lie in [0, 1], and NaN does not")
        if self.method == NONE:
            return probabilities.astype(np.float32)
        z = logits(probabilities)
        mapped = np.interp(z, self.knots[:, 0], self.knots[:, 1]) if self.method == ISOTONIC else self._line(z)
        return np.clip(mapped, 0, 1).astype(np.float32)

    def _line(self, z: F64) -> F64:
        mapped: F64 = expit(self.slope * z + self.offset)
        return mapped


def _check_knots(knots: F64, *, wanted: bool) -> None:
    if knots.dtype != np.float64 or knots.ndim != 2 or knots.shape[1] != 2 or bool(len(knots)) != wanted:
        raise ValueError("knots must be (m, 2) float64, and belong to isotonic maps only")
    values = knots[:, 1]
    if not np.isfinite(knots).all() or not ((values >= 0) & (values <= 1)).all():
        raise ValueError("knots must be finite, with probabilities in [0, 1]")
    if (np.diff(knots[:, 0]) <= 0).any() or (np.diff(values) < 0).any():
        raise ValueError("knots must rise, or the ranking would turn round")


def logits(probabilities: npt.NDArray[np.floating[Any]]) -> F64:
    """ln(p / (1 - p)) in float64, finite at 0 and 1."""
    found: F64 = logit(np.clip(probabilities.astype(np.float64), LOWEST, HIGHEST))
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Calibrator:
    """The maps of k policies, fitted to the scores of the model ``model_version``. Raises ValueError when a policy has
    no name or comes twice, or the numbers differ."""

    policies: tuple[str, ...]
    maps: tuple[CalibrationMap, ...]
    model_version: str

    def __post_init__(self) -> None:
        if len(set(self.policies)) != len(self.policies) or not all(self.policies) or not self.policies:
            raise ValueError("policies must be named, at least one, each once")
        if len(self.maps) != len(self.policies):
            raise ValueError(f"{len(self.maps)} maps for {len(self.policies)} policies")

    @property
    def is_identity(self) -> bool:
        """Whether every probability stays as it is."""
        return all(one.method == NONE for one in self.maps)

    def limited(self, policies: Sequence[str]) -> Calibrator | None:
        """The maps of those of its policies that are among ``policies``; None when there is none."""
        kept = [place for place, policy in enumerate(self.policies) if policy in policies]
        if not kept:
            return None
        maps = tuple(self.maps[place] for place in kept)
        return Calibrator(tuple(self.policies[place] for place in kept), maps, self.model_version)

    @property
    def version(self) -> str:
        """A short SHA-256 over all that shapes a probability."""
        digest = hashlib.sha256(json.dumps(_card(self), sort_keys=True).encode())
        for array in _tensors(self).values():
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()[:VERSION_LENGTH]

    def apply(self, policies: Sequence[str], probabilities: F32) -> F32:
        """(n, k') float32 with columns as in ``policies`` to the same; columns it has no map for stay as they are.

        Raises ValueError for NaN, a number out of range, or another number of columns."""
        if probabilities.ndim != 2 or probabilities.shape[1] != len(policies):
            raise ValueError(f"probabilities must be (n, {len(policies)}), not {probabilities.shape}")
        known = dict(zip(self.policies, self.maps, strict=True))
        mapped = np.empty(probabilities.shape, np.float32)
        for j, policy in enumerate(policies):
            mapped[:, j] = known.get(policy, CalibrationMap()).apply(probabilities[:, j])
        return mapped

    def save(self, folder: Path) -> None:
        """Write ``folder`` whole or not at all; a no-op when it holds this very calibrator.

        Raises ModelExists when it holds anything else, ModelNotSaved when it cannot be written.
        """
        if folder.exists():
            if not (folder / CARD).is_file() or Calibrator.load(folder).version != self.version:
                raise ModelExists(f"{folder} is there already with other content; choose another folder")
            return
        write_folder(folder, (TENSORS, _tensors(self)), (CARD, {**_card(self), "version": self.version}))

    @classmethod
    def load(cls, folder: Path) -> Calibrator:
        """Raises ModelNotFound when there is no calibrator, ModelRefused when it is not what ``save`` wrote."""
        if not (folder / CARD).is_file() or not (folder / TENSORS).is_file():
            raise ModelNotFound(f"{folder} holds no calibrator ({CARD} and {TENSORS}); calibrate the model again")
        card, tensors = read_json(folder / CARD, dict), read_tensors(folder / TENSORS)
        try:
            found = _assemble(card, tensors)
        except (ValueError, TypeError) as error:
            raise ModelRefused(f"{folder} is not a calibrator: {error}") from error
        if found.version != card["version"]:
            raise ModelRefused(f"{folder}: {TENSORS} and {CARD} do not belong together (content hash differs)")
        return found


def _card(calibrator: Calibrator) -> dict[str, object]:
    return {
        "format": FORMAT,
        "model_version": calibrator.model_version,
        "policies": list(calibrator.policies),
        "methods": [one.method for one in calibrator.maps],
    }


def _tensors(calibrator: Calibrator) -> dict[str, npt.NDArray[Any]]:
    """``lines`` (k, 2): slope and offset; ``knots`` (m, 2): those of all policies; ``lengths`` (k,): how many each."""
    return {
        "lines": np.array([(one.slope, one.offset) for one in calibrator.maps], "<f8"),
        "knots": np.concatenate([one.knots for one in calibrator.maps]).astype("<f8"),
        "lengths": np.array([len(one.knots) for one in calibrator.maps], "<i8"),
    }


def _assemble(card: Mapping[str, Any], tensors: Mapping[str, npt.NDArray[Any]]) -> Calibrator:
    keys = {"format", "model_version", "policies", "methods", "version"}
    if set(card) != keys or card["format"] != FORMAT:
        raise ValueError(f"{CARD} must have the keys {', '.join(sorted(keys))}, and format {FORMAT}")
    if not all(isinstance(text, str) for text in (card["model_version"], *card["policies"], *card["methods"])):
        raise ValueError(f"{CARD} must hold text in all keys but format")
    if set(tensors) != {"lines", "knots", "lengths"}:
        raise ValueError(f"{TENSORS} must hold lines, knots and lengths, not {', '.join(sorted(tensors))}")
    lines, knots, lengths = tensors["lines"], tensors["knots"], tensors["lengths"]
    k = len(card["methods"])
    if lines.shape != (k, 2) or lengths.shape != (k,) or lengths.dtype != np.int64 or (lengths < 0).any():
        raise ValueError(f"{TENSORS} must hold a line and a number of knots for each of {k} policies")
    if lines.dtype != np.float64 or knots.ndim != 2 or lengths.sum() != len(knots):
        raise ValueError(f"{TENSORS} must hold float64 lines, and as many knots as its lengths say")
    parts = np.split(knots, np.cumsum(lengths)[:-1])
    maps = [
        CalibrationMap(method, float(slope), float(offset), part)
        for method, (slope, offset), part in zip(card["methods"], lines, parts, strict=True)
    ]
    return Calibrator(tuple(card["policies"]), tuple(maps), card["model_version"])
