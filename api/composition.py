"""The composition root: settings in, the rooms' objects out, built once per process and passed down."""

from __future__ import annotations

import os
from functools import cached_property
from importlib import import_module
from pathlib import Path
from threading import RLock
from typing import Protocol

from configs.settings import Settings
from labeling.errors import StudioUnauthorized
from labeling.golden.partition import Groups, Shares
from labeling.golden.vectors import LakeVectors
from labeling.policies import Policies, read_policies
from labeling.scorebook import LakeScorer, embedding_group
from labeling.store.lake import LanceLake
from labeling.store.ledger import SqlLedger, open_ledger
from labeling.studio.client import StudioClient
from scoring.embeddings import Encoder
from scoring.head import Head, completed

EMBEDDING_HEAD = "embedding-head"
EXACT = 1.0  # the cosine of equal embeddings, for a deployment that collapses nothing else
NO_SHARE = ("train", "calibration", "dev", "sealed", "anchor")  # a partition without a share gets nothing


class Goldfold:
    """What one process works with. Models and the Label Studio client are made when first asked for."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.policies = read_policies(settings.policies_dir)
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        self.ledger: SqlLedger = open_ledger(settings.ledger_url)
        self.lake = LanceLake(settings.lake_uri)
        self._lock = RLock()
        self._scorers: dict[str, LakeScorer] = {}

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
    def exports_dir(self) -> Path:
        return self.settings.data_dir / "exports"

    @cached_property
    def studio(self) -> StudioClient:
        """The client of Label Studio. Raises StudioUnauthorized when no token is set."""
        token = self.settings.studio_token.get_secret_value()
        if not token:
            raise StudioUnauthorized(
                "studio_token is not set: give Goldfold's account token (GOLDFOLD_STUDIO_TOKEN, or studio_token in the "
                "settings file), found in Label Studio under Account & Settings"
            )
        return StudioClient(
            self.settings.studio_url, token, self.settings.studio_timeout_s, settle_s=self.settings.studio_settle_s
        )

    def studio_version(self) -> str:
        """Label Studio's version; raises what the client raises when it does not answer or take the token."""
        return self.studio.version()

    @cached_property
    def encoder(self) -> Encoder:
        with self._lock:
            return models().build_encoder(self.settings)

    @cached_property
    def prototypes(self) -> Head:
        """The head of the cold start: what the policies' own texts say."""
        return models().build_prototypes(self.encoder, self.policies)

    def head(self) -> Head:
        """The champion's head, or the prototypes while there is none; policies the champion never saw keep theirs."""
        champion = self.ledger.models.champion()
        if champion is None:
            return self.prototypes
        head = Head.load(Path(champion.path))
        return head if head.policies == self.prototypes.policies else completed(head, self.prototypes)

    def scorer(self) -> LakeScorer:
        """The scorer of the next round. Built anew when another model was promoted."""
        champion = self.ledger.models.champion()
        key = champion.version if champion else "cold"
        with self._lock:
            if key not in self._scorers:
                self._scorers = {key: self._build_scorer()}
            return self._scorers[key]

    def vectors(self) -> LakeVectors:
        """Embeddings of the current scorer, by item."""
        return LakeVectors(self.lake, embedding_group(self.scorer()))

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

    def close(self) -> None:
        self.ledger.close()
        if "studio" in self.__dict__:
            self.studio.close()

    def _build_scorer(self) -> LakeScorer:
        if self.settings.scorer == EMBEDDING_HEAD:
            return models().build_scorer(self.encoder, self.head())
        return models().build_classifier(self.settings)


class Models(Protocol):
    """What ``api.scorers`` offers."""

    def build_encoder(self, settings: Settings) -> Encoder: ...
    def build_prototypes(self, encoder: Encoder, policies: Policies) -> Head: ...
    def build_scorer(self, encoder: Encoder, head: Head) -> LakeScorer: ...
    def build_classifier(self, settings: Settings) -> LakeScorer: ...
    def describe_device(self, name: str) -> str: ...
    def describe_model(self, settings: Settings) -> str: ...


def models() -> Models:
    """``api.scorers``, imported when it is first needed: it brings torch, which takes seconds."""
    module: Models = import_module("api.scorers")
    return module


def offline_by_default() -> None:
    """No model is fetched behind the operator's back: HF_HUB_OFFLINE=0 says otherwise."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
