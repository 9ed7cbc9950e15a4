"""Tiny transformers models with random weights and a real tokenizer, written to a folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    DebertaV2Config,
    DebertaV2ForSequenceClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForSequenceClassification,
)
from transformers.utils import logging

LABELS = ("neutral", "insult", "threat", "slur")
CORPUS = (
    "the quick brown fox jumps over the lazy dog while a hundred small birds sing",
    "what a lovely day to walk in the park and talk about books with good friends",
    "bad words can hurt people more than we think so let us choose them with care",
)
SPECIAL = ("<pad>", "<unk>", "<s>", "</s>")
INPUTS = ["input_ids", "token_type_ids", "attention_mask"]  # more than DistilBERT reads
MAX_TOKENS = 32


def write_tokenizer(folder: Path) -> int:
    """A word-piece tokenizer learned from ``CORPUS``; returns its vocabulary size."""
    backend = Tokenizer(models.WordPiece(unk_token="<unk>"))
    backend.normalizer = normalizers.BertNormalizer()
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.train_from_iterator(
        CORPUS, trainers.WordPieceTrainer(vocab_size=200, special_tokens=list(SPECIAL), show_progress=False)
    )
    pairs = [(token, backend.token_to_id(token)) for token in ("<s>", "</s>")]
    backend.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=pairs)
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token"), SPECIAL, strict=True))
    fast = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=backend, model_max_length=MAX_TOKENS, model_input_names=INPUTS, **names
    )
    fast.save_pretrained(str(folder))
    return int(backend.get_vocab_size())


def write_model(
    folder: Path, kind: str, *, seed: int = 0, problem: str | None = None, labels: Sequence[str] = LABELS
) -> Path:
    """A classifier over ``labels``; ``kind`` is "bert", "roberta", "distilbert" or "deberta"."""
    folder.mkdir(parents=True, exist_ok=True)
    size = write_tokenizer(folder)
    torch.manual_seed(seed)
    shared: dict[str, Any] = {
        "vocab_size": size,
        "pad_token_id": 0,
        "problem_type": problem,
        "initializer_range": 0.5,  # wide, so that different texts get clearly different scores
        "id2label": dict(enumerate(labels)),
        "label2id": {name: i for i, name in enumerate(labels)},
    }
    model: PreTrainedModel = _BUILDERS[kind](shared)
    network: torch.nn.Module = model
    network.eval()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    model.save_pretrained(str(folder))
    return folder


_WIDE: dict[str, Any] = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}


def _bert(shared: dict[str, Any]) -> PreTrainedModel:
    return BertForSequenceClassification(BertConfig(**shared, **_WIDE, max_position_embeddings=MAX_TOKENS))


def _roberta(shared: dict[str, Any]) -> PreTrainedModel:
    limit = MAX_TOKENS + 1  # positions up to the padding index (0) are not used
    config = RobertaConfig(**shared, **_WIDE, max_position_embeddings=limit, type_vocab_size=1)
    return RobertaForSequenceClassification(config)


def _distilbert(shared: dict[str, Any]) -> PreTrainedModel:
    small: dict[str, Any] = {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64}
    config = DistilBertConfig(**shared, **small, max_position_embeddings=MAX_TOKENS)
    return DistilBertForSequenceClassification(config)


def _deberta(shared: dict[str, Any]) -> PreTrainedModel:
    config = DebertaV2Config(
        **shared, **_WIDE, max_position_embeddings=MAX_TOKENS, relative_attention=True, pos_att_type=["c2p", "p2c"]
    )
    return DebertaV2ForSequenceClassification(config)


_BUILDERS: dict[str, Callable[[dict[str, Any]], PreTrainedModel]] = {
    "bert": _bert,
    "roberta": _roberta,
    "distilbert": _distilbert,
    "deberta": _deberta,
}
