"""Tiny causal language models with random weights, a real tokenizer and a chat template, written to a folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import (
    CohereConfig,
    CohereForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    GptOssConfig,
    GptOssForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MambaConfig,
    MambaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
)
from transformers.utils import logging

from tests.scoring.tiny import CORPUS

ANSWERS = "\nYes\nNo\nsafe\nunsafe\n Yes\n No\n0\n1\n"
CONTROLS = (
    "<pad>",
    "<bos>",
    "<start_of_turn>",
    "<end_of_turn>",
    "<|begin_of_text|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eot_id|>",
    "<|start|>",
    "<|message|>",
    "<|end|>",
    "<|channel|>",
)
HIDDEN_CONTROL = "<think>"  # a control token that its tokenizer does not mark as special, as in real vocabularies
MAX_TOKENS = 2048
WINDOW = 24  # places that the layers with a window attend to: far fewer than any prompt has
WIDE_WINDOW = 160  # fewer than any prompt has, but two layers of it see the text from the answer
TEMPLATE = (
    "{{ '<bos>' }}{% for message in messages %}{{ '<start_of_turn>' + message['role'] + '\n' + message['content'] "
    "+ '<end_of_turn>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)


def write_llm_tokenizer(
    folder: Path,
    *,
    template: str | None = TEMPLATE,
    answers: str = ANSWERS,
    controls: tuple[str, ...] = CONTROLS,
    spelled: str | None = None,
    strip_accents: bool = False,
    spaces: bool = False,
) -> int:
    """A byte-level BPE tokenizer that knows ``controls``; returns its vocabulary size.

    ``spelled``: a character of its plain vocabulary that it marks as special; ``spaces``: it adds runs of white space.
    """
    backend = Tokenizer(models.BPE())
    if strip_accents:
        backend.normalizer = normalizers.StripAccents()
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=600, special_tokens=list(controls), initial_alphabet=alphabet, show_progress=False
    )
    backend.train_from_iterator([*CORPUS, *[answers] * 9], trainer)
    backend.add_tokens([AddedToken(HIDDEN_CONTROL, normalized=False)])
    if spaces:
        backend.add_tokens([AddedToken("\t" * n, normalized=False) for n in (2, 3)])
    if spelled:
        backend.add_special_tokens([spelled])
    fast = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=backend, pad_token="<pad>", bos_token="<bos>", model_max_length=MAX_TOKENS
    )
    fast.chat_template = template
    fast.save_pretrained(str(folder))
    return int(backend.get_vocab_size())


def write_llm(folder: Path, kind: str = "llama", *, seed: int = 0, **settings: Any) -> Path:
    """A decoder with its language head; ``kind``: a key of ``_BUILDERS``.

    gemma2 and gpt_oss have a layer that attends to ``WINDOW`` places only, in mistral all attend to ``WIDE_WINDOW``;
    gemma2 caps its logits; cohere scales its logits and mamba keeps no keys and values, so neither can be used.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shared: dict[str, Any] = {
        "vocab_size": write_llm_tokenizer(folder) + 8,  # some tokenizer classes add a token of their own
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 3,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "max_position_embeddings": MAX_TOKENS,
        "initializer_range": 0.3,  # wide, so that different texts get clearly different scores
    }
    torch.manual_seed(seed)
    model = _BUILDERS[kind](shared | settings)
    network: torch.nn.Module = model
    network.eval()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    model.save_pretrained(str(folder))
    return folder


def _llama(settings: dict[str, Any]) -> PreTrainedModel:
    return LlamaForCausalLM(LlamaConfig(**settings))


def _qwen2(settings: dict[str, Any]) -> PreTrainedModel:
    return Qwen2ForCausalLM(Qwen2Config(**settings))


def _mistral(settings: dict[str, Any]) -> PreTrainedModel:
    return MistralForCausalLM(MistralConfig(**({"sliding_window": WIDE_WINDOW} | settings)))


def _gemma2(settings: dict[str, Any]) -> PreTrainedModel:
    return Gemma2ForCausalLM(Gemma2Config(**settings, sliding_window=WINDOW, query_pre_attn_scalar=8))


def _gpt_oss(settings: dict[str, Any]) -> PreTrainedModel:
    experts: dict[str, Any] = {"num_local_experts": 4, "num_experts_per_tok": 2}
    rope = {"rope_type": "default", "rope_theta": 10_000.0}
    return GptOssForCausalLM(GptOssConfig(**settings, **experts, sliding_window=WINDOW, rope_parameters=rope))


def _cohere(settings: dict[str, Any]) -> PreTrainedModel:
    return CohereForCausalLM(CohereConfig(**settings, logit_scale=0.25))


def _mamba(settings: dict[str, Any]) -> PreTrainedModel:
    names = ("vocab_size", "hidden_size", "num_hidden_layers", "pad_token_id", "bos_token_id", "eos_token_id")
    return MambaForCausalLM(MambaConfig(**{name: settings[name] for name in names}, state_size=4))


_BUILDERS: dict[str, Callable[[dict[str, Any]], PreTrainedModel]] = {
    "llama": _llama,
    "qwen2": _qwen2,
    "mistral": _mistral,
    "gemma2": _gemma2,
    "gpt_oss": _gpt_oss,
    "cohere": _cohere,
    "mamba": _mamba,
}
