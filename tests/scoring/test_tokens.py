from __future__ import annotations

import json
import re
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import AutoModel, AutoTokenizer

from scoring.errors import ModelRefused
from scoring.loading import load_model
from scoring.tokens import Tokenizer
from tests.scoring.tiny import MAX_TOKENS

CPU = torch.device("cpu")


def tokenizer(folder: Path, max_tokens: int | None = None) -> Tokenizer:
    return Tokenizer(folder, load_model(AutoModel, folder, CPU, may_lack=("pooler.",)), max_tokens)


def test_rows_are_cut_and_not_padded(tiny: dict[str, Path]) -> None:
    rows = tokenizer(tiny["bert"], 8).rows(["fox", "the lazy dog " * 9])
    assert [len(row["input_ids"]) for row in rows] == [3, 8]


def test_padding_is_masked(tiny: dict[str, Path]) -> None:
    made = tokenizer(tiny["bert"])
    tensors = made.collate(made.rows(["fox", "the lazy dog"]), CPU)
    assert tensors["attention_mask"].tolist() == [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]
    assert tensors["input_ids"][0, 3:].tolist() == [0, 0]
    assert {tensor.dtype for tensor in tensors.values()} == {torch.int64}


def test_token_types_go_only_where_they_are_read(tiny: dict[str, Path]) -> None:
    assert "token_type_ids" in tokenizer(tiny["bert"]).rows(["fox"])[0]
    assert "token_type_ids" not in tokenizer(tiny["distilbert"]).rows(["fox"])[0]


@pytest.mark.parametrize("kind", ["bert", "roberta", "distilbert"])
def test_the_limit_is_what_the_positions_allow(tiny: dict[str, Path], tmp_path: Path, kind: str) -> None:
    folder = tmp_path / kind
    shutil.copytree(tiny[kind], folder)
    config = json.loads((folder / "tokenizer_config.json").read_text())
    config["model_max_length"] = int(1e30)
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    assert tokenizer(folder).max_tokens == MAX_TOKENS


def test_a_limit_out_of_range_is_refused(tiny: dict[str, Path]) -> None:
    for wrong in (2, MAX_TOKENS + 1):
        with pytest.raises(ValueError, match=r"max_tokens must lie in 3\.\.32"):
            tokenizer(tiny["bert"], wrong)


def test_a_tokenizer_larger_than_the_model_is_refused(tiny: dict[str, Path]) -> None:
    model = load_model(AutoModel, tiny["bert"], CPU)
    model.resize_token_embeddings(10)
    with pytest.raises(ModelRefused, match="but the model only 10"):
        Tokenizer(tiny["bert"], model)


def windowed(folder: Path, max_tokens: int | None = None, prompt: str = "") -> Tokenizer:
    model = load_model(AutoModel, folder, CPU, may_lack=("pooler.",))
    return Tokenizer(folder, model, max_tokens, long_text="windows", prompt=prompt)


def words(made: Tokenizer, rows: tuple[Any, ...]) -> list[str]:
    return [made._backend.decode(list(row["input_ids"])) for row in rows]


@pytest.mark.parametrize("kind", ["bert", "roberta"])
@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text(max_size=60), min_size=1, max_size=5))
def test_rows_are_what_transformers_makes_of_a_text(tiny: dict[str, Path], kind: str, texts: list[str]) -> None:
    texts = [text.encode(errors="ignore").decode() for text in texts]
    found = _cached(tiny[kind]).rows(texts)
    peer = AutoTokenizer.from_pretrained(str(tiny[kind]))
    for key in found[0]:
        assert [list(row[key]) for row in found] == peer(texts, truncation=True, max_length=MAX_TOKENS)[key]


@cache
def _cached(folder: Path) -> Tokenizer:
    return tokenizer(folder)


def test_a_text_within_the_limit_has_no_note(tiny: dict[str, Path]) -> None:
    reading = windowed(tiny["bert"]).read(["fox " * 30])[0]
    assert (len(reading.rows), reading.note) == (1, "")


def test_a_text_of_some_windows_is_read_whole(tiny: dict[str, Path]) -> None:
    made = windowed(tiny["bert"], 8)
    reading = made.read(["a b c d e f g h i j k l m n"])[0]
    assert words(made, reading.rows) == ["a b c d e f", "g h i j k l", "i j k l m n"]
    assert reading.note == "read whole, in 3 windows of at most 6 tokens"


def test_the_middle_of_a_longer_text_is_not_read(tiny: dict[str, Path]) -> None:
    made = windowed(tiny["bert"], 8)
    reading = made.read(["a b c d e f g h i j k l " + "fox " * 10 + "l k j i h g f e d c b a"])[0]
    assert words(made, reading.rows) == ["a b c d e f", "g h i j k l", "l k j i h g", "f e d c b a"]
    assert reading.note.endswith("the first and the last 12 tokens; 10 tokens in the middle were not read")


def test_of_a_huge_text_the_ends_only_are_tokenized(tiny: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    made = windowed(tiny["bert"], 8)
    text = "a b c d e f g h i j k l " + "fox " * 250_000 + "l k j i h g f e d c b a"
    seen = 0
    real = made._ids

    def counted(texts: list[str]) -> list[list[int]]:
        nonlocal seen
        seen += sum(map(len, texts))
        return real(texts)

    monkeypatch.setattr(made, "_ids", counted)
    reading = made.read([text])[0]
    assert words(made, reading.rows) == ["a b c d e f", "g h i j k l", "l k j i h g", "f e d c b a"]
    assert seen < 2000
    said = re.search(r"about (\d+) characters", reading.note)
    assert said
    assert float(said[1]) == pytest.approx(1_000_000, rel=0.01)


@pytest.mark.parametrize(
    "text", [" " * 300_000 + "fox", "fox" + " " * 300_000, "fox" * 100_000, "a" + "\u200b" * 300_000 + "b"]
)
def test_a_strange_huge_text_takes_bounded_work(tiny: dict[str, Path], text: str) -> None:
    for made in (windowed(tiny["bert"], 8), tokenizer(tiny["bert"], 8)):
        reading = made.read([text])[0]
        assert 1 <= len(reading.rows) <= made.rule.most
        assert all(2 <= len(row["input_ids"]) <= 8 for row in reading.rows)
        assert reading.note


def test_cutting_says_so(tiny: dict[str, Path]) -> None:
    short, huge = tokenizer(tiny["bert"], 8).read(["fox " * 9, "fox " * 9000])
    assert short.note == "only the first 6 tokens were read; 3 tokens were not"
    assert huge.note.startswith("only the first 6 tokens were read; about 359")
    assert len(short.rows) == len(huge.rows) == 1
    assert short.rows == huge.rows


def test_a_prompt_stands_before_every_window(tiny: dict[str, Path]) -> None:
    made = windowed(tiny["bert"], 8, "fox dog ")
    assert made.prompt_tokens == 3
    reading = made.read(["a b c d e f g"])[0]
    assert words(made, reading.rows) == ["fox dog a b c d", "fox dog d e f g"]
    with pytest.raises(ValueError, match="leaves no room"):
        windowed(tiny["bert"], 8, "fox " * 6)


def test_packed_rows_lie_one_after_the_other(tiny: dict[str, Path]) -> None:
    made = tokenizer(tiny["roberta"])
    rows = made.rows(["fox", "the lazy dog"])
    tensors, layout = made.pack(rows, CPU)
    assert layout.lengths == (3, 5)
    assert tensors["input_ids"].tolist() == [[*rows[0]["input_ids"], *rows[1]["input_ids"]]]
    assert tensors["position_ids"].tolist() == [[1, 2, 3, 1, 2, 3, 4, 5]]
