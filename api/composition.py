"""The composition root: settings in, the rooms' objects out, built once per process and passed down."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from importlib import import_module
from pathlib import Path
from threading import Lock, RLock
from typing import Any, TypeVar

from api import image_models, lazy_scorers
from api.policies import PolicyShelf
from configs.scorer_files import judged_policies, read_scorer
from configs.scorer_kinds import EmbeddingHeadFile
from configs.settings import Settings
from labeling.agreements import Agreements, agreements
from labeling.artefacts import FINETUNED, Artefact, kind_of, load_artefact, load_head
from labeling.calibration import calibrate
from labeling.drift import drift, record_reference
from labeling.erasure import Places
from labeling.errors import Conflict, StoreError, StudioUnauthorized
from labeling.golden.near import Sources
from labeling.golden.partition import Groups, Shares
from labeling.golden.planner import GoldPlan, plan_gold
from labeling.golden.regroup import Regrouped, regroup
from labeling.golden.text import IMAGE
from labeling.golden.vectors import F32, LakeVectors
from labeling.judging.contender import Contender, of_model, of_prototypes
from labeling.judging.contest import Contest, hold
from labeling.judging.evaluate import ask_sealed, judge
from labeling.judging.gate import Terms
from labeling.judging.operating import operating_thresholds, under
from labeling.judging.promotion import champion_before, needs_gate, passing_gate, promote
from labeling.judging.sealed import Door
from labeling.judging.thresholds import Wanted, clear_threshold, set_threshold
from labeling.media import MediaReader
from labeling.media_scorer import MediaScorer
from labeling.model_records import Model, ModelState
from labeling.people import People, people
from labeling.pictures import LakePictures
from labeling.policies import Policies, Policy, read_policies
from labeling.round_images import ImageDesk, ImageFrame
from labeling.scorebook import LakeScorer, embedding_group
from labeling.store.lake import LanceLake
from labeling.store.ledger import SqlLedger, open_ledger
from labeling.studio.client import StudioClient
from labeling.studio.links import Links
from labeling.studio.transport import Way
from labeling.suspects import Suspects, keep, suspects
from labeling.training import calibration_version, evaluate_model, load_calibrator, newest_version
from scoring.base import Scorer
from scoring.calibrated import calibrated
from scoring.calibration import Calibrator
from scoring.embeddings import Encoder
from scoring.finetuned import Finetuned
from scoring.head import Head, completed

EXACT = 1.0  # the cosine of equal embeddings, for a deployment that collapses nothing else
NO_SHARE = ("train", "calibration", "dev", "sealed", "anchor")  # a partition without a share gets nothing


class Goldfold:
    """What one process works with, for all its threads. Models and the Label Studio client are made when first asked
    for. Raises StoreError, PolicyError when it cannot be opened. ``register``: policies that the ledger does not know
    are published as new."""

    def __init__(self, settings: Settings, *, register: bool = True) -> None:
        self.settings = settings
        read_policies(settings.policies_dir)  # what is wrong with a file is told before anything is made
        try:
            # its owner's alone: it holds content, people's addresses and sealed answers
            settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"data_dir: {settings.data_dir} cannot be made ({error.strerror})") from error
        self.ledger: SqlLedger = open_ledger(settings.ledger_url)
        try:
            self.shelf = PolicyShelf(self.ledger.policies, settings.policies_dir, register=register)
            self.lake = LanceLake(settings.lake_uri)
        except BaseException:
            self.ledger.close()
            raise
        self._lock = RLock()  # one for all models: with one each, two threads could wait for each other
        self._studio_lock = Lock()  # nobody waits for a model to talk to Label Studio
        self._studio: StudioClient | None = None
        self._encoder: Encoder | None = None
        self._prototypes: tuple[int, Head] | None = None  # with the mark of the policies that they are made from
        self._scorers: dict[str, LakeScorer] = {}
        self._cascades: dict[tuple[object, ...], LakeScorer] = {}
        self._media: MediaReader | None = None
        self._media_scorers: dict[str, tuple[str, MediaScorer]] = {}  # with what they are made of
        self._seeing: tuple[str, MediaScorer] | None = None  # the image scorer under its champion, likewise

    @property
    def policies(self) -> Policies:
        """The policies in force: of each that has a file and is not retired the newest published version."""
        return self.shelf.shelf.now

    def policy(self, policy_id: str, version: str) -> Policy:
        """A policy as it was published under a version. Raises NotFound."""
        return self.shelf.policy(policy_id, version)

    @property
    def jobs_url(self) -> str:
        return self.settings.jobs_url

    @property
    def models_dir(self) -> Path:
        return self.settings.data_dir / "models"

    @property
    def training_dir(self) -> Path:
        """What fine-tunings resume from, and their TensorBoard logs, by model id."""
        return self.settings.data_dir / "training"

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
    def answers_path(self) -> Path:
        """What remote judges answered, which was paid for."""
        return self.settings.data_dir / "answers.db"

    @property
    def places(self) -> Places:
        """Where content lies outside lake and ledger, for an erasure."""
        return Places(self.cache_dir, self.golden_dir, self.settings.media_dir, self.answers_path)

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
                self._encoder = lazy_scorers.models().build_encoder(self.settings)
            return self._encoder

    @property
    def prototypes(self) -> Head:
        """The head of the cold start: what the policies' own texts say."""
        with self._lock:
            shelf = self.shelf.shelf
            if self._prototypes is None or self._prototypes[0] != shelf.mark:
                self._prototypes = (shelf.mark, lazy_scorers.models().build_prototypes(self.encoder, shelf.now))
            return self._prototypes[1]

    def head(self, champion: Model | None) -> Head:
        """The champion's head, or the prototypes while there is none, or beside a champion that is a fine-tuned
        classifier; policies the champion never saw keep theirs."""
        head = None if champion is None else load_artefact(champion)
        if not isinstance(head, Head):
            return self.prototypes
        return head if head.policies == self.prototypes.policies else completed(head, self.prototypes)

    def finetuned(self, champion: Model | None) -> Finetuned | None:
        """The champion's classifier; None where it is a head, or nobody."""
        found = None if champion is None or kind_of(champion) != FINETUNED else load_artefact(champion)
        return found if isinstance(found, Finetuned) else None

    def scorer(self, pinned: str | None = None) -> LakeScorer:
        """The scorer of the next round, a cascade where the setting asks for one. Built anew when another model was
        promoted, the champion calibrated, or another cascade fitted. ``pinned``: as ``champion`` has it."""
        full = self.full_scorer(pinned)
        if self.settings.cascade is None:
            return full
        policies = self.operating(pinned)
        taus = tuple(policy.threshold for policy in policies.values())
        folders = sorted(folder.name for folder in self.models_dir.glob("cascade-*"))
        key = (full.version, taus, self.shelf.shelf.mark, *folders)
        with self._lock:
            if key not in self._cascades:
                made = lazy_scorers.models().build_cascade(full, self.settings, policies, self.models_dir)
                self._cascades = _newest(self._cascades, key, made)
            return self._cascades[key]

    def full_scorer(self, pinned: str | None = None) -> LakeScorer:
        """The scorer without a cascade before it."""
        return self.scorer_of(self.champion(pinned))

    def champion(self, pinned: str | None = None) -> Model | None:
        """The champion of now, or the one that a job began with: ``pinned``, its id, or "" where there was none."""
        if pinned is None:
            return self.ledger.models.champion()
        return self.ledger.models.get(pinned) if pinned else None

    def champion_id(self) -> str:
        """The id of the champion of now, "" while there is none: what a job that begins is pinned to."""
        champion = self.ledger.models.champion()
        return "" if champion is None else champion.model_id

    def operating(self, pinned: str | None = None) -> Policies:
        """The policies, with the thresholds that the champion operates at."""
        return under(self.champion(pinned) if self.learns else None, self.policies)

    def scorer_of(self, champion: Model | None) -> LakeScorer:
        """The scorer under a champion, without a cascade; only the last two that were asked for are kept: the one of
        now, and the one that a job began with."""
        with self._lock:
            key = self._key(champion)
            if key not in self._scorers:
                self._scorers = _newest(self._scorers, key, self._build_scorer(champion))
            return self._scorers[key]

    def own_scorer(self, champion: Model | None) -> LakeScorer:
        """The deployment's encoder under a champion, whatever scorer the settings name."""
        return self._own(champion)

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
        """The scorer of images, with the head of their champion on it, or of videos; None where the settings name none.
        One that a champion's head is in is built anew as ``scorer`` is. Raises InvalidInput (media_dir, media_hosts),
        SettingsError, ScoringError."""
        with self._lock:
            made = self.bare_media_scorer(modality)
            champion = self.ledger.models.champion(IMAGE) if modality == IMAGE and made is not None else None
            if made is None or champion is None:
                return made
            key = f"{made.version} {image_models.champion_key(champion)}"
            if self._seeing is None or self._seeing[0] != key:
                self._seeing = (key, image_models.headed(made, champion))
            return self._seeing[1]

    def bare_media_scorer(self, modality: str) -> MediaScorer | None:
        """The same without a champion of images on it, which may be for another scorer than the settings name now."""
        named = {"image": self.settings.image_scorer, "video": self.settings.video_scorer}[modality]
        if named is None:
            return None
        champion, used = self.ledger.models.champion(), self._policies_key

        def own() -> LakeScorer:
            nonlocal used
            used = self._key(champion)
            return self._own(champion)

        with self._lock:
            kept, made = self._media_scorers.get(modality, (self._policies_key, None))
            if made is None or kept not in (self._policies_key, self._key(champion)):
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

    @property
    def links(self) -> Links | None:
        """What gives images in Label Studio their links; None where the settings have no secret to sign them with."""
        given, secret = self.settings, self.settings.media_link_secret.get_secret_value()
        return Links(given.public_url, secret, timedelta(hours=given.task_link_hours)) if secret else None

    def image_frame(self) -> ImageFrame:
        """Under which policies a round may ask about images, told without loading a model. Raises SettingsError."""
        named, missing = self.settings.image_scorer, self._missing()
        if missing or named is None:
            return ImageFrame(missing=missing)
        champion = self.ledger.models.champion(IMAGE)
        judged = judged_policies(named, self.policies, reads="image")
        judged |= frozenset() if champion is None else frozenset(load_head(champion).policies) & self.policies.keys()
        return ImageFrame(judged, "", *image_models.operating(self))

    def image_desk(self) -> ImageDesk:
        """What a round needs to ask about images. Raises SettingsError, ScoringError, InvalidInput."""
        missing = self._missing()
        if missing:
            return ImageDesk(missing=missing)
        return ImageDesk(self.media_scorer("image"), self.media.read, "")

    def _missing(self) -> str:
        """The setting without which nobody is asked about images, as a cure; "" where none is missing."""
        if self.links is None:
            return "set media_link_secret, with which their links are signed (openssl rand -hex 32)"
        return "" if self.settings.image_scorer else "set image_scorer, and run the score job (goldfold score)"

    def image_vectors(self, item_ids: Sequence[str]) -> dict[str, F32]:
        """Embeddings of images by the image scorer; none where there is no such scorer."""
        scorer = self.media_scorer("image") if self.settings.image_scorer else None
        return {} if scorer is None else LakeVectors(self.lake, embedding_group(scorer))(item_ids)

    def vectors(self) -> LakeVectors:
        """Embeddings of the current scorer, by item; a cascade has those of the full scorer."""
        return LakeVectors(self.lake, embedding_group(self.full_scorer()))

    @property
    def duplicate_cosine(self) -> float:
        """From which cosine two golden items share a group."""
        return self.settings.duplicate_cosine or EXACT

    def regroup(self) -> Regrouped:
        """Merge the golden set's groups that near-duplicates join by now."""
        return regroup(self.ledger.golden, Sources.at(self.duplicate_cosine, self.vectors(), LakePictures(self.lake)))

    def groups(self) -> Groups:
        """The golden set's near-duplicate groups as they are now."""
        return Groups(
            self.ledger.golden.items(),
            self.vectors(),
            cosine=self.duplicate_cosine,
            shares=self._shares(),
            pictures=LakePictures(self.lake),
        )

    def _shares(self) -> Shares:
        return Shares(**dict.fromkeys(NO_SHARE, 0.0) | dict(self.settings.partitions))

    def gold_plan(self, partition: str, share: float, half_width: float) -> GoldPlan:
        """What the golden set has and needs, stratum by stratum."""
        stores = (self.ledger.golden, self.ledger.rounds)
        return plan_gold(
            stores, self.lake, self.policies, self._shares(), partition=partition, share=share, half_width=half_width
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
            reader=self.reader,
        )
        return judged.as_dict()

    def report(
        self, model_id: str, actor: str, golden_version: str = "", fields: Sequence[str] = (), *, sealed: bool = False
    ) -> dict[str, Any]:
        """Everything that golden items say of a model: what ``evaluate`` says and keeps, and its ``slices`` and
        ``series``. ``sealed``: of the sealed partition, through its door: slices alone, without cuts of one's own."""
        model = self.ledger.models.get(model_id)
        version = golden_version or model.golden_version
        contender = self.contender(model)
        if sealed:
            return ask_sealed(self.ledger, self.lake, contender, version, fields, self.door(actor))
        return self.evaluate(model_id, version) | judge(self.ledger.golden, self.lake, contender, version, fields)

    def judge_contender(
        self,
        contender: Contender,
        actor: str,
        golden_version: str = "",
        fields: Sequence[str] = (),
        *,
        sealed: bool = False,
    ) -> dict[str, Any]:
        """The same of somebody else, on the newest golden version where none is named; nothing is kept of it but what
        the sealed partition was asked."""
        version = golden_version or newest_version(self.ledger.golden)
        if sealed:
            return ask_sealed(self.ledger, self.lake, contender, version, fields, self.door(actor))
        told = judge(self.ledger.golden, self.lake, contender, version, fields)
        return {"golden_version": version, "model": contender.about(), **told}

    def reader(self, artefact: Artefact) -> Scorer:
        """What reads texts with a model, for the model's own policies."""
        if isinstance(artefact, Finetuned):
            return lazy_scorers.models().build_classifier(self.settings, artefact)
        return lazy_scorers.models().build_head_scorer(self.encoder, artefact)

    def calibrate(self, model_id: str, actor: str, **how: Any) -> dict[str, Any]:
        """Calibrate a model; ``how`` as ``labeling.calibration.calibrate`` takes it."""
        duplicate_cosine = self.duplicate_cosine
        given = {"actor": actor, "duplicate_cosine": duplicate_cosine, "reader": self.reader, **how}
        made = calibrate(self.ledger, self.lake, self.policies, model_id, **given)
        return made.as_dict()

    def drift(self, model_id: str | None = None, since: datetime | None = None) -> dict[str, Any]:
        """How far a model's scores have moved since it was promoted (default: the champion's)."""
        return drift(self.ledger, self.lake, model_id, since, lambda model: self.scorer(model.model_id)).as_dict()

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

    def gate(self, challenger: str, actor: str, champion: str = "", golden_version: str = "") -> dict[str, Any]:
        """Rule on a model against the champion (or another model, or the prototypes) on the sealed partition of the
        newest golden version (or another). The verdict stands in the ledger; a candidate is a challenger from then on.
        """
        model = self.ledger.models.get(challenger)
        rival = self.champion_contender(champion, model.modality)
        told = self.gate_contender(self.contender(model), actor, rival, golden_version)
        if model.state is ModelState.CANDIDATE:
            self.ledger.models.move(challenger, ModelState.CHALLENGER, actor, f"met the gate {told['gate_id']}")
        return told

    def gate_contender(
        self, challenger: Contender, actor: str, champion: Contender, golden_version: str = ""
    ) -> dict[str, Any]:
        """The same of anybody against anybody; the verdict stands in the ledger, and moves no model."""
        contest = Contest(
            challenger=challenger,
            champion=champion,
            golden_version=golden_version or newest_version(self.ledger.golden),
            terms=self._terms(),
            secret=self.settings.gate_secret.get_secret_value(),
        )
        return hold(self.ledger, contest, self.door(actor))

    def champion_contender(self, model_id: str = "", modality: str = "text") -> Contender:
        """The model of that id, or the champion of a modality, or what scores that while there is none."""
        models = self.ledger.models
        return self.contender(models.get(model_id) if model_id else models.champion(modality), modality)

    def _terms(self) -> Terms:
        margins = {int(severity): margin for severity, margin in self.settings.gate_margins.items()}
        severities = {name: policy.severity for name, policy in self.policies.items()}
        return Terms(margins, severities, self.settings.sealed_min_cell)

    def door(self, actor: str) -> Door:
        """The one way to sealed answers."""
        return Door(self.ledger, self.settings.sealed_budget, self.settings.sealed_min_cell, actor)

    def contender(self, model: Model | None, modality: str = "text") -> Contender:
        """A model as it would score; or what scores a modality while there is no champion: the prototypes, or the image
        scorer."""
        if model is None and modality == IMAGE:
            return image_models.rival(self)
        if model is None:
            return of_prototypes(self.lake, self.policies, self.prototypes, self.reader)
        return of_model(
            self.ledger, self.lake, self.policies, model, self.duplicate_cosine, self.reader, self.prototypes
        )

    def threshold(
        self, model_id: str, policy_id: str, wanted: Wanted | None, actor: str, golden_version: str = "", **how: bool
    ) -> dict[str, Any]:
        """Set where a model draws the line for a policy, or (None) take it back; ``how`` may say ``dry_run``."""
        model = self.ledger.models.get(model_id)
        if wanted is None:
            clear_threshold(self.ledger, model_id, policy_id, actor, **how)
            return {"threshold": operating_thresholds(None, self.policies).get(policy_id), "rule": "policy"}
        version = golden_version or model.golden_version
        contender = self.contender(model)
        return set_threshold(self.ledger, contender, policy_id, wanted, golden_version=version, actor=actor, **how)

    def promote(self, model_id: str, actor: str, without_gate: str | None = None, *, rescore: str = "") -> Model:
        """Make a model the scorer of the next round, and what the lake holds now the window that drift is told
        against. ``without_gate``: the reason to do so without a passing gate; None: with one, where the setting
        gate_needed asks for it. ``rescore``: the id of the job that scores all with it (``api.jobs.rescoring``); "":
        none. A no-op for the champion. Raises NotGated, and Conflict while the scorer has no head of
        ours: a promoted one would change nothing."""
        model = self.ledger.models.get(model_id)
        champion = self.ledger.models.champion(model.modality)
        self._check_learns(model)
        record_reference(self.ledger, self.lake, model_id)
        gate_id = ""
        is_new = champion is None or champion.model_id != model_id
        if is_new and needs_gate(self.ledger, self.settings.gate_needed, without_gate, model.modality):
            secret = self.settings.gate_secret.get_secret_value()
            rival = self.contender(champion, model.modality)
            gate_id = passing_gate(self.ledger, self.contender(model), rival, self._terms(), secret)
        return promote(self.ledger, model_id, actor, gate_id=gate_id, reason=without_gate or "", rescore=rescore)

    def rollback(self, actor: str, reason: str = "", modality: str = "text", *, rescore: str = "") -> Model:
        """Bring back the champion of a modality before this one. ``rescore``: as ``promote`` has it. Raises NothingToDo
        when there is none, and Conflict as ``promote`` does."""
        before = champion_before(self.ledger.models, modality)
        if before is not None or modality != IMAGE:
            self._check_learns(None if before is None else self.ledger.models.get(before))
        if before is not None:  # its window starts anew; and its files are looked at before it is crowned
            record_reference(self.ledger, self.lake, before)
        return self.ledger.models.rollback(actor, reason, modality, rescore=rescore)

    def _check_learns(self, model: Model | None) -> None:
        if model is not None and model.modality == IMAGE:
            image_models.check_promotable(self, model)
        elif not self.learns:
            raise Conflict(
                f"the setting scorer is {self.settings.scorer}, so no trained head scores: set it to embedding-head"
            )

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
        return lazy_scorers.models().build_scorer(self.settings, self.policies, lambda: self._own(champion))

    def _own(self, champion: Model | None) -> LakeScorer:
        scorer: LakeScorer = lazy_scorers.models().build_head_scorer(self.encoder, self.head(champion))
        tuned = self.finetuned(champion)
        if tuned is not None:
            scorer = lazy_scorers.models().build_finetuned(self.settings, tuned, scorer)
        return self.calibrated(scorer, champion)

    @property
    def _policies_key(self) -> str:
        """Names what a scorer is made of that the champion's head is not in, beside the settings."""
        return f"policies {self.shelf.shelf.mark}"

    def _key(self, champion: Model | None) -> str:
        """Names what the deployment's own scorer is made of, beside the settings."""
        head = f"{champion.version} {calibration_version(champion)}" if champion else "cold"
        return f"{head} {self._policies_key}"

    @cached_property
    def learns(self) -> bool:
        """Whether the scorer is the deployment's own, which training can replace."""
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


K = TypeVar("K")
V = TypeVar("V")


def _newest(kept: dict[K, V], key: K, value: V) -> dict[K, V]:
    """The one kept last, and this one."""
    return dict([*kept.items()][-1:]) | {key: value}
