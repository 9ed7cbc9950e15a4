"""Tiny transformers of many architectures with random weights, all over the tokenizer of ``tiny``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import (
    DebertaV2Config,
    DebertaV2ForSequenceClassification,
    ElectraConfig,
    ElectraForSequenceClassification,
    ModernBertConfig,
    ModernBertForSequenceClassification,
    MPNetConfig,
    MPNetForSequenceClassification,
    PreTrainedModel,
    Qwen3Config,
    Qwen3Model,
    XLMRobertaConfig,
    XLMRobertaForSequenceClassification,
)
from transformers.utils import logging

from tests.scoring.tiny import LABELS, MAX_TOKENS, write_tokenizer

_WIDE: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}


def write_architecture(folder: Path, kind: str) -> Path:
    """A classifier over ``tiny.LABELS``, but "qwen3" is a bare decoder."""
    folder.mkdir(parents=True)
    size = write_tokenizer(folder)
    torch.manual_seed(0)
    shared: dict[str, Any] = {
        "vocab_size": size,
        "pad_token_id": 0,
        "initializer_range": 0.5,
        "id2label": dict(enumerate(LABELS)),
        "label2id": {name: i for i, name in enumerate(LABELS)},
    }
    model = _BUILDERS[kind](shared)
    network: torch.nn.Module = model
    network.eval()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    model.save_pretrained(str(folder))
    return folder


def _mpnet(shared: dict[str, Any]) -> PreTrainedModel:
    return MPNetForSequenceClassification(MPNetConfig(**shared, **_WIDE, max_position_embeddings=MAX_TOKENS + 2))


def _electra(shared: dict[str, Any]) -> PreTrainedModel:
    return ElectraForSequenceClassification(
        ElectraConfig(**shared, **_WIDE, embedding_size=16, max_position_embeddings=MAX_TOKENS)
    )


def _xlmr(shared: dict[str, Any]) -> PreTrainedModel:
    config = XLMRobertaConfig(**shared, **_WIDE, max_position_embeddings=MAX_TOKENS + 1, type_vocab_size=1)
    return XLMRobertaForSequenceClassification(config)


def _deberta(shared: dict[str, Any]) -> PreTrainedModel:
    relative: dict[str, Any] = {"relative_attention": True, "pos_att_type": ["c2p", "p2c"]}
    config = DebertaV2Config(**shared, **_WIDE, **relative, max_position_embeddings=MAX_TOKENS)
    return DebertaV2ForSequenceClassification(config)


def _modernbert(shared: dict[str, Any], pooling: str) -> PreTrainedModel:
    settings: dict[str, Any] = {
        "local_attention": 8,
        "global_attn_every_n_layers": 2,
        "classifier_pooling": pooling,
        "max_position_embeddings": MAX_TOKENS,
        "bos_token_id": 2,
        "eos_token_id": 3,
        "cls_token_id": 2,
        "sep_token_id": 3,
    }
    return ModernBertForSequenceClassification(ModernBertConfig(**shared, **_WIDE, **settings))


def _qwen3(shared: dict[str, Any]) -> PreTrainedModel:
    settings: dict[str, Any] = {"num_key_value_heads": 1, "head_dim": 16, "max_position_embeddings": MAX_TOKENS}
    return Qwen3Model(Qwen3Config(**shared, **_WIDE, **settings))


_BUILDERS: dict[str, Callable[[dict[str, Any]], PreTrainedModel]] = {
    "mpnet": _mpnet,
    "electra": _electra,
    "xlm-roberta": _xlmr,
    "deberta-v2": _deberta,
    "modernbert-cls": lambda shared: _modernbert(shared, "cls"),
    "modernbert-mean": lambda shared: _modernbert(shared, "mean"),
    "qwen3": _qwen3,
}
