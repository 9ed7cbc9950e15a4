from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from transformers import AutoModel

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
