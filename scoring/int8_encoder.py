"""A sentence encoder with int8 weights on the CPU, for those who take other vectors for more speed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from scoring.device import resolve_device
from scoring.encoder import SentenceEncoder
from scoring.errors import DeviceError, ModelRefused
from scoring.model_files import VERSION_LENGTH
from scoring.networks import Array, Fetch
from scoring.onnx_export import export, open_states, quantize
from scoring.text_model import Hidden
from scoring.tokens import Tokens

LEAST_COSINE = (
    0.9  # of a probe to its float32 vector; a graph that lost much is far below what the class says of all-MiniLM-L6-v2
)
PROBES = (
    "yes",
    "what a lovely day it was",
    "Nobody asked you, so keep your opinions to yourself!",
    "The council will meet on Monday at 10:30 to talk about the new bus lanes, and everybody may come and listen. " * 4,
)


class Int8Encoder(SentenceEncoder):
    """A ``SentenceEncoder`` whose hidden states come from a graph with int8 weights, on the CPU only.

    Not the default, because its vectors differ from the float32 ones by more than a threshold bears: measured with
    all-MiniLM-L6-v2 on 480 real texts, the smallest cosine is .979 and a probability moves by up to .075. Its
    ``version`` is its own, so that heads and kept embeddings of the two never mix.

    Activations are quantized by the range that they have in a batch, so a vector would depend on its batch (measured on
    the same texts: a probability moved by up to .082). Hence each row is read alone, several at a time on as many
    threads as torch has when this is made. The float32 weights stay in memory beside the graph.
    """

    def __init__(
        self,
        cache: Path,
        model: str | Path | None = None,
        *,
        device: str = "cpu",
        batch_tokens: int | None = None,
        max_tokens: int | None = None,
        long_text: str = "windows",
        prompt: str | None = None,
        prompt_name: str | None = None,
    ) -> None:
        """``cache``: the folder where the graph is kept, made there at the first time (all-MiniLM-L6-v2: some 15
        seconds, 23 MB). The others as for ``SentenceEncoder``. Raises DeviceError for a GPU, ModelNotFound without
        ``onnxscript``, ModelRefused for a model that cannot be exported or loses more than ``LEAST_COSINE`` allows,
        ValueError."""
        if resolve_device(device).type != "cpu":
            raise DeviceError(f"int8 runs on the CPU, not on {device!r}; set device to 'cpu', or runtime to 'torch'")
        super().__init__(
            model,
            device="cpu",
            batch_tokens=batch_tokens,
            max_tokens=max_tokens,
            long_text=long_text,
            prompt=prompt,
            prompt_name=prompt_name,
            packed=False,
        )
        path = cache / f"onnx-{self.version}-int8.onnx"
        if not path.is_file():
            self._write(path)
        self._states = open_states(path, threads=1)
        self._threads = ThreadPoolExecutor(torch.get_num_threads(), thread_name_prefix="int8")
        self._check(path)
        with path.open("rb") as file:
            graph = hashlib.file_digest(file, "sha256").hexdigest()
        self.name += " int8"
        self.version = hashlib.sha256(f"{self.version} {graph}".encode()).hexdigest()[:VERSION_LENGTH]

    def start(self, rows: Sequence[Tokens], place: int) -> Fetch:  # noqa: ARG002
        vectors = torch.cat(list(self._threads.map(self._vector, rows))).numpy()
        return lambda: self._finish((vectors,))

    def _vector(self, row: Tokens) -> torch.Tensor:
        inputs = self._tokenizer.collate([row], self.device)
        hidden = Hidden(self._states(inputs), inputs["attention_mask"], None, 1)
        return self._answer(None, hidden)[0]

    def _write(self, path: Path) -> None:
        whole = self._tokenizer.rows([PROBES[1]])[0]
        shorter = {key: values[:-1] for key, values in whole.items()}  # so that one row is padded
        example = self._tokenizer.collate([whole, shorter], self.device)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)  # before the seconds that the export takes
            with TemporaryDirectory() as place:
                plain = Path(place) / "plain.onnx"
                export(self.module, example, plain)
                quantize(plain, path)
        except OSError as error:
            raise ModelRefused(
                f"{path} cannot be written ({error.strerror or error}); make room, or let it be written"
            ) from error

    def _check(self, path: Path) -> None:
        rows = self._tokenizer.rows(list(PROBES))
        cosine = _least_cosine(self.forward(rows)[0], super().start(rows, 0)()[0])
        if not cosine >= LEAST_COSINE:
            raise ModelRefused(
                f"{self.name} in int8 keeps a cosine of {cosine:.3f} only to its float32 vectors, less than "
                f"{LEAST_COSINE}; set runtime to 'torch' (or delete {path}, if it is another model's)"
            )


def _least_cosine(one: Array, other: Array) -> float:
    """Between rows of unit vectors."""
    return float((one.astype(np.float32) * other.astype(np.float32)).sum(axis=1).min())
