"""What scorers are called: scores and rounds name them by a hash of all that shapes a probability.

A head on one of the lake's encoders is known by its model, with the calibration of now and without one; any other
scorer by the name that a round was selected with. Nothing is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from labeling.store.interfaces import Lake, Models, Rounds
from labeling.training import calibration_version
from scoring.calibrated import calibrated_version
from scoring.embedding_head import head_scorer_version

EMBEDDINGS = "embeddings-"


class Stores(Protocol):
    """The part of the ledger that knows models and rounds."""

    @property
    def models(self) -> Models: ...

    @property
    def rounds(self) -> Rounds: ...


@dataclass(frozen=True, slots=True)
class ScorerName:
    """``model_id`` "": none of ours is in it, or that is not known. ``golden_version``: what the model learnt from."""

    name: str
    model_id: str = ""
    golden_version: str = ""
    is_calibrated: bool = False


def scorer_names(stores: Stores, lake: Lake) -> dict[str, ScorerName]:
    """By scorer version, those that can be told."""
    found = _of_rounds(stores.rounds)
    encoders = [group.removeprefix(EMBEDDINGS) for group in lake.groups() if group.startswith(EMBEDDINGS)]
    for model in stores.models.all():
        plain = ScorerName(model.model_id, model.model_id, model.golden_version)
        found[model.version] = plain
        calibration = calibration_version(model)
        for encoder in encoders:
            version = head_scorer_version(encoder, model.version)
            found[version] = plain
            if calibration is not None:
                under = ScorerName(model.model_id, model.model_id, model.golden_version, is_calibrated=True)
                found[calibrated_version(version, calibration)] = under
    return found


def _of_rounds(rounds: Rounds) -> dict[str, ScorerName]:
    told: dict[str, ScorerName] = {}
    for each in rounds.all():
        for version, name in _scorers(each.scorer_version, each.frame):
            if version and name:
                told[version] = ScorerName(name)
    return told


def _scorers(version: str, frame: Mapping[str, object]) -> list[tuple[str, str]]:
    images = (str(frame.get("image_scorer_version", "")), str(frame.get("image_scorer", "")))
    return [(version, str(frame.get("scorer", ""))), images]
