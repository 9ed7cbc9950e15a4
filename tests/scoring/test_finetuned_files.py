from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from scoring.errors import ModelRefused
from scoring.finetuned_files import classifier_layer, write_classifier
from scoring.loading import load_trainable
from tests.scoring.lessons import POLICIES
from tests.scoring.tiny import write_model


@pytest.mark.parametrize("kind", ["bert", "roberta", "distilbert", "deberta"])
def test_the_last_layer_is_found_in_every_architecture(tmp_path: Path, kind: str) -> None:
    torch.manual_seed(0)
    model = load_trainable(write_model(tmp_path / "base", kind), POLICIES)
    layer = classifier_layer(model, 2)
    assert layer.out_features == 2
    before = layer.bias.detach().numpy().copy()
    write_classifier(model, tmp_path / "base", np.array([0.5, -1], np.float32), tmp_path / "out")
    tensors = load_file(tmp_path / "out" / "model.safetensors")
    biases = [value for name, value in tensors.items() if value.shape == (2,) and name.endswith("bias")]
    np.testing.assert_allclose(biases[-1], before - np.array([0.5, -1], np.float32), atol=1e-6)


def test_a_layer_without_a_bias_is_refused(tmp_path: Path) -> None:
    model = load_trainable(write_model(tmp_path, "bert"), POLICIES)
    classifier_layer(model, 2).bias = None  # type: ignore[assignment]
    with pytest.raises(ModelRefused, match="class weights none"):
        classifier_layer(model, 2)
