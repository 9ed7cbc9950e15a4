"""The scorers that the settings name. Importing this module imports torch, which takes seconds, so the composition
root loads it when a model is first asked for; commands that need none do not pay."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from api.composition import EMBEDDING_HEAD
from configs.errors import SettingsError
from configs.scorers import read_scorer
from configs.settings import Settings
from labeling.policies import Policies
from labeling.scorebook import LakeScorer
from scoring.device import resolve_device
from scoring.embedding_head import EmbeddingHead
from scoring.embeddings import Encoder
from scoring.encoder import SentenceEncoder
from scoring.head import Head
from scoring.hf_classifier import HFClassifier
from scoring.prototypes import prototype_head


def build_encoder(settings: Settings) -> Encoder:
    """The sentence encoder. Raises SettingsError, ScoringError."""
    with _explained("encoder"):
        return SentenceEncoder(
            None if settings.encoder == "default" else settings.encoder,
            device=settings.device,
            batch_tokens=settings.batch_tokens,
            max_tokens=settings.max_tokens,
        )


def build_prototypes(encoder: Encoder, policies: Policies) -> Head:
    """The head of the cold start: what the policies' own texts say."""
    return prototype_head(encoder, {policy.id: policy.text for policy in policies.values()})


def build_scorer(encoder: Encoder, head: Head) -> LakeScorer:
    """Encoder and head as one scorer."""
    return EmbeddingHead(encoder, head)


def build_classifier(settings: Settings) -> LakeScorer:
    """The transformers classifier of the scorer file. Raises SettingsError, ScoringError."""
    file = read_scorer(settings.scorer)
    with _explained(settings.scorer):
        return HFClassifier(
            file.model,
            file.labels,
            revision=file.revision,
            activation=file.activation,
            device=settings.device,
            batch_tokens=settings.batch_tokens,
            max_tokens=file.max_tokens or settings.max_tokens,
        )


@contextmanager
def _explained(source: str) -> Iterator[None]:
    """A value that the model cannot take, such as more tokens than it reads, is a fault of the settings."""
    try:
        yield
    except ValueError as error:
        raise SettingsError(f"{source}: {error}") from error


def describe_device(name: str) -> str:
    """The device that ``name`` means here. Raises DeviceError."""
    return str(resolve_device(name))


def describe_model(settings: Settings) -> str:
    """Load what scores, and say what it is. Raises SettingsError, ScoringError."""
    if settings.scorer != EMBEDDING_HEAD:
        scorer = build_classifier(settings)
        return f"classifier {scorer.name} {scorer.version} for {', '.join(scorer.policies)}"
    encoder = build_encoder(settings)
    return f"encoder {encoder.name} {encoder.version}, {encoder.dimension} dimensions"
