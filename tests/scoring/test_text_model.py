from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from scoring import packed
from scoring.encoder import SentenceEncoder
from scoring.hf_classifier import HFClassifier
from tests.contracts.scorer import IDS, TEXTS
from tests.scoring.architectures import write_architecture

MAP = {"insult": "abuse", "threat": "violence"}
PACKS = ("electra", "xlm-roberta", "modernbert-cls", "modernbert-mean")
DOES_NOT = ("mpnet", "deberta-v2")  # both add a bias by relative position, each in code of its own


@pytest.fixture(scope="module")
def folders(tiny: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("architectures")
    return tiny | {kind: write_architecture(root / kind, kind) for kind in (*PACKS, *DOES_NOT)}


@pytest.mark.parametrize("kind", ["bert", "roberta", "distilbert", *PACKS, *DOES_NOT])
def test_packed_or_not_the_scores_are_the_same(folders: dict[str, Path], kind: str) -> None:
    packing = HFClassifier(folders[kind], MAP, device="cpu", packed=True)
    padding = HFClassifier(folders[kind], MAP, device="cpu", packed=False)
    assert packing.packed == (kind not in DOES_NOT)
    assert not padding.packed
    assert packing.version == padding.version
    ours, theirs = packing.score(IDS, TEXTS), padding.score(IDS, TEXTS)
    np.testing.assert_allclose(ours.probabilities, theirs.probabilities, rtol=0, atol=1e-5)
    np.testing.assert_allclose(
        ours.embeddings.astype(np.float32), theirs.embeddings.astype(np.float32), rtol=0, atol=1e-3
    )


@pytest.mark.parametrize("kind", ["bert", "roberta", "modernbert-mean"])
def test_a_model_that_packing_would_change_is_padded(
    folders: dict[str, Path], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def leak(tokens: Any, layout: packed.Layout, shape: Any) -> torch.Tensor:
        return real(tokens, packed.Layout((sum(layout.lengths),), layout.device), shape)

    real = packed._by_runs
    monkeypatch.setattr(packed, "_by_runs", leak)
    scorer = HFClassifier(folders[kind], MAP, device="cpu", packed=True)
    assert not scorer.packed
    monkeypatch.undo()
    expected = HFClassifier(folders[kind], MAP, device="cpu", packed=False).score(IDS, TEXTS)
    np.testing.assert_array_equal(scorer.score(IDS, TEXTS).probabilities, expected.probabilities)


def test_positions_that_begin_wrongly_are_noticed(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scoring.tokens.position_ids", lambda lengths, first: packed.position_ids(lengths, first - 1))
    assert not HFClassifier(folders["roberta"], MAP, device="cpu", packed=True).packed


def test_few_shapes_reach_a_compiled_model(tiny: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    shapes: set[tuple[int, ...]] = set()

    def compiled(function: Any, **_settings: object) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            shapes.add(tuple(kwargs["input_ids"].shape))
            return function(*args, **kwargs)

        return call

    monkeypatch.setattr(torch, "compile", compiled)
    few = SentenceEncoder(tiny["bert"], device="cpu", compiled=True, batch_tokens=128)
    plain = SentenceEncoder(tiny["bert"], device="cpu", packed=False, batch_tokens=128)
    found = few.encode(IDS, TEXTS)
    assert shapes == {(8, 16), (4, 32)}
    np.testing.assert_allclose(
        found.vectors.astype(np.float32), plain.encode(IDS, TEXTS).vectors.astype(np.float32), rtol=0, atol=1e-3
    )


def test_half_precision_scores_move_little_with_the_batch(folders: dict[str, Path]) -> None:
    scorer = HFClassifier(folders["bert"], MAP, device="cpu", packed=True)
    network: torch.nn.Module = scorer.module
    network.to(torch.bfloat16)
    whole = scorer.score(IDS, TEXTS)
    assert whole.failures == ()
    for i, text in enumerate(TEXTS):
        alone = scorer.score([IDS[i]], [text])
        np.testing.assert_allclose(alone.probabilities[0], whole.probabilities[i], rtol=0, atol=2e-3)
