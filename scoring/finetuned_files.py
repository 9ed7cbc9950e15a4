"""A fine-tuned classifier on its way to a folder: plain transformers files, safetensors only."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from transformers import PreTrainedModel

from scoring.errors import ModelNotSaved, ModelRefused

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "sentence_bert_config.json",
    "*.model",
)


def classifier_layer(model: PreTrainedModel, labels: int) -> torch.nn.Linear:
    """The linear layer that gives the logits. Raises ModelRefused when it has no bias to take class weights out of."""
    below = f"{model.base_model_prefix}."
    found = [
        module
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and module.out_features == labels and not name.startswith(below)
    ]
    if not found or found[-1].bias is None:
        raise ModelRefused(
            f"{type(model).__name__} has no bias in its last layer, so balanced class weights would stay in its "
            "probabilities; train it with class weights none"
        )
    return found[-1]


def write_classifier(model: PreTrainedModel, base: Path, shift: npt.NDArray[np.float32], folder: Path) -> None:
    """Save the classifier with ``base``'s tokenizer into ``folder``, in place of what is there.

    ``shift`` (k,) is taken off the last layer's bias: the odds that class weights multiplied are those of the training
    labels again. Raises ModelNotSaved, ModelRefused.
    """
    network: torch.nn.Module = model
    network.eval().cpu()
    if shift.any():
        bias = classifier_layer(model, len(shift)).bias
        with torch.no_grad():
            bias.sub_(torch.from_numpy(shift))
    try:
        shutil.rmtree(folder, ignore_errors=True)
        model.config.name_or_path = ""  # a path of this machine
        model.save_pretrained(str(folder))
        for pattern in TOKENIZER_FILES:
            for path in sorted(base.glob(pattern)):
                shutil.copyfile(path, folder / path.name)
    except OSError as error:
        raise ModelNotSaved(f"{folder} could not be written: {error}") from error
