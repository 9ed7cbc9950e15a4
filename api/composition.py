"""The composition root: settings in, the rooms' objects out, built once per process and passed down."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cached_property
from importlib import import_module
from pathlib import Path
from threading import Lock, RLock
from typing import Any, Protocol

from configs.scorer_files import judged_policies, read_scorer
from configs.scorer_kinds import EmbeddingHeadFile
from configs.settings import Settings
from labeling.agreements import Agreements, agreements
from labeling.calibration import calibrate
from labeling.drift import drift, record_reference
from labeling.erasure import Places
from labeling.errors import Conflict, StoreError, StudioUnauthorized
from labeling.golden.partition import Groups, Shares
from labeling.golden.vectors import LakeVectors
from labeling.media import MediaReader
from labeling.media_scorer import MediaScorer
from labeling.people import People, people
from labeling.policies import Policies, read_policies
from labeling.records import Model
from labeling.scorebook import LakeScorer, embedding_group
from labeling.store.lake import LanceLake
from labeling.store.ledger import SqlLedger, open_ledger
from labeling.studio.client import StudioClient
from labeling.studio.transport import Way
from labeling.suspects import Suspects, keep, suspects
from labeling.training import calibration_version, evaluate_model, load_calibrator, load_head, promote
from scoring.calibrated import calibrated
from scoring.calibration import Calibrator
from scoring.embeddings import Encoder
from scoring.head import Head, completed

EXACT = 1.0  # the cosine of equal embeddings, for a deployment that collapses nothing else
NO_SHARE = ("train", "calibration", "dev", "sealed", "anchor")  # a partition without a share gets nothing


class Goldfold:
    """What one process works with, for all its threads. Models and the Label Studio client are made when first asked
    for. Raises StoreError, PolicyError when it cannot be opened."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.policies = read_policies(settings.policies_dir)
        try:
            # its owner's alone: it holds content, people's addresses and sealed answers
            settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"data_dir: {settings.data_dir} cannot be made ({error.strerror})") from error
        self.ledger: SqlLedger = open_ledger(settings.ledger_url)
        try:
            self.lake = LanceLake(settings.lake_uri)
        except BaseException:
            self.ledger.close()
            raise
        self._lock = RLock()  # one for all models: with one each, two threads could wait for each other
        self._studio_lock = Lock()  # nobody waits for a model to talk to Label Studio
        self._studio: StudioClient | None = None
        self._encoder: Encoder | None = None
        self._prototypes: Head | None = None
        self._scorers: dict[str, LakeScorer] = {}
        self._cascades: dict[tuple[str, ...], LakeScorer] = {}
        self._media: MediaReader | None = None
        self._media_scorers: dict[str, tuple[str, MediaScorer]] = {}  # with the head in it, "" where there is none

    @property
    def jobs_url(self) -> str:
        return self.settings.jobs_url

    @property
    def models_dir(self) -> Path:
        return self.settings.data_dir / "models"

    @property
    def golden_dir(self) -> Path:
        return self.settings.data_dir / "golden"

    @property
    def cache_dir(self) -> Path:
        """What can be made anew: it may be deleted at any time."""
        return self.settings.data_dir / "cache"

    @property
    def exports_dir(self) -> Path:
        return self.settings.data_dir / "exports"

    @property
    def places(self) -> Places:
        """Where content lies outside lake and ledger, for an erasure."""
        return Places(self.cache_dir, self.golden_dir, self.settings.media_dir)

    @property
    def studio(self) -> StudioClient:
        """The client of Label Studio. Raises StudioUnauthorized when no token is set."""
        with self._studio_lock:
            if self._studio is None:
                self._studio = self._open_studio()
            return self._studio

    def studio_version(self) -> str:
        """Label Studio's version; raises what the client raises when it does not answer or take the token."""
        self.studio.whoami()  # the version is told to anybody
        return self.studio.version()

    @property
    def encoder(self) -> Encoder:
        """The sentence encoder. Raises ScoringError."""
        with self._lock:
            if self._encoder is None:
                self._encoder = models().build_encoder(self.settings)
            return self._encoder

    @property
    def prototypes(self) -> Head:
        """The head of the cold start: what the policies' own texts say."""
        with self._lock:
            if self._prototypes is None:
                self._prototypes = models().build_prototypes(self.encoder, self.policies)
            return self._prototypes

    def head(self, champion: Model | None) -> Head:
        """The champion's head, or the prototypes while there is none; policies the champion never saw keep theirs."""
        if champion is None:
            return self.prototypes
        head = load_head(champion)
        return head if head.policies == self.prototypes.policies else completed(head, self.prototypes)

    def scorer(self) -> LakeScorer:
        """The scorer of the next round, a cascade where the setting asks for one. Built anew when another model was
        promoted, the champion calibrated, or another cascade fitted."""
        full = self.full_scorer()
        if self.settings.cascade is None:
            return full
        key = (full.version, *sorted(folder.name for folder in self.models_dir.glob("cascade-*")))
        with self._lock:
            if key not in self._cascades:
                self._cascades = {key: models().build_cascade(full, self.settings, self.policies, self.models_dir)}
            return self._cascades[key]

    def full_scorer(self) -> LakeScorer:
        """The scorer without a cascade before it."""
        return self.scorer_of(self.ledger.models.champion())

    def scorer_of(self, champion: Model | None) -> LakeScorer:
        """The scorer under a champion, without a cascade; only the last one that was asked for is kept."""
        key = _key(champion)
        with self._lock:
            if key not in self._scorers:
                self._scorers = {key: self._build_scorer(champion)}
            return self._scorers[key]

    def calibrated(self, scorer: LakeScorer, champion: Model | None) -> LakeScorer:
        """``scorer``, which the champion's head is in, under the champion's calibration if one is in force."""
        calibrator = self.calibrator(champion, scorer.policies)
        return scorer if calibrator is None else calibrated(scorer, calibrator)

    def calibrator(self, champion: Model | None, policies: Sequence[str]) -> Calibrator | None:
        """The champion's calibration of these policies; None where none is in force or it changes nothing."""
        found = load_calibrator(champion) if champion is not None else None
        limited = found.limited(policies) if found is not None else None
        return None if limited is None or limited.is_identity else limited

    def media_scorer(self, modality: str) -> MediaScorer | None:
        """The scorer of images, or of videos; None where the settings name none. One that the champion's head is in is
        built anew as ``scorer`` is. Raises InvalidInput (media_dir, media_hosts), SettingsError, ScoringError."""
        named = {"image": self.settings.image_scorer, "video": self.settings.video_scorer}[modality]
        if named is None:
            return None
        champion, used = self.ledger.models.champion(), ""

        def own() -> LakeScorer:
            nonlocal used
            used = _key(champion)
            return self._own(champion)

        with self._lock:
            kept, made = self._media_scorers.get(modality, ("", None))
            if made is None or kept not in ("", _key(champion)):
                build = import_module("api.media_scorers").build_items_scorer
                made = build(modality, named, self.settings, self.policies, own, self.media)
                self._media_scorers[modality] = (used, made)
            return made

    @property
    def media(self) -> MediaReader:
        """What reads the media of items. Raises InvalidInput (media_dir, media_hosts)."""
        with self._lock:
            if self._media is None:
                given = self.settings
                self._media = MediaReader(
                    given.media_dir, given.media_hosts, given.media_max_bytes, given.media_timeout_s
                )
            return self._media

    def vectors(self) -> LakeVectors:
        """Embeddings of the current scorer, by item; a cascade has those of the full scorer."""
        return LakeVectors(self.lake, embedding_group(self.full_scorer()))

    @property
    def duplicate_cosine(self) -> float:
        """From which cosine two golden items share a group."""
        return self.settings.duplicate_cosine or EXACT

    def groups(self) -> Groups:
        """The golden set's near-duplicate groups as they are now."""
        return Groups(
            self.ledger.golden.items(),
            self.vectors(),
            cosine=self.duplicate_cosine,
            shares=Shares(**dict.fromkeys(NO_SHARE, 0.0) | dict(self.settings.partitions)),
        )

    def evaluate(self, model_id: str, golden_version: str | None = None) -> dict[str, Any]:
        """Judge a model on a version's dev partition (default: of the version it was trained on)."""
        judged = evaluate_model(
            self.ledger,
            self.lake,
            self.policies,
            model_id,
            golden_version,
            duplicate_cosine=self.duplicate_cosine,
            reader=lambda head: models().build_head_scorer(self.encoder, head),
        )
        return judged.as_dict()

    def calibrate(self, model_id: str, actor: str, **how: Any) -> dict[str, Any]:
        """Calibrate a model; ``how`` as ``labeling.calibration.calibrate`` takes it."""
        duplicate_cosine = self.duplicate_cosine
        made = calibrate(
            self.ledger, self.lake, self.policies, model_id, actor=actor, duplicate_cosine=duplicate_cosine, **how
        )
        return made.as_dict()

    def drift(self, model_id: str | None = None, since: datetime | None = None) -> dict[str, Any]:
        """How far a model's scores have moved since it was promoted (default: the champion's)."""
        return drift(self.ledger, self.lake, model_id, since).as_dict()

    def people(self) -> People:
        """How good each person's blind answers are."""
        return people(self.ledger, self.lake)

    def agreements(self, *, consensus: bool = False) -> Agreements:
        """How far people agree; ``consensus`` also chooses an aggregator for each policy."""
        return agreements(self.ledger, self.lake, consensus=consensus)

    def suspects(self, limit: int) -> Suspects:
        """The ``limit`` most suspect labels of each policy; what was found is kept for the service to tell."""
        version = self.prototypes.encoder_version
        found = suspects(self.ledger.golden, self.lake, version, sorted(self.policies), limit=limit)
        keep(found, self.cache_dir, datetime.now(UTC).isoformat())
        return found

    def promote(self, model_id: str, actor: str) -> Model:
        """Make a model the scorer of the next round, and what the lake holds now the window that drift is told
        against. Raises Conflict while the scorer has no head of ours: a promoted one would change nothing."""
        if not self.learns:
            raise Conflict(
                f"the setting scorer is {self.settings.scorer}, so no trained head scores: set it to embedding-head"
            )
        record_reference(self.ledger, self.lake, model_id)
        return promote(self.ledger, model_id, actor)

    def close(self) -> None:
        """Close what was opened; doing so twice changes nothing."""
        self.ledger.close()
        if self._media is not None:
            self._media.close()
        with self._studio_lock:
            if self._studio is not None:
                self._studio.close()

    def _build_scorer(self, champion: Model | None) -> LakeScorer:
        if self.learns:
            return self._own(champion)
        return models().build_scorer(self.settings, self.policies, lambda: self._own(champion))

    def _own(self, champion: Model | None) -> LakeScorer:
        return self.calibrated(models().build_head_scorer(self.encoder, self.head(champion)), champion)

    @cached_property
    def learns(self) -> bool:
        """Whether the scorer is the encoder with a head, which training can replace."""
        return isinstance(read_scorer(self.settings.scorer), EmbeddingHeadFile)

    def judged(self) -> frozenset[str]:
        """The policies that the scorer judges, told without loading a model. Raises SettingsError when a label of the
        scorer file means a policy that is not there, or it reads no texts."""
        return judged_policies(self.settings.scorer, self.policies, reads="text")

    def _open_studio(self) -> StudioClient:
        token = self.settings.studio_token.get_secret_value()
        if not token:
            raise StudioUnauthorized(
                "studio_token is not set: give Goldfold's account token (GOLDFOLD_STUDIO_TOKEN, or studio_token in the "
                "settings file), found in Label Studio under Account & Settings"
            )
        return StudioClient(
            self.settings.studio_url,
            token,
            self.settings.studio_timeout_s,
            settle_s=self.settings.studio_settle_s,
            way=way(self.settings),
        )


def way(settings: Settings) -> Way:
    """How Label Studio is reached."""
    return Way(settings.studio_ca_file, settings.studio_proxy.get_secret_value())


def _key(champion: Model | None) -> str:
    """Names what the deployment's own scorer is made of, beside the settings."""
    return f"{champion.version} {calibration_version(champion)}" if champion else "cold"


class Models(Protocol):
    """What ``api.scorers`` offers."""

    def build_encoder(self, settings: Settings) -> Encoder: ...
    def build_prototypes(self, encoder: Encoder, policies: Policies) -> Head: ...
    def build_head_scorer(self, encoder: Encoder, head: Head) -> LakeScorer: ...
    def build_scorer(self, settings: Settings, policies: Policies, own: Callable[[], LakeScorer]) -> LakeScorer: ...
    def build_cascade(self, full: LakeScorer, settings: Settings, policies: Policies, folder: Path) -> LakeScorer: ...
    def describe_device(self, name: str) -> str: ...
    def describe_model(self, settings: Settings, policies: Policies) -> str: ...


def models() -> Models:
    """``api.scorers``, imported when it is first needed: it brings torch, which takes seconds."""
    module: Models = import_module("api.scorers")
    return module
