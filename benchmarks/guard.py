"""A guard model with kept prompt beginnings beside the same model fed whole prompts: texts per CPU second, same run.

The model is a small Llama with random weights, since only the work counts here: 4 layers, 256 wide, grouped heads.
Policies are the packaged ones at their real length, all of them for every text. The peers are plain transformers
forward passes over (policy, text) prompts: one at a time, and in batches of prompts of like length. They get their
token ids for nothing, which favours them. Before the race all must give the same scores.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from transformers.utils import logging

from benchmarks.row import Row, hardware
from benchmarks.scoring import race, sample_texts
from configs.settings import PACKAGED_POLICIES
from labeling.policies import read_policies
from scoring.guard_llm import GuardLLM
from scoring.guard_prompts import STYLES

NAMES = (
    "guard_policy_first_vs_single_prompts",
    "guard_policy_first_vs_batched_prompts",
    "guard_text_first_vs_single_prompts",
    "guard_text_first_vs_batched_prompts",
)
ORDERS = ("generic", "shieldgemma")  # the style that puts the policy first, and the one that puts the text first
PEERS = ("transformers, one prompt at a time", "transformers, batches of 8 prompts")
TEXTS = 32
BATCH = 8
AGREE = 1e-4  # how far the scores of two ways may lie apart
SIZES: dict[str, Any] = {
    "hidden_size": 256,
    "intermediate_size": 688,
    "num_hidden_layers": 4,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "max_position_embeddings": 4096,
}
CONTROLS = ("<pad>", "<bos>", "<start_of_turn>", "<end_of_turn>")
TEMPLATE = (
    "<bos>{% for message in messages %}<start_of_turn>{{ message['role'] }}\n{{ message['content'] }}<end_of_turn>\n"
    "{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)

Shares = npt.NDArray[np.float32]
Contestant = Callable[[list[str]], Shares]


def rows() -> list[Row]:
    """Two rows a style, one a peer. Raises RuntimeError when the ways do not agree on the scores."""
    texts, kind = sample_texts()
    texts = texts[:TEXTS]
    policies = {policy.id: policy.text for policy in read_policies(PACKAGED_POLICIES).values()}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with TemporaryDirectory() as folder:
            _write(Path(folder), [*policies.values(), *(style.body for style in STYLES.values()), *texts])
            found = []
            for place, style in enumerate(ORDERS):
                scorer = GuardLLM(folder, policies, style=style, device="cpu", max_tokens=512)
                found += _race(scorer, texts, kind, NAMES[2 * place : 2 * place + 2])
            return found
    finally:
        torch.set_num_threads(threads)


def _race(scorer: GuardLLM, texts: list[str], kind: str, names: tuple[str, ...]) -> list[Row]:
    whole = _Whole(scorer)
    contestants: list[Contestant] = [
        lambda given: scorer.score([str(i) for i in range(len(given))], given).probabilities,
        lambda given: whole.score(given, 1),
        lambda given: whole.score(given, BATCH),
    ]
    shares = [contestant(texts) for contestant in contestants]
    apart = max(float(np.abs(shares[0] - other).max()) for other in shares[1:])
    if not apart <= AGREE:
        raise RuntimeError(f"the scores of the same prompts lie {apart:.2g} apart, so the race would prove nothing")
    runs = race(list(contestants), texts)
    length = median(len(prompt.before) + len(prompt.after) for prompt in scorer._prompts)
    about = (
        f"{len(texts)} {kind} texts under {len(scorer.policies)} policies, prompts of {length:.0f} tokens and the text"
    )
    return [
        Row(
            name,
            median(len(texts) / run[0] for run in runs),
            "texts per CPU second",
            peer,
            median(len(texts) / run[place] for run in runs),
            median(run[place] / run[0] for run in runs),
            "",
            f"{hardware()}; 1 thread; {about}",
        )
        for place, (name, peer) in enumerate(zip(names, PEERS, strict=True), 1)
    ]


class _Whole:
    """The scorer's own model over its own prompts, nothing kept from one prompt to the next."""

    def __init__(self, scorer: GuardLLM) -> None:
        self._module: Any = scorer.module
        self._tokenizer = scorer._tokenizer

    def score(self, texts: list[str], size: int) -> Shares:
        """P(violates), (texts, policies), ``size`` prompts a pass."""
        contents = self._tokenizer.contents(texts)
        prompts = [[*p.before, *c.ids, *p.after] for c in contents for p in self._tokenizer.prompts]
        order = sorted(range(len(prompts)), key=lambda i: -len(prompts[i]))
        shares = np.empty(len(prompts), np.float32)
        for start in range(0, len(order), size):
            batch = order[start : start + size]
            shares[batch] = self._pass([prompts[i] for i in batch])
        return shares.reshape(len(texts), -1)

    def _pass(self, prompts: list[list[int]]) -> Shares:
        width = max(len(prompt) for prompt in prompts)
        mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])
        ids = torch.tensor([[0] * (width - len(prompt)) + prompt for prompt in prompts])
        with torch.inference_mode():
            logits = self._module(
                input_ids=ids,
                attention_mask=mask,
                position_ids=(mask.cumsum(dim=1) - 1).clamp(min=0),
                use_cache=False,
                logits_to_keep=1,
            ).logits
        found: Shares = logits[:, -1, list(self._tokenizer.answers)].softmax(dim=-1)[:, 0].numpy()
        return found


def _write(folder: Path, corpus: list[str]) -> None:
    """Tokenizer, chat template and model of a small Llama."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=8000, special_tokens=list(CONTROLS), initial_alphabet=alphabet, show_progress=False
    )
    backend.train_from_iterator([*corpus, *["\nYes\nNo\n"] * 9], trainer)
    fast = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=backend, **dict(zip(("pad_token", "bos_token"), CONTROLS, strict=False))
    )
    fast.chat_template = TEMPLATE
    fast.save_pretrained(str(folder))
    torch.manual_seed(0)
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    vocabulary = int(backend.get_vocab_size())
    LlamaForCausalLM(LlamaConfig(vocab_size=vocabulary, pad_token_id=0, bos_token_id=1, **SIZES)).save_pretrained(
        str(folder)
    )
