"""Tiny image models with random weights and their image processors, written to a folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import (
    BeitConfig,
    BeitForImageClassification,
    BeitImageProcessorPil,
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    ConvNextConfig,
    ConvNextForImageClassification,
    ConvNextImageProcessorPil,
    PreTrainedModel,
    Siglip2Config,
    Siglip2ImageProcessorPil,
    Siglip2Model,
    SiglipConfig,
    SiglipForImageClassification,
    SiglipImageProcessorPil,
    SiglipModel,
    SwinConfig,
    SwinForImageClassification,
    ViTConfig,
    ViTForImageClassification,
    ViTImageProcessorPil,
)
from transformers.utils import logging

from tests.scoring.tiny import MAX_TOKENS, write_tokenizer

LABELS = ("normal", "drawing", "explicit", "gore")
SIDE = 32
_SQUARE = {"height": SIDE, "width": SIDE}
_WIDE: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
_PATCHES: dict[str, Any] = {"image_size": SIDE, "patch_size": 8, **_WIDE}
CLASSIFIERS = ("vit", "swin", "convnext", "beit", "siglip")
DUAL = ("clip", "siglip", "siglip2")


def write_classifier(folder: Path, kind: str, *, seed: int = 0, problem: str | None = None) -> Path:
    """A classifier over ``LABELS``; ``kind`` is one of ``CLASSIFIERS``."""
    torch.manual_seed(seed)
    shared: dict[str, Any] = {
        "problem_type": problem,
        "initializer_range": 0.3,  # wide, so that different pictures get clearly different scores
        "id2label": dict(enumerate(LABELS)),
        "label2id": {name: i for i, name in enumerate(LABELS)},
    }
    model, processor = _CLASSIFIERS[kind](shared)
    return _write(folder, model, processor)


def write_dual(folder: Path, kind: str, *, seed: int = 0) -> Path:
    """A dual encoder with its tokenizer; ``kind`` is one of ``DUAL``."""
    folder.mkdir(parents=True, exist_ok=True)
    size = write_tokenizer(folder)
    torch.manual_seed(seed)
    text: dict[str, Any] = {
        **_WIDE,
        "vocab_size": size,
        "max_position_embeddings": MAX_TOKENS,
        "bos_token_id": 2,
        "eos_token_id": 3,
        "pad_token_id": 0,
    }
    model, processor = _DUAL[kind](text)
    return _write(folder, model, processor)


def _write(folder: Path, model: PreTrainedModel, processor: Any) -> Path:
    network: torch.nn.Module = model
    network.eval()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    model.save_pretrained(str(folder))
    processor.save_pretrained(str(folder))
    return folder


def _vit(shared: dict[str, Any]) -> tuple[PreTrainedModel, Any]:
    return ViTForImageClassification(ViTConfig(**shared, **_PATCHES)), ViTImageProcessorPil(size=_SQUARE)


def _swin(shared: dict[str, Any]) -> tuple[PreTrainedModel, Any]:
    small: dict[str, Any] = {"embed_dim": 16, "depths": [1, 1], "num_heads": [2, 2], "window_size": 4}
    config = SwinConfig(**shared, **small, image_size=SIDE, patch_size=4)
    return SwinForImageClassification(config), ViTImageProcessorPil(size=_SQUARE)


def _convnext(shared: dict[str, Any]) -> tuple[PreTrainedModel, Any]:
    config = ConvNextConfig(**shared, hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 1, 1])
    return ConvNextForImageClassification(config), ConvNextImageProcessorPil(size={"shortest_edge": SIDE})


def _beit(shared: dict[str, Any]) -> tuple[PreTrainedModel, Any]:
    return BeitForImageClassification(BeitConfig(**shared, **_PATCHES)), BeitImageProcessorPil(size=_SQUARE)


def _siglip(shared: dict[str, Any]) -> tuple[PreTrainedModel, Any]:
    config = SiglipConfig(**shared, vision_config=_PATCHES)
    return SiglipForImageClassification(config), SiglipImageProcessorPil(size=_SQUARE)


def _clip_dual(text: dict[str, Any]) -> tuple[PreTrainedModel, Any]:
    config = CLIPConfig(text_config=text, vision_config=_PATCHES, projection_dim=24)
    processor = CLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size=_SQUARE)
    return CLIPModel(config), processor


def _siglip_dual(text: dict[str, Any]) -> tuple[PreTrainedModel, Any]:
    return SiglipModel(SiglipConfig(text_config=text, vision_config=_PATCHES)), SiglipImageProcessorPil(size=_SQUARE)


def _siglip2_dual(text: dict[str, Any]) -> tuple[PreTrainedModel, Any]:
    """It keeps a picture's proportions: patches are padded to ``num_patches``, with a mask."""
    config = Siglip2Config(text_config=text, vision_config={**_WIDE, "patch_size": 8, "num_patches": 16})
    return Siglip2Model(config), Siglip2ImageProcessorPil(patch_size=8, max_num_patches=16)


_CLASSIFIERS: dict[str, Callable[[dict[str, Any]], tuple[PreTrainedModel, Any]]] = {
    "vit": _vit,
    "swin": _swin,
    "convnext": _convnext,
    "beit": _beit,
    "siglip": _siglip,
}
_DUAL: dict[str, Callable[[dict[str, Any]], tuple[PreTrainedModel, Any]]] = {
    "clip": _clip_dual,
    "siglip": _siglip_dual,
    "siglip2": _siglip2_dual,
}
