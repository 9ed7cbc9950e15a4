"""The scorers that the settings name. Importing this module imports torch, which takes seconds, so the composition
root loads it when a model is first asked for; commands that need none do not pay."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from api.endpoint import HttpEndpoint
from configs.errors import SettingsError
from configs.scorer_files import check_dropout, check_reads, entered, read_scorer, scorer_path
from configs.scorer_kinds import (
    EmbeddingHeadFile,
    EnsembleFile,
    GuardLLMFile,
    HFText,
    MCDropoutFile,
    Remote,
    ScorerFile,
)
from configs.settings import Settings
from labeling.cascade import open_cascade
from labeling.policies import Policies
from labeling.scorebook import LakeScorer
from scoring.device import multiplies_bfloat16, resolve_devices
from scoring.embedding_head import EmbeddingHead
from scoring.embeddings import Encoder
from scoring.encoder import SentenceEncoder
from scoring.ensemble import Ensemble
from scoring.finetuned import Finetuned
from scoring.finetuned_scorer import FinetunedScorer, open_classifier
from scoring.guard_llm import GuardLLM
from scoring.head import Head
from scoring.hf_classifier import HFClassifier
from scoring.int8_encoder import Int8Encoder
from scoring.mc_dropout import MCDropout
from scoring.model_files import locate
from scoring.prototypes import prototype_head
from scoring.remote import Caller, Manners
from scoring.remote_encoder import RemoteEncoder
from scoring.remote_moderation import RemoteModeration

LOG = structlog.stdlib.get_logger("goldfold.scorers")
BFLOAT16 = "it multiplies bfloat16 in hardware: the setting cpu_precision can make text models faster"


@dataclass(frozen=True, slots=True)
class Makings:
    """What builders work with. ``own``: the deployment's encoder with its champion's head; ``beside``: the folder of
    the scorer file, for the paths in it; ``within``: the scorer files that led to it, and itself."""

    settings: Settings
    policies: Policies
    own: Callable[[], LakeScorer]
    beside: Path
    within: tuple[Path, ...] = ()


def build_encoder(settings: Settings) -> Encoder:
    """The sentence encoder: the scorer file's where it names one, else the setting's. Raises SettingsError,
    ScoringError."""
    file = read_scorer(settings.scorer)
    own = file if isinstance(file, EmbeddingHeadFile) else EmbeddingHeadFile(kind="embedding-head")
    named = own.model or (None if settings.encoder == "default" else settings.encoder)
    with explained(settings.scorer if own.model else "encoder"):
        make = (
            partial(SentenceEncoder, cpu_precision=settings.cpu_precision)
            if own.runtime == "torch"
            else partial(Int8Encoder, settings.data_dir / "models")
        )
        return make(
            None if named is None else locate(named, own.revision),
            device=settings.device,
            batch_tokens=settings.batch_tokens,
            max_tokens=own.max_tokens or settings.max_tokens,
            long_text=own.long_text,
            prompt=own.prompt,
            prompt_name=own.prompt_name,
        )


def build_prototypes(encoder: Encoder, policies: Policies) -> Head:
    """The head of the cold start: what the policies' own texts say."""
    return prototype_head(encoder, {policy.id: policy.text for policy in policies.values()})


def build_head_scorer(encoder: Encoder, head: Head) -> LakeScorer:
    """Encoder and head as one scorer."""
    return EmbeddingHead(encoder, head)


def build_classifier(settings: Settings, model: Finetuned) -> HFClassifier:
    """The classifier of a fine-tuned model, for its own policies. Raises ScoringError."""
    return open_classifier(
        model, device=settings.device, batch_tokens=settings.batch_tokens, cpu_precision=settings.cpu_precision
    )


def build_finetuned(settings: Settings, model: Finetuned, beside: LakeScorer) -> LakeScorer:
    """A fine-tuned model beside the encoder and its prototypes. Raises ScoringError."""
    return FinetunedScorer(model, build_classifier(settings, model), beside)


def build_scorer(settings: Settings, policies: Policies, own: Callable[[], LakeScorer]) -> LakeScorer:
    """The scorer of the scorer file that the settings name. Raises SettingsError, ScoringError."""
    return build(settings.scorer, Makings(settings, policies, own, Path()))


def build_cascade(full: LakeScorer, settings: Settings, policies: Policies, folder: Path) -> LakeScorer:
    """The cascade that the settings name before ``full``, or ``full`` itself, with a warning in the log, when "auto"
    finds none in ``folder`` that fits it. Raises ScoringError, Conflict."""
    cascade = None if settings.cascade is None else open_cascade(full, settings.cascade, folder, policies)
    if cascade is None and settings.cascade is not None:
        LOG.warning("no cascade fits the scorer, so all is scored fully: run goldfold cascade fit", scorer=full.version)
    return cascade or full


def build(named: str, makings: Makings) -> LakeScorer:
    """The text scorer of one scorer file. Raises SettingsError, ScoringError."""
    path = scorer_path(named, makings.beside)
    within = entered(path, makings.within)
    file = read_scorer(named, makings.policies, makings.beside)
    inside = replace(makings, beside=path.parent, within=within)
    check_reads(file, "text", str(path))
    with explained(str(path)):
        return BUILDERS[type(file)](file, inside)


def _hf_text(file: HFText, makings: Makings) -> LakeScorer:
    settings = makings.settings
    return HFClassifier(
        file.model,
        file.labels,
        revision=file.revision,
        activation=file.activation,
        device=settings.device,
        batch_tokens=settings.batch_tokens,
        max_tokens=file.max_tokens or settings.max_tokens,
        long_text=file.long_text,
        cpu_precision=settings.cpu_precision,
    )


def _guard_llm(file: GuardLLMFile, makings: Makings) -> LakeScorer:
    settings = makings.settings
    return GuardLLM(
        file.model,
        {name: makings.policies[name].text for name in file.policies or makings.policies},
        style=file.style,
        revision=file.revision,
        device=settings.device,
        batch_tokens=settings.batch_tokens,
        max_tokens=file.max_tokens or settings.max_tokens,
        cache_bytes=file.cache_bytes,
    )


def _embedding_head(_file: EmbeddingHeadFile, makings: Makings) -> LakeScorer:
    return makings.own()


def _ensemble(file: EnsembleFile, makings: Makings) -> LakeScorer:
    return Ensemble([build(member, makings) for member in file.members])


def _mc_dropout(file: MCDropoutFile, makings: Makings) -> LakeScorer:
    check_dropout(file, read_scorer(file.scorer, None, makings.beside), str(makings.within[-1]))
    return MCDropout(build(file.scorer, makings), passes=file.passes, seed=file.seed)


def _remote(file: Remote, makings: Makings) -> LakeScorer:
    endpoint = HttpEndpoint(file.url, file.key_env, file.timeout_s, file.concurrency)
    caller = Caller(endpoint, Manners(attempts=file.attempts, concurrency=file.concurrency, batch=file.batch))
    encoder: Encoder
    if file.embeddings is None:
        encoder = build_encoder(makings.settings)
    else:
        encoder = RemoteEncoder(caller, file.embeddings, max_chars=file.max_chars)
    return RemoteModeration(
        caller,
        file.model,
        file.labels,
        encoder,
        max_chars=file.max_chars,
        per_million_tokens=file.per_million_tokens,
        per_thousand_requests=file.per_thousand_requests,
    )


BUILDERS: Mapping[type[ScorerFile], Callable[[Any, Makings], LakeScorer]] = {
    EmbeddingHeadFile: _embedding_head,
    EnsembleFile: _ensemble,
    GuardLLMFile: _guard_llm,
    HFText: _hf_text,
    MCDropoutFile: _mc_dropout,
    Remote: _remote,
}


@contextmanager
def explained(source: str) -> Iterator[None]:
    """A value that the model cannot take, such as more tokens than it reads, is a fault of the settings."""
    try:
        yield
    except ValueError as error:
        raise SettingsError(f"{source}: {error}") from error


def describe_device(name: str) -> str:
    """The devices that ``name`` means here, and what a CPU could do besides. Raises DeviceError."""
    devices = ", ".join(map(str, resolve_devices(name)))
    return f"{devices} ({BFLOAT16})" if devices == "cpu" and multiplies_bfloat16() else devices


def describe_model(settings: Settings, policies: Policies) -> str:
    """Load what scores, and say what it is. Raises SettingsError, ScoringError."""
    if isinstance(read_scorer(settings.scorer, policies), EmbeddingHeadFile):
        encoder = build_encoder(settings)
        return f"encoder {encoder.name} {encoder.version}, {encoder.dimension} dimensions"
    scorer = build_scorer(settings, policies, lambda: _cold(settings, policies))
    return f"{scorer.name} {scorer.version} for {', '.join(scorer.policies)}"


def _cold(settings: Settings, policies: Policies) -> LakeScorer:
    encoder = build_encoder(settings)
    return build_head_scorer(encoder, build_prototypes(encoder, policies))
