"""Tiny first stages: random weights over the tiny models' tokenizer, and samples that one can be distilled from."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from scoring.clearing import Clearing
from scoring.first_stage import WINDOW, FirstStage
from scoring.vocabulary import Vocabulary
from tests.scoring.tiny import write_tokenizer

WORDS = (
    *("fox", "dog", "day", "park", "books", "friends", "bad", "words", "hurt", "people", "care", "lovely"),
    *("lazy", "quick", "small", "birds", "sing", "walk"),
)

TAU = 0.9


def tiny_tokenizer(folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    write_tokenizer(folder)
    return (folder / "tokenizer.json").read_text(encoding="utf-8")


def tiny_vocabulary(folder: Path) -> Vocabulary:
    return Vocabulary(tiny_tokenizer(folder), np.random.default_rng(0).normal(size=(200, 16)).astype(np.float32))


def tiny_stage(tokenizer: str, policies: tuple[str, ...], *, seed: int = 0, max_tokens: int = 64) -> FirstStage:
    rng = np.random.default_rng(seed)
    v, d, f, h, k = 200, 4, 6, 5, len(policies)
    shapes = {
        "tokens": (v, d),
        "votes": (v, k),
        "kernel": (WINDOW, d, f),
        "kernel_bias": (f,),
        "hidden": (d + 2 * f, h),
        "hidden_bias": (h,),
        "output": (h, k),
        "output_bias": (k,),
        "pairs": (50, k),
    }
    tensors = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    for name in ("votes", "pairs", "output"):
        tensors[name] *= np.float32(0.3)  # guesses of a few logits, where probabilities still differ
    return FirstStage(policies, tokenizer, tensors, max_tokens)


def rule(policies: tuple[str, ...], full_version: str, *, cut: float = 0.0, trickle: float = 0.0) -> Clearing:
    k = len(policies)
    return Clearing(policies, (TAU,) * k, (0.1,) * k, cut, trickle, 0, full_version)


def made_texts(n: int, seed: int = 0) -> list[str]:
    """Texts of a few words each; those with both "bad" and "hurt" stand for violations, about one in six."""
    rng = np.random.default_rng(seed)
    texts = []
    for i in range(n):
        words = rng.choice(WORDS, rng.integers(3, 9)).tolist()
        words += ["bad", "hurt"] if rng.random() < 1 / 8 else []
        texts.append(" ".join(rng.permutation(words).tolist()) + f" {i}")
    return texts


def made_probabilities(texts: list[str], k: int = 1) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """(n, k) what a model that knows the rule of ``made_texts`` says: 0.9 or less, by the words."""
    bad = np.array([("bad" in text) + ("hurt" in text) for text in texts])
    column = np.array([0.01, 0.1, 0.9], np.float32)[bad]
    return np.repeat(column[:, None], k, axis=1)
