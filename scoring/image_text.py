"""Zero-shot image scoring: a picture against a policy's own words, by a dual encoder such as CLIP or SigLIP."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from transformers import AutoModel

from scoring.base import Scores
from scoring.device import BATCH_FRAMES, resolve_device
from scoring.errors import ModelRefused
from scoring.frame_scorer import F32, FrameScorer, unit
from scoring.image_inputs import ImageInputs, Inputs, collate
from scoring.images import DEFAULT, Limits, Pixels
from scoring.loading import load_model, load_tokenizer
from scoring.model_files import VERSION_LENGTH, fingerprint, locate

ALONE = ("siglip", "siglip2")  # each prompt judged by itself: P = sigmoid(scale * cosine + bias)
AGAINST = ("clip",)  # prompts judged against each other: P = softmax(scale * cosine)


@dataclass(frozen=True, slots=True)
class Prompts:
    """What a policy looks like. ``violates``: captions of pictures that break it; ``neutral``: captions of pictures
    that do not, for models that can only compare."""

    violates: tuple[str, ...]
    neutral: tuple[str, ...] = ()


class ImageTextScorer(FrameScorer[Inputs]):
    """An ``ImageScorer`` that has learned no policy: it compares a picture with captions.

    The model's own rule makes the probability. SigLIP judges each caption by itself (arXiv:2303.15343), so the most
    fitting of ``violates`` counts. CLIP only compares (arXiv:2103.00020), so the share of ``violates`` among all of the
    policy's captions counts. Either is a ranking until it is calibrated. Captions are taken as they are written;
    SigLIP 2 was trained on lower case. Embeddings are the model's picture vectors, so that new captions cost no new
    pass over the pictures: see ``score_embeddings``.
    """

    def __init__(
        self,
        model: str | Path,
        prompts: Mapping[str, Prompts],
        *,
        revision: str | None = None,
        device: str = "auto",
        batch: int | None = None,
        limits: Limits = DEFAULT,
    ) -> None:
        """``prompts``: policy id -> its captions; ``revision``: the commit of a hub id; ``batch``: frames at a time.
        Raises ModelNotFound, ModelRefused, DeviceError, ValueError for captions that the model cannot use."""
        self.device = resolve_device(device)
        super().__init__(limits, BATCH_FRAMES[self.device.type] if batch is None else batch)
        folder = locate(model, revision)
        self.name = Path(str(model)).name
        self.module: Any = load_model(AutoModel, folder, self.device, dtype=torch.float32)  # scale ~100: no halves
        self._alone = _judges_alone(self.name, str(self.module.config.model_type))
        self._inputs = ImageInputs(folder)
        self.policies = tuple(sorted(prompts))
        self._spans, captions = _laid_out(prompts, alone=self._alone)
        self._captions = self._encode(folder, captions)
        self._scale = math.exp(_number(self.module, "logit_scale"))
        self._bias = _number(self.module, "logit_bias") if self._alone else 0.0
        self.dimension = self._captions.shape[1]
        self._try()
        self.embedding_version = fingerprint(folder, {"features": "picture", **asdict(limits)})
        asked = {policy: asdict(prompts[policy]) for policy in self.policies}
        settings = json.dumps([self.embedding_version, asked], sort_keys=True)
        self.version = hashlib.sha256(settings.encode()).hexdigest()[:VERSION_LENGTH]

    def score_embeddings(self, ids: Sequence[str], embeddings: npt.NDArray[np.float16]) -> Scores:
        """Scores of pictures by the (n, d) unit vectors that a scorer of the same ``embedding_version`` kept.

        The rounding to float16 moves a logit by at most about 5e-4 of its scale. An animation is judged by the mean of
        its frames here, not by the worst of them. Raises ValueError for vectors of another shape.
        """
        if embeddings.shape != (len(ids), self.dimension):
            raise ValueError(f"embeddings must be ({len(ids)}, {self.dimension}), not {embeddings.shape}")
        probabilities = self._judge(unit(embeddings.astype(np.float32)))
        return Scores(tuple(ids), self.policies, probabilities, embeddings.astype(np.float16))

    def _prepare(self, frame: Pixels) -> Inputs:
        return self._inputs.prepare(frame)

    def _forward(self, inputs: Sequence[Inputs]) -> tuple[F32, F32]:
        with torch.inference_mode():
            made = self.module.get_image_features(**collate(inputs, self.device, self.module.dtype)).pooler_output
        vectors = unit(made.float().cpu().numpy())
        return self._judge(vectors), vectors

    def _judge(self, vectors: F32) -> F32:
        """(n, d) unit vectors to (n, policies)."""
        logits = self._scale * (vectors @ self._captions.T) + self._bias
        columns = [self._policy(logits[:, start:end], violates) for start, violates, end in self._spans]
        return np.stack(columns, axis=1).astype(np.float32)

    def _policy(self, logits: F32, violates: int) -> F32:
        """(n, captions) logits of one policy, those of ``violates`` first, to (n) probabilities."""
        made = torch.from_numpy(logits)
        if self._alone:
            return np.asarray(made.sigmoid().amax(dim=1).numpy(), np.float32)
        return np.asarray(made.softmax(dim=1)[:, :violates].sum(dim=1).clamp(0, 1).numpy(), np.float32)

    def _encode(self, folder: Path, captions: list[str]) -> F32:
        """(captions, d) unit vectors. SigLIP was trained on captions padded to its full length, without a mask."""
        tokenizer = load_tokenizer(folder)
        longest = int(self.module.config.text_config.max_position_embeddings)
        for caption in captions:
            length = len(tokenizer(caption)["input_ids"])
            if length > longest:
                raise ValueError(f"the caption {caption!r} has {length} tokens, the model reads {longest}; shorten it")
        padding = "max_length" if self._alone else True
        made = tokenizer(captions, padding=padding, max_length=longest, truncation=True, return_tensors="pt")
        names = ("input_ids",) if self._alone else ("input_ids", "attention_mask")
        words = {name: made[name].to(self.device) for name in names}
        try:
            with torch.inference_mode():
                found = self.module.get_text_features(**words).pooler_output
        except (LookupError, RuntimeError, TypeError, ValueError) as error:
            raise ModelRefused(f"{self.name} cannot read what its tokenizer makes: {error}") from error
        return unit(found.float().cpu().numpy())

    def _try(self) -> None:
        try:
            self._forward([self._prepare(np.zeros((8, 8, 3), np.uint8))])
        except (LookupError, RuntimeError, TypeError, ValueError) as error:
            raise ModelRefused(f"{self.name} cannot read what its image processor makes: {error}") from error


def _number(model: Any, name: str) -> float:
    return float(getattr(model, name).detach().float().item())


def _judges_alone(name: str, kind: str) -> bool:
    if kind not in (*ALONE, *AGAINST):
        known = ", ".join((*ALONE, *AGAINST))
        raise ModelRefused(f"{name} is a {kind} model; pictures and captions are compared by one of {known}")
    return kind in ALONE


def _laid_out(prompts: Mapping[str, Prompts], *, alone: bool) -> tuple[list[tuple[int, int, int]], list[str]]:
    """Where each policy's captions stand, as (start, how many violate, end), and the captions one after the other."""
    spans: list[tuple[int, int, int]] = []
    captions: list[str] = []
    if not prompts:
        raise ValueError("there is no policy to score; give at least one with captions")
    for policy in sorted(prompts):
        asked = prompts[policy]
        if not asked.violates or not all(caption.strip() for caption in (*asked.violates, *asked.neutral)):
            raise ValueError(f"policy {policy} needs captions in violates, none of them empty")
        if alone and asked.neutral:
            raise ValueError(f"policy {policy}: this model judges each caption by itself; leave out neutral")
        if not alone and not asked.neutral:
            raise ValueError(f"policy {policy}: this model only compares captions; give some in neutral")
        start = len(captions)
        captions += [*asked.violates, *asked.neutral]
        spans.append((start, len(asked.violates), len(captions)))
    return spans, captions
