"""The module ``api.scorers``, imported when it is first needed: it brings torch, which takes seconds."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Protocol

from configs.settings import Settings
from labeling.policies import Policies
from labeling.scorebook import LakeScorer
from scoring.base import Scorer
from scoring.embeddings import Encoder
from scoring.finetuned import Finetuned
from scoring.head import Head


class Models(Protocol):
    """What ``api.scorers`` offers."""

    def build_encoder(self, settings: Settings) -> Encoder: ...
    def build_prototypes(self, encoder: Encoder, policies: Policies) -> Head: ...
    def build_head_scorer(self, encoder: Encoder, head: Head) -> LakeScorer: ...
    def build_classifier(self, settings: Settings, model: Finetuned) -> Scorer: ...
    def build_finetuned(self, settings: Settings, model: Finetuned, beside: LakeScorer) -> LakeScorer: ...
    def build_scorer(self, settings: Settings, policies: Policies, own: Callable[[], LakeScorer]) -> LakeScorer: ...
    def build_cascade(self, full: LakeScorer, settings: Settings, policies: Policies, folder: Path) -> LakeScorer: ...
    def describe_device(self, name: str) -> str: ...
    def describe_model(self, settings: Settings, policies: Policies) -> str: ...


def models() -> Models:
    """That module."""
    module: Models = import_module("api.scorers")
    return module
