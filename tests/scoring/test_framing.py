from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from scoring.errors import ModelRefused
from scoring.framing import Frame, backend_of

WORDS = {word: i for i, word in enumerate(["[UNK]", "<s>", "</s>", "set", "a", "longer", "text"])}
SPECIAL = [("<s>", 1), ("</s>", 2)]


def words(single: str) -> Tokenizer:
    made = Tokenizer(models.WordLevel(WORDS, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(single=single, special_tokens=SPECIAL)
    return made


def test_the_special_tokens_around_a_text_are_found() -> None:
    frame = Frame.of(Path("model"), words("<s>:2 $A:1 </s>:1"))
    assert (frame.before, frame.after, frame.length) == ([1], [2], 2)
    assert frame.types(2) == [2, 1, 1, 1]
    assert Frame.of(Path("model"), words("$A")).length == 0


def test_a_tokenizer_that_does_more_is_refused() -> None:
    pairs = words("<s> $A </s>")
    pairs.normalizer = None
    pairs.post_processor = processors.TemplateProcessing(single="$A:0 </s> $A:1", special_tokens=SPECIAL)
    frame = Frame.of(Path("model"), words("<s> $A </s>"))
    assert frame.before == [1]
    with pytest.raises(ModelRefused, match="special tokens around"):
        Frame.of(Path("model"), pairs)


def test_a_slow_tokenizer_is_refused() -> None:
    with pytest.raises(ModelRefused, match=r"no fast tokenizer; add its tokenizer\.json"):
        backend_of(Path("model"), object())  # type: ignore[arg-type]
