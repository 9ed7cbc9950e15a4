"""Models of well-known shapes with random weights, and texts of made words, for speed that no weights can change.

Needs torch, transformers and tokenizers only.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import BertConfig, BertModel, PreTrainedModel, PreTrainedTokenizerFast, RobertaConfig, RobertaModel

SHORTEST, LONGEST = 32, 256  # tokens a text


def made_words(rng: np.random.Generator) -> list[str]:
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    return sorted({"".join(rng.choice(letters, rng.integers(2, 10))) for _ in range(20_000)})


def made_texts(words: list[str], count: int, rng: np.random.Generator) -> list[str]:
    """Texts whose lengths in words are spread evenly over ``SHORTEST``..``LONGEST``."""
    return [" ".join(rng.choice(words, wanted)) for wanted in rng.integers(SHORTEST, LONGEST, count)]


def build(name: str, folder: Path, words: list[str]) -> PreTrainedModel:
    """A model of the named shape with random weights, saved as safetensors with a tokenizer of its family."""
    if name == "minilm":
        return write_bert(folder, _minilm(), words)
    torch.manual_seed(0)
    return _write(folder, _bytes(words), RobertaModel(_roberta(), add_pooling_layer=False))


def write_bert(folder: Path, config: BertConfig, words: list[str]) -> PreTrainedModel:
    """A BERT of this shape with random weights, and a word-piece tokenizer that knows ``words``."""
    torch.manual_seed(0)
    return _write(folder, _wordpiece(words), BertModel(config, add_pooling_layer=False))


def _write(folder: Path, tokenizer: PreTrainedTokenizerFast, model: PreTrainedModel) -> PreTrainedModel:
    folder.mkdir(parents=True)
    tokenizer.save_pretrained(folder)
    model.save_pretrained(folder, safe_serialization=True)
    _as_sentence_transformer(folder, model.config.hidden_size)
    return model


def _minilm() -> BertConfig:
    return BertConfig(hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536)


def _roberta() -> RobertaConfig:
    return RobertaConfig(vocab_size=50_265, max_position_embeddings=514, type_vocab_size=1, pad_token_id=1)


def _wordpiece(words: list[str]) -> PreTrainedTokenizerFast:
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    inner = Tokenizer(models.WordPiece({token: i for i, token in enumerate([*special, *words])}, unk_token="[UNK]"))  # noqa: S106
    inner.normalizer = normalizers.BertNormalizer(lowercase=True)
    inner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    inner.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=inner,
        model_max_length=512,
        pad_token="[PAD]",  # noqa: S106
        unk_token="[UNK]",  # noqa: S106
        cls_token="[CLS]",  # noqa: S106
        sep_token="[SEP]",  # noqa: S106
    )


def _bytes(words: list[str]) -> PreTrainedTokenizerFast:
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=20_000, special_tokens=special, show_progress=False)
    inner.train_from_iterator([" ".join(words)], trainer)
    inner.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=inner,
        model_max_length=512,
        bos_token="<s>",  # noqa: S106
        pad_token="<pad>",  # noqa: S106
        eos_token="</s>",  # noqa: S106
        unk_token="<unk>",  # noqa: S106
    )


def _as_sentence_transformer(folder: Path, dimension: int) -> None:
    """The files by which both sides know the pooling (mean) and the limit."""
    modules = [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
        {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
    ]
    pooling = {"word_embedding_dimension": dimension, "pooling_mode_mean_tokens": True}
    for path, content in {
        "modules.json": modules,
        "1_Pooling/config.json": pooling,
        "sentence_bert_config.json": {"max_seq_length": LONGEST, "do_lower_case": False},
    }.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(json.dumps(content), encoding="utf-8")
