"""Scoring over many workers, put together: what the command line runs, and what each worker builds its scorer from.

The engine, Daft on its own runner or on Ray, is an extra of its own and takes seconds to import, so it stands in
``api.cluster`` alone and is loaded when a run asks for it.
"""

from __future__ import annotations

import base64
import json
import os
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from api import lazy_scorers
from api.composition import Goldfold
from api.errors import NotReady
from configs.errors import SettingsError
from configs.scorer_files import packaged_scorers, read_scorer, scorer_path
from configs.scorer_kinds import EmbeddingHeadFile
from configs.settings import Settings
from labeling.bulk import Engine, Foreman, Order, Register, order_of
from labeling.policies import Policies, Policy, read_policies
from labeling.readers import ColumnMap
from labeling.scorebook import LakeScorer
from labeling.sources import Shard, list_shards, refuse_secret
from labeling.store.interfaces import ITEMS
from labeling.store.sink import LanceSink
from scoring.calibrated import calibrated
from scoring.calibration import CalibrationMap, Calibrator
from scoring.finetuned import Finetuned
from scoring.head import Head

# Both engines report their use to their makers by default. Whoever wants that sets the variable otherwise.
TELEMETRY_OFF = {"RAY_USAGE_STATS_ENABLED": "0", "DAFT_ANALYTICS_ENABLED": "0", "DO_NOT_TRACK": "1"}
QUIET = {"DAFT_PROGRESS_BAR": "0"}
NOT_FOR_WORKERS = {
    "ledger_url",
    "jobs_url",
    "studio_token",
    "studio_webhook_secret",
    "ml_backend_user",
    "ml_backend_password",
}
PATHS = ("data_dir", "lake_uri", "policies_dir", "encoder")


Used = tuple[Head | None, Calibrator | None, Finetuned | None]  # what the deployment's own scorer is made of


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a worker makes the run's scorer: plain settings without secrets, the ``policies`` in force (None: those of
    its files), and the head where there is one (its figures, because a head made on another machine may differ in the
    last bits) with its calibration, and the folder of a fine-tuned champion. Paths must lead to the same files on every
    machine."""

    settings: dict[str, Any]
    policies: dict[str, Any] | None = None
    head: dict[str, Any] | None = None
    calibration: dict[str, Any] | None = None
    finetuned: str | None = None

    def as_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Recipe:
        return cls(**json.loads(text))

    def build(self) -> LakeScorer:
        """The scorer, as ``api.scorers`` makes it for these settings. Raises SettingsError, ScoringError."""
        settings, models, head, maps = Settings(**self.settings), lazy_scorers.models(), self.head, self.calibration
        told = self.policies
        policies = (
            read_policies(settings.policies_dir)
            if told is None
            else {policy_id: Policy.model_validate(text) for policy_id, text in told.items()}
        )
        if head is None:
            return models.build_scorer(settings, policies, _no_head)

        def own() -> LakeScorer:
            raw = models.build_head_scorer(models.build_encoder(settings), _head_from(head))
            if self.finetuned is not None:
                raw = models.build_finetuned(settings, Finetuned.load(Path(self.finetuned)), raw)
            return raw if maps is None else calibrated(raw, _calibrator_from(maps))

        if isinstance(read_scorer(settings.scorer), EmbeddingHeadFile):
            return own()
        return models.build_scorer(settings, policies, own)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would do. ``shards`` are all of the source's, ``finished`` the keys of those that are done."""

    order: Order
    recipe: Recipe
    shards: list[Shard]
    finished: set[str]


class Cluster(Protocol):
    """What ``api.cluster`` offers."""

    def engine(
        self, order: Order, recipe: Recipe, *, workers: int, gpus: int, ray_address: str | None
    ) -> AbstractContextManager[Engine]: ...


def make_plan(goldfold: Goldfold, settings: Settings, source: str | None, sink: str | None, columns: ColumnMap) -> Plan:
    """List the source (default: the items of the sink) and load the scorer once, to know its version. ``settings`` are
    the workers'. Raises InvalidInput, StoreError, SettingsError, ScoringError."""
    allow_plain_http()
    refuse_secret("sink", sink or goldfold.settings.lake_uri)
    target = LanceSink(sink or goldfold.settings.lake_uri)
    items = f"{target.root}/{ITEMS}.lance"
    wanted = items if source is None else source
    shards = list_shards(wanted)
    scorer, used = _scorer(goldfold)
    order = order_of(
        scorer, target.root, columns, settings.max_text_chars, sorted(goldfold.policies), own=_place(wanted) == items
    )
    return Plan(order, make_recipe(settings, *used, policies=goldfold.policies), shards, target.finished(order.run))


def make_recipe(
    settings: Settings,
    head: Head | None = None,
    calibrator: Calibrator | None = None,
    finetuned: Finetuned | None = None,
    policies: Policies | None = None,
) -> Recipe:
    """What a worker needs to make the scorer of these settings by itself."""
    plain = settings.model_dump(mode="json", exclude=NOT_FOR_WORKERS)
    for name in PATHS:
        if Path(plain[name]).exists():
            plain[name] = str(Path(plain[name]).resolve())  # a worker may stand in another folder
    if settings.scorer not in packaged_scorers():
        plain["scorer"] = str(scorer_path(settings.scorer).resolve())
    return Recipe(
        plain,
        None if policies is None else {name: policy.model_dump(mode="json") for name, policy in policies.items()},
        None if head is None else _head_json(head),
        None if calibrator is None else _calibrator_json(calibrator),
        None if finetuned is None else str(finetuned.folder.resolve()),
    )


def _scorer(goldfold: Goldfold) -> tuple[LakeScorer, Used]:
    """The full scorer of the next round, and the deployment's own head, with its calibration, if it is, or has a part,
    that uses it."""
    champion = goldfold.ledger.models.champion()
    used: list[Used] = []

    def own() -> LakeScorer:
        head, tuned = goldfold.head(champion), goldfold.finetuned(champion)
        used.append((head, goldfold.calibrator(champion, head.policies), tuned))
        scorer: LakeScorer = lazy_scorers.models().build_head_scorer(goldfold.encoder, head)
        if tuned is not None:
            scorer = lazy_scorers.models().build_finetuned(goldfold.settings, tuned, scorer)
        return goldfold.calibrated(scorer, champion)

    if goldfold.learns:
        return own(), used[-1]
    made = lazy_scorers.models().build_scorer(goldfold.settings, goldfold.policies, own)
    return made, next(iter(used), (None, None, None))


def _no_head() -> LakeScorer:
    raise SettingsError("scorer: a part of it uses the deployment's own head, which the leader of the run did not")


def foreman(goldfold: Goldfold, plan: Plan) -> Foreman:
    """The one that commits; it registers the items when the sink is the lake that the settings name."""
    sink = LanceSink(plan.order.sink)
    known = Register(goldfold.ledger.items, goldfold.settings.data_dir / "ingest.lock")
    return Foreman(sink, plan.order, known if sink.root == goldfold.lake.root else None)


def load_cluster() -> Cluster:
    """The engines' module. Their telemetry is off, unless the environment says otherwise. Raises NotReady when they
    are not installed."""
    for name, value in (TELEMETRY_OFF | QUIET).items():
        os.environ.setdefault(name, value)
    try:
        module: Cluster = import_module("api.cluster")
    except ModuleNotFoundError as error:
        if error.name not in ("daft", "ray"):
            raise
        raise NotReady(
            f"{error.name} is not installed; install goldfold[cluster] to score with --engine daft"
        ) from error
    return module


def allow_plain_http() -> None:
    """Lance refuses an endpoint without TLS unless told; an AWS_ENDPOINT_URL that says http:// tells it."""
    if os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://"):
        os.environ.setdefault("AWS_ALLOW_HTTP", "true")


def _place(source: str) -> str:
    return source.rstrip("/") if "://" in source else str(Path(source).resolve())


def _head_json(head: Head) -> dict[str, Any]:
    arrays = {name: getattr(head, name) for name in ("weights", "bias", "platt")}
    packed = {
        name: [list(array.shape), base64.b64encode(array.astype("<f4").tobytes()).decode()]
        for name, array in arrays.items()
    }
    return {
        "policies": head.policies,
        "sources": head.sources,
        "encoder_version": head.encoder_version,
        "arrays": packed,
    }


def _calibrator_json(calibrator: Calibrator) -> dict[str, Any]:
    """Plain numbers: JSON has every digit of a float."""
    return {
        "policies": calibrator.policies,
        "model_version": calibrator.model_version,
        "maps": [[one.method, one.slope, one.offset, one.knots.tolist()] for one in calibrator.maps],
    }


def _calibrator_from(raw: dict[str, Any]) -> Calibrator:
    maps = [
        CalibrationMap(method, slope, offset, np.array(knots, np.float64).reshape(-1, 2))
        for method, slope, offset, knots in raw["maps"]
    ]
    return Calibrator(tuple(raw["policies"]), tuple(maps), raw["model_version"])


def _head_from(raw: dict[str, Any]) -> Head:
    arrays = {
        name: np.frombuffer(base64.b64decode(packed), "<f4").astype(np.float32).reshape(shape)
        for name, (shape, packed) in raw["arrays"].items()
    }
    return Head(tuple(raw["policies"]), **arrays, sources=tuple(raw["sources"]), encoder_version=raw["encoder_version"])
