"""Load a transformers model from a folder: safetensors only, no code from the folder, nothing made up, no noise."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from transformers import (
    AutoImageProcessor,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForImageClassification,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedModel,
)
from transformers.image_processing_backends import PilBackend
from transformers.tokenization_utils_base import PreTrainedTokenizerBase
from transformers.utils import logging as library

from scoring.device import inference_dtype
from scoring.errors import ModelRefused

Architecture = (
    type[AutoModel]
    | type[AutoModelForCausalLM]
    | type[AutoModelForImageClassification]
    | type[AutoModelForSequenceClassification]
)
_DAMAGE = (
    ArithmeticError,
    AttributeError,
    ImportError,
    LookupError,
    OSError,
    RuntimeError,
    SafetensorError,
    StrictDataclassError,
    TypeError,
    ValueError,
)  # all that a folder with wrong content has been seen to raise inside transformers


def load_model(
    architecture: Architecture,
    folder: Path,
    device: torch.device,
    may_lack: tuple[str, ...] = (),
    dtype: torch.dtype | None = None,
) -> PreTrainedModel:
    """The model in inference mode on ``device``; ``dtype`` None: what suits the device.

    transformers fills weights that the file lacks with random numbers; that is refused here, but for the parts named
    in ``may_lack`` (prefixes of parameters that the caller never uses). Raises ModelRefused.
    """
    try:
        with quiet():
            loaded: Any = architecture.from_pretrained(
                str(folder),
                use_safetensors=True,
                trust_remote_code=False,
                local_files_only=True,
                dtype=dtype or inference_dtype(device),
                output_loading_info=True,
            )
    except _DAMAGE as error:
        raise ModelRefused(f"{folder} cannot be loaded by transformers: {_first_line(error)}") from error
    model: PreTrainedModel = loaded[0]
    report = loaded[1]
    missing = sorted(key for key in report["missing_keys"] if not key.startswith(may_lack or ("\0",)))
    if missing:
        raise ModelRefused(
            f"{folder} lacks {len(missing)} of the weights that {type(model).__name__} needs, such as {missing[0]}"
        )
    network: torch.nn.Module = model  # transformers wraps these two in ways that mypy cannot follow
    network.to(device).eval()
    return model


def load_trainable(folder: Path, policies: Sequence[str]) -> PreTrainedModel:
    """The folder's encoder in float32 on the CPU under a classifier with a label for each policy, for fine-tuning.

    The encoder's weights must all be there. What lies above it is taken from the folder where it fits, and else drawn
    from torch's generator, which the caller seeds. Raises ModelRefused.
    """
    try:
        with quiet():
            loaded: Any = AutoModelForSequenceClassification.from_pretrained(
                str(folder),
                use_safetensors=True,
                trust_remote_code=False,
                local_files_only=True,
                dtype=torch.float32,
                output_loading_info=True,
                ignore_mismatched_sizes=True,
                num_labels=len(policies),
                id2label=dict(enumerate(policies)),
                label2id={policy: place for place, policy in enumerate(policies)},
                problem_type="multi_label_classification",
            )
    except _DAMAGE as error:
        raise ModelRefused(f"{folder} cannot be loaded for training: {_first_line(error)}") from error
    model: PreTrainedModel = loaded[0]
    below = f"{model.base_model_prefix}."
    unused = f"{below}pooler."
    missing = sorted(k for k in loaded[1]["missing_keys"] if k.startswith(below) and not k.startswith(unused))
    if model.base_model is model or missing:
        lacks = f"such as {missing[0]}" if missing else "an encoder below its classifier"
        raise ModelRefused(f"{folder} lacks weights that {type(model).__name__} needs, {lacks}")
    return model


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The folder's tokenizer. Raises ModelRefused."""
    try:
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(str(folder), trust_remote_code=False, local_files_only=True)
    except _DAMAGE as error:
        raise ModelRefused(f"{folder}: its tokenizer cannot be loaded: {_first_line(error)}") from error
    return tokenizer


def load_image_processor(folder: Path) -> PilBackend:
    """What makes pixels the model's input, by Pillow and numpy alone: torchvision's builds differ by device, and its
    resizing by version. Raises ModelRefused."""
    try:
        with quiet():
            processor = AutoImageProcessor.from_pretrained(  # type: ignore[no-untyped-call]
                str(folder), backend="pil", trust_remote_code=False, local_files_only=True
            )
    except _DAMAGE as error:
        raise ModelRefused(f"{folder}: its image processor cannot be loaded: {_first_line(error)}") from error
    if not isinstance(processor, PilBackend):
        raise ModelRefused(f"{folder}: {type(processor).__name__} needs torchvision, which is not used here")
    return processor


@contextmanager
def quiet() -> Iterator[None]:
    """Loading tells its news by exceptions here; bars and log lines of the library would only repeat them."""
    bars, verbosity = library.is_progress_bar_enabled(), library.get_verbosity()
    library.disable_progress_bar()  # type: ignore[no-untyped-call]
    library.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        library.set_verbosity(verbosity)
        if bars:
            library.enable_progress_bar()  # type: ignore[no-untyped-call]


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0][:300] if text else type(error).__name__
