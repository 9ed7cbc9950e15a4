"""The kinds of scorer that a scorer file may describe, and what each of them must and may say.

A new kind is a class here, with a builder in ``api.scorers`` and a packaged file in ``configs/scorers``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from configs.files import local

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
MaxTokens = Annotated[int, Field(ge=8)]
LongText = Literal["windows", "cut"]
LONG_TEXT = "How a text beyond max_tokens is read: in windows, the highest of whose scores counts, or cut off there."
RUNTIME = (
    "What runs the encoder: torch, or onnx-int8 on the CPU, with other vectors that need a head of their own. See "
    '"Encoder in int8" below.'
)


LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def service(url: str) -> str:
    """The address of a service that is sent content, without a trailing slash. Raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise ValueError("expected https://host/v1 (or http:// to this machine): a key and content would be readable")
    if not parts.hostname or parts.username or parts.password or parts.query:
        raise ValueError("expected an address without user, password or query; name the key by key_env")
    return url.rstrip("/")


class ScorerFile(BaseModel):
    """What every kind has. ``reads``: what it scores; ``folders``: keys whose relative path is relative to the file,
    where it is there; ``means``: the key that names policies."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    reads: ClassVar[Literal["text", "image", "video"]] = "text"
    folders: ClassVar[tuple[str, ...]] = ()
    means: ClassVar[str] = "labels"

    kind: str

    def meanings(self) -> Mapping[str, str]:
        """What the file says means a policy -> that policy's id, for the check that such policies are there."""
        return {}

    def judged(self) -> frozenset[str] | None:
        """The policies that this scorer judges; None: every policy there is."""
        return frozenset(self.meanings().values()) or None


class HubModel(ScorerFile):
    """A model by local folder or hub id (safetensors only); a hub id is pinned, so that a score can be repeated."""

    folders: ClassVar[tuple[str, ...]] = ("model",)

    model: Name = Field(description="Local folder or hub id of the model.")
    revision: Name | None = Field(default=None, description="Commit of the hub repository; needed for a hub id.")

    @model_validator(mode="after")
    def _hub_models_are_pinned(self) -> Self:
        if self.revision is None and not local(self.model).is_dir():
            raise ValueError(f"model: {self.model} is no local folder; to use a hub id, pin it with revision")
        return self


class HFText(HubModel):
    """A transformers text classifier. ``labels`` maps a label of the model to a policy id; labels left out are
    ignored. Several labels may mean one policy."""

    kind: Literal["hf-text"] = Field(description="A transformers text classifier.")
    labels: dict[Name, Name] = Field(min_length=1, description="The model's label: the policy it means.")
    activation: Literal["softmax", "sigmoid"] | None = Field(
        default=None,
        description=(
            "What turns logits into probabilities: softmax for labels that exclude each other, sigmoid for others; "
            "none: what the model's own config says."
        ),
    )
    max_tokens: MaxTokens | None = Field(default=None, description="Overrides the setting max_tokens for this model.")
    long_text: LongText = Field(default="windows", description=LONG_TEXT)

    def meanings(self) -> Mapping[str, str]:
        return self.labels


class EmbeddingHeadFile(ScorerFile):
    """The encoder, with the head that was trained and promoted last on top, or the policies' own texts before that."""

    folders: ClassVar[tuple[str, ...]] = ("model",)

    kind: Literal["embedding-head"] = Field(description="A sentence encoder with the champion's head on top.")
    model: Name | None = Field(
        default=None, description="Local folder or hub id of the encoder; none: the setting encoder."
    )
    revision: Name | None = Field(default=None, description="Commit of the hub repository; needed for a hub id.")
    max_tokens: MaxTokens | None = Field(default=None, description="Overrides the setting max_tokens for this model.")
    long_text: LongText = Field(default="windows", description=LONG_TEXT)
    prompt: str | None = Field(
        default=None,
        description="What stands before every text, such as `query: `; none: what the model's files have as default.",
    )
    prompt_name: Name | None = Field(default=None, description="A prompt of the model's own files, by its name.")
    runtime: Literal["torch", "onnx-int8"] = Field(default="torch", description=RUNTIME)

    @model_validator(mode="after")
    def _hub_models_are_pinned(self) -> Self:
        if self.model and self.revision is None and not local(self.model).is_dir():
            raise ValueError(f"model: {self.model} is no local folder; to use a hub id, pin it with revision")
        return self


class EnsembleFile(ScorerFile):
    """The mean of several scorers that judge the same policies."""

    kind: Literal["ensemble"] = Field(description="The mean of several scorers, which judge the same policies.")
    members: list[Name] = Field(
        min_length=2, description="Scorer files, by the name of a packaged one or by path (relative to this file)."
    )


class MCDropoutFile(ScorerFile):
    """The mean of several passes of one transformers classifier, each with other units dropped; how far the passes
    differ says how unsure the model is of itself. A pass drops the same units for every text."""

    kind: Literal["mc-dropout"] = Field(description="One classifier several times, under dropout.")
    scorer: Name = Field(
        description="Scorer file of the classifier, of kind hf-text: a packaged one, or a path (relative to this file)."
    )
    passes: int = Field(default=8, ge=2, le=100, description="Passes; each costs as much as the classifier alone.")
    seed: int = Field(default=0, ge=0, lt=2**32, description="Draws which units each pass drops.")


class GuardLLMFile(HubModel):
    """A causal language model that judges each text against the words of the policy files themselves, so that a new
    policy needs no training. See "Guard models" below."""

    means: ClassVar[str] = "policies"

    kind: Literal["guard-llm"] = Field(description="A causal language model that reads the policies themselves.")
    style: Literal["generic", "llama-guard", "shieldgemma", "gpt-oss-safeguard"] = Field(
        default="generic",
        description="How the model is asked: as its family was trained to be, or generic by its own chat template.",
    )
    policies: list[Name] | None = Field(
        default=None,
        min_length=1,
        description="Ids of the policies to judge, each of which costs a reading of every text; none: all there are.",
    )
    max_tokens: Annotated[int, Field(ge=16)] | None = Field(
        default=None, description="Overrides the setting max_tokens for this model; prompt and policy are not counted."
    )
    cache_bytes: int = Field(
        default=2**30,
        ge=0,
        description="Bound on the kept keys and values of prompt beginnings, and once more on those of a batch.",
    )

    def meanings(self) -> Mapping[str, str]:
        return {policy: policy for policy in self.policies or ()}


class Remote(ScorerFile):
    """An OpenAI-compatible moderation service. ``labels`` maps a category of the service to a policy id; content
    leaves this machine, and what the service changes without saying so changes the scores."""

    kind: Literal["remote"] = Field(description="An OpenAI-compatible moderation service.")
    url: Annotated[str, AfterValidator(service)] = Field(
        description="Its address up to the version, such as https://host/v1; https, or http to this machine."
    )
    model: Name = Field(description="The name of the moderation model.")
    key_env: Name | None = Field(
        default=None, description="The environment variable that holds the key; none: it needs no key."
    )
    labels: dict[Name, Name] = Field(min_length=1, description="The service's category: the policy it means.")
    embeddings: Name | None = Field(
        default=None, description="The service's embedding model; none: the setting encoder, on this machine."
    )
    timeout_s: float = Field(
        default=30.0, gt=0, description="Seconds that one answer may take, from the request to its last byte."
    )
    attempts: int = Field(default=6, ge=1, description="Tries of one request, with growing waits in between.")
    concurrency: int = Field(default=4, ge=1, le=64, description="Requests at a time.")
    batch: int = Field(default=32, ge=1, le=2048, description="Texts in one request.")
    max_chars: int = Field(default=20_000, ge=1, description="Longest text sent; a longer one loses its middle.")
    per_million_tokens: float = Field(default=0.0, ge=0, description="Price of a million tokens, for the cost line.")
    per_thousand_requests: float = Field(default=0.0, ge=0, description="Price of a thousand requests.")

    def meanings(self) -> Mapping[str, str]:
        return self.labels


class OpenNSFWFile(ScorerFile):
    """Yahoo's open_nsfw, an image scorer whose weights come with Goldfold: how sexually explicit a photograph is."""

    reads = "image"
    means = "policy"

    kind: Literal["opennsfw"] = Field(description="The image scorer whose weights come with Goldfold.")
    policy: Name = Field(description="The policy that its one probability stands for.")

    def meanings(self) -> Mapping[str, str]:
        return {self.policy: self.policy}


class HFImage(HubModel):
    """A transformers image classifier. ``labels`` maps a label of the model to a policy id; labels left out are
    ignored. Several labels may mean one policy."""

    reads = "image"

    kind: Literal["hf-image"] = Field(description="A transformers image classifier.")
    labels: dict[Name, Name] = Field(min_length=1, description="The model's label: the policy it means.")
    activation: Literal["softmax", "sigmoid"] | None = Field(
        default=None, description="As for hf-text; none: what the model's own config says."
    )

    def meanings(self) -> Mapping[str, str]:
        return self.labels


class Captions(BaseModel):
    """What pictures that break a policy look like, and pictures that do not."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    violates: list[Name] = Field(min_length=1)
    neutral: list[Name] = []


class ImageText(HubModel):
    """A CLIP or SigLIP model that compares pictures with captions, so that a new policy needs no training."""

    reads = "image"
    means = "prompts"

    kind: Literal["image-text"] = Field(description="A CLIP or SigLIP model that compares pictures with captions.")
    prompts: dict[Name, Captions] = Field(
        min_length=1,
        description=(
            "The policy: its captions, as lists violates (pictures that break it) and neutral (pictures that do not; "
            "needed for CLIP, which only compares; left out for SigLIP, which judges each caption by itself)."
        ),
    )

    def meanings(self) -> Mapping[str, str]:
        return {policy: policy for policy in self.prompts}


class VideoFramesFile(ScorerFile):
    """Videos by their frames, each seen by an image scorer; what is said may be read by a text scorer."""

    reads = "video"

    kind: Literal["video"] = Field(description="An image scorer on the frames of a video.")
    images: Name = Field(description="Scorer file of the image scorer: a packaged one, or a path beside this file.")
    transcript: Name | None = Field(
        default=None, description="Scorer file of what scores transcripts; none: they are not scored."
    )
    floor_s: float = Field(default=1.0, gt=0, description="Seconds between two frames at most.")
    scene: float = Field(
        default=0.1, gt=0, lt=1, description="Mean difference of colours, as a share, that makes a frame a new scene."
    )
    frames: int = Field(
        default=128, ge=2, description="Frames scored at most, half of them for scene changes; thinned evenly above."
    )
    side: int = Field(default=256, ge=16, description="Pixels of the shorter side that frames are shrunk to.")
    top: int = Field(default=3, ge=1, description="Frames whose mean is a policy's score: the highest ones.")
    max_duration_s: float = Field(default=14_400.0, gt=0, description="Longest video read.")
    max_bytes: int = Field(default=4_000_000_000, ge=1, description="Largest file read.")


KINDS: dict[str, type[ScorerFile]] = {
    "embedding-head": EmbeddingHeadFile,
    "hf-text": HFText,
    "guard-llm": GuardLLMFile,
    "ensemble": EnsembleFile,
    "mc-dropout": MCDropoutFile,
    "remote": Remote,
    "opennsfw": OpenNSFWFile,
    "hf-image": HFImage,
    "image-text": ImageText,
    "video": VideoFramesFile,
}
