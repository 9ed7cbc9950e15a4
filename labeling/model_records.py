"""What the ledger keeps of models: their states and moves, verdicts of the gate, and what sealed gold was asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class ModelState(StrEnum):
    """A model's place: a ``candidate`` was trained, a ``challenger`` has met the gate, at most one ``champion`` scores
    the next round, and what is ``archived`` may come back by a rollback only."""

    CANDIDATE = "candidate"
    CHALLENGER = "challenger"
    CHAMPION = "champion"
    ARCHIVED = "archived"


@dataclass(frozen=True, slots=True)
class Model:
    """A trained model. ``version`` is its weights hash; ``path`` a folder with safetensors and a card;
    ``metrics`` what ``evaluate`` last found, and under keys of their own the calibration and the thresholds in force
    and the reference window of its drift (JSON-able), and ``RESCORE``.

    ``artefact``: the SHA-256 (hex) of the folder's files (``labeling.artefacts``); "": registered without.
    ``family``: models that are variants of each other, such as heads on one encoder, and share a budget of sealed
    queries; "": a family of its own. ``modality``: of the items that it reads."""

    model_id: str
    version: str
    golden_version: str
    path: str
    state: ModelState
    metrics: dict[str, object] = field(default_factory=dict)
    created_at: datetime | None = None
    promoted_at: datetime | None = None
    artefact: str = ""
    family: str = ""
    modality: str = "text"


RESCORE = "rescore"  # the key of a champion's metrics that names the job which is owed: nobody has begun it yet


def owed_rescore(model: Model) -> str:
    """The id of the job that scores every item with a champion, while nobody has begun it; "" where none is owed."""
    return str(model.metrics.get(RESCORE, ""))


@dataclass(frozen=True, slots=True)
class ModelEvent:
    """A model changed its place, appended and never changed. ``kind``: ``move``, ``promote`` or ``rollback``;
    ``replaced``: the champion that had to go for it, "" where there was none. ``gate_id``: the gate that let it pass;
    "": promoted without one, for the stated ``reason``."""

    model_id: str
    kind: str
    before: ModelState
    after: ModelState
    replaced: str
    gate_id: str
    reason: str
    actor: str
    at: datetime


@dataclass(frozen=True, slots=True)
class GateRow:
    """A verdict of the gate. ``body`` is everything it says (``labeling.judging.gate``), ``previous`` the hash of the
    row before it ("": the first), ``row_hash`` the SHA-256 (hex) over both, and ``signature`` the HMAC-SHA256 (hex) of
    that hash under the setting ``gate_secret``, "" where none is set."""

    gate_id: str
    body: dict[str, object]
    previous: str
    row_hash: str
    signature: str


@dataclass(frozen=True, slots=True)
class SealedQuery:
    """Somebody asked the sealed partition something. ``question_hash`` names the question, so that the same one again
    finds its ``answer`` (figures only); that repeat is a row too, with ``is_repeat`` and without an answer."""

    question_hash: str
    at: datetime
    actor: str
    model_id: str
    model_version: str
    family: str
    golden_version: str
    question: dict[str, object]
    answer: dict[str, object] | None
    is_repeat: bool = False
