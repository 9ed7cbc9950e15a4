"""What a first stage starts from: tokens, a vector for each, and what the full scorer thinks of each by itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from scipy.special import logit
from tokenizers import Tokenizer

from scoring.base import Progress, Scorer
from scoring.encoder import default_encoder_folder
from scoring.errors import ModelRefused

F32 = npt.NDArray[np.float32]
PIECE = "##"  # before a token that goes on with a word, in WordPiece
LEAST = 1e-6  # probabilities are kept this far away from 0 and 1


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """A tokenizer (JSON) and a vector for each of its tokens, (v, D) float32. ``opinions`` (v, k) float32: the full
    scorer's logits of each token by itself, less their mean and over their spread, 0 where it has none; None: it was
    not asked."""

    tokenizer: str
    vectors: F32
    opinions: F32 | None = None


def read_vocabulary(folder: Path | None = None) -> Vocabulary:
    """The tokenizer and token table of an encoder's folder (None: the default encoder). Raises ModelNotFound,
    ModelRefused."""
    folder = folder or default_encoder_folder()
    try:
        tokenizer = (folder / "tokenizer.json").read_text(encoding="utf-8")
        with safe_open(folder / "model.safetensors", "np") as file:
            names = [name for name in file.keys() if name.endswith("word_embeddings.weight")]  # noqa: SIM118
            vectors = file.get_tensor(names[0]).astype(np.float32)
    except (OSError, SafetensorError, IndexError) as error:
        raise ModelRefused(f"{folder} has no tokenizer.json and token table to start from: {error}") from error
    return Vocabulary(tokenizer, vectors)


def ask(vocabulary: Vocabulary, full: Scorer, progress: Progress | None = None) -> Vocabulary:
    """The vocabulary with ``full``'s opinions: it scores every token once, as a text of its own. This tells a stage
    about words that its sample has seldom or never. 30,522 tokens cost as much as about 4,000 short posts."""
    tokens = Tokenizer.from_str(vocabulary.tokenizer).get_vocab()
    found = full.score([str(i) for i in tokens.values()], [token.removeprefix(PIECE) for token in tokens], progress)
    rows = [int(i) for i in found.ids]
    logits = logit(np.clip(found.probabilities.astype(np.float64), LEAST, 1 - LEAST))
    opinions = np.zeros((len(vocabulary.vectors), len(full.policies)), np.float32)
    if rows:
        opinions[rows] = (logits - logits.mean(axis=0)) / (logits.std(axis=0) + 1e-12)
    return replace(vocabulary, opinions=opinions)
