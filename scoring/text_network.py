"""What scorers and encoders over transformers models share: copies on devices, packed reading, answers begun ahead."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedModel

from scoring.device import BATCH_TOKENS, cpu_products, resolve_devices, to_host
from scoring.loading import Architecture, load_model
from scoring.memory import keep_freed_memory
from scoring.networks import Array, Fetch
from scoring.text_model import SAME, Hidden, TextModel
from scoring.tokens import Reading, Tokenizer, Tokens

PACKS = {"cpu": True, "cuda": True}  # cpu: measured 1.15 times as fast as padded batches; cuda: never run
_WORDS = "the quick brown fox jumps over a lazy dog and walks home through deep snow at night "
_PROBES = ("yes", "a short text", _WORDS, "no", _WORDS * 16)  # the last is longer than the usual sliding window


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a model is run; see the arguments of ``SentenceEncoder``. None: as the model or its device suggests."""

    device: str = "auto"
    batch_tokens: int | None = None
    max_tokens: int | None = None
    long_text: str = "windows"
    packed: bool | None = None
    compiled: bool = False
    prompt: str = ""
    cpu_precision: str = "float32"


class TextNetwork(ABC):
    """A ``WindowedNetwork`` over a transformers model.

    It starts padded; a subclass whose answers are ready calls ``_settle`` to have packed batches where they say the
    same. ``module``, ``device``: the first copy's.
    """

    def __init__(
        self, architecture: Architecture, folder: Path, options: Options, may_lack: tuple[str, ...] = ()
    ) -> None:
        """Raises ModelRefused, DeviceError, ValueError."""
        self.devices = resolve_devices(options.device)
        self.device = self.devices[0]
        self.batch_tokens = options.batch_tokens or BATCH_TOKENS[self.device.type]
        modules = [load_model(architecture, folder, device, may_lack) for device in self.devices]
        for module in modules:
            module.config.use_cache = False  # a decoder keeps its keys and values otherwise, and nobody reads them
        self.module = modules[0]
        self._tokenizer = Tokenizer(
            folder, self.module, options.max_tokens, long_text=options.long_text, prompt=options.prompt
        )
        self.max_tokens = self._tokenizer.max_tokens
        self.long_text = self._tokenizer.rule
        self._models = [
            TextModel(module, self._tokenizer, device, batch_tokens=self.batch_tokens, few_shapes=options.compiled)
            for module, device in zip(modules, self.devices, strict=True)
        ]
        keep_freed_memory()
        self._products = cpu_products(options.cpu_precision)
        self._may_pack = PACKS[self.device.type] if options.packed is None else options.packed

    @property
    @abstractmethod
    def columns(self) -> tuple[tuple[int, type[np.generic]], ...]: ...

    @abstractmethod
    def _answer(self, output: Any, hidden: Hidden) -> tuple[torch.Tensor, ...]:
        """From what the model returned to one (n, ...) tensor a column, on the device."""

    @abstractmethod
    def _finish(self, arrays: tuple[Array, ...]) -> tuple[Array, ...]:
        """The same on the host, as ``columns`` says."""

    @abstractmethod
    def join(self, parts: tuple[Array, ...]) -> tuple[Array, ...]: ...

    @property
    def modules(self) -> tuple[PreTrainedModel, ...]:
        """The model's copies, one a device."""
        return tuple(model.module for model in self._models)

    @property
    def packed(self) -> bool:
        """Whether batches are packed."""
        return self._models[0].packed

    def tokenize(self, texts: list[str]) -> list[Tokens]:
        """The first row of each text."""
        return self._tokenizer.rows(texts)

    def read(self, texts: list[str]) -> list[Reading]:
        return self._tokenizer.read(texts)

    def width(self, length: int) -> int:
        return self._models[0].width(length)

    def start(self, rows: Sequence[Tokens], place: int) -> Fetch:
        with torch.inference_mode(), self._reading():
            waited = to_host(self._answer(*self._models[place].read(rows)))
        return lambda: self._finish(waited())

    def forward(self, rows: Sequence[Tokens]) -> tuple[Array, ...]:
        return self.start(rows, 0)()

    def _reading(self) -> torch.autocast:
        """Half-precision products on a CPU that was asked for them; elsewhere the weights say it."""
        half = self.device.type == "cpu" and self._products is not torch.float32
        return torch.autocast("cpu", dtype=torch.bfloat16, enabled=half)

    def _settle(self) -> None:
        first = self._models[0]
        precision = self._products if self.device.type == "cpu" else self.module.dtype
        if self._may_pack and first.pack_if_same(self.forward, self._tokenizer.rows(list(_PROBES)), SAME[precision]):
            for model in self._models[1:]:
                model.pack_as(first.module.config._attn_implementation, first.heads)


def mean_vector(vectors: Array) -> Array:
    """(w, d) unit vectors to the (d,) float16 unit vector of their mean."""
    mean = vectors.astype(np.float32).mean(axis=0)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-9), np.float16)
