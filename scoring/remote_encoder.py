"""An OpenAI-compatible embeddings endpoint as an encoder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scoring.base import Progress
from scoring.embeddings import Embeddings
from scoring.errors import RemoteRefused
from scoring.model_files import VERSION_LENGTH
from scoring.remote import Caller, Usage
from scoring.remote_batches import F64, Questions, listed

PATH = "/embeddings"
PROBE = "A sentence about the weather."
MAX_CHARS = 20_000


class RemoteEncoder:
    """An ``Encoder`` over ``POST /embeddings``; vectors are made unit vectors here.

    The version names the address, the model that the service says it used, the dimension and the cut.
    """

    def __init__(
        self, caller: Caller, model: str, *, dimensions: int | None = None, max_chars: int = MAX_CHARS
    ) -> None:
        """``dimensions``: ask for shorter vectors (None: the model's own). Asks once, to see that key and model are
        right. Raises RemoteUnreachable, RemoteRefused."""
        self.name = f"{model} at {caller.endpoint.name}"
        self._caller, self._model, self._asked = caller, model, dimensions
        self._questions = Questions(caller, PATH, self._body, self._rows, max_chars)
        self._served, self.dimension = "", 0
        self._served, self.dimension = self._probe()
        settings = json.dumps(["embeddings", caller.endpoint.name, self._served, self.dimension, max_chars])
        self.version = hashlib.sha256(settings.encode()).hexdigest()[:VERSION_LENGTH]

    @property
    def usage(self) -> Usage:
        """What was asked for since this encoder was made."""
        return self._caller.usage

    def encode(self, ids: Sequence[str], texts: Sequence[str], progress: Progress | None = None) -> Embeddings:
        """As ``Encoder.encode``. Raises RemoteUnreachable when the service stays away."""
        answers = self._questions.ask(ids, texts, progress)
        kept = tuple(item_id for item_id in ids if item_id in answers.rows)
        vectors = np.array([answers.rows[item_id] for item_id in kept]).reshape(len(kept), self.dimension)
        return Embeddings(kept, vectors.astype(np.float16), tuple(answers.failures), tuple(answers.notes))

    def _body(self, texts: list[str]) -> Mapping[str, Any]:
        body: dict[str, Any] = {"model": self._model, "input": texts, "encoding_format": "float"}
        return body if self._asked is None else {**body, "dimensions": self._asked}

    def _rows(self, body: Mapping[str, Any], n: int) -> F64:
        name = self._caller.endpoint.name
        served = str(body.get("model") or self._model)
        if self._served and served != self._served:
            raise RemoteRefused(f"{name} went over from model {self._served} to {served}: start again")
        try:
            found = sorted(listed(body, "data", n, name), key=lambda one: int(one.get("index", 0)))
            rows = np.array([one.get("embedding") for one in found], np.float64)
        except (OverflowError, TypeError, ValueError) as error:
            raise RemoteRefused(f"{name} gives no lists of numbers as embeddings: {error}") from error
        if rows.ndim != 2 or not rows.size or (self.dimension and rows.shape[1] != self.dimension):
            raise RemoteRefused(f"{name} gives embeddings of shape {rows.shape}, not ({n}, {self.dimension or 'd'})")
        norms = np.linalg.norm(rows, axis=1, keepdims=True)
        return np.asarray(np.divide(rows, norms, out=np.full_like(rows, np.nan), where=norms > 0))

    def _probe(self) -> tuple[str, int]:
        reply = self._caller.ask(PATH, self._body([PROBE]), 1)
        if reply.status != 200:
            raise RemoteRefused(f"{self._caller.endpoint.name} answers {reply.status} to a harmless sentence")
        rows = self._rows(reply.body, 1)
        return str(reply.body.get("model") or self._model), int(rows.shape[1])
