from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoImageProcessor

from scoring.base import ImageScorer
from scoring.errors import DeviceError, LabelMapError, ModelRefused
from scoring.hf_image import HFImageClassifier
from scoring.images import Limits
from tests.contracts.image_scorer import FILES, IDS, PICTURES, ImageScorerContract
from tests.scoring.tiny_images import CLASSIFIERS, LABELS, write_classifier

MAP = {"drawing": "sexual", "explicit": "sexual", "gore": "violence"}
EACH = {name: name for name in LABELS}
IMAGES: Any = AutoImageProcessor  # has no types


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("images")
    return {kind: write_classifier(root / kind, kind) for kind in CLASSIFIERS}


class TinyContract(ImageScorerContract):
    kind: str
    folder: Path
    other: Path

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _folders(cls, folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> None:
        cls.folder = folders[cls.kind]
        cls.other = write_classifier(tmp_path_factory.mktemp("other"), cls.kind, seed=1)

    @classmethod
    def make(cls) -> ImageScorer:
        return HFImageClassifier(cls.folder, MAP, device="cpu")

    @classmethod
    def make_other(cls) -> ImageScorer:
        return HFImageClassifier(cls.other, MAP, device="cpu")


class TestViT(TinyContract):
    kind = "vit"


class TestSwin(TinyContract):
    kind = "swin"


class TestConvNext(TinyContract):
    kind = "convnext"


class TestBeit(TinyContract):
    kind = "beit"


class TestSiglip(TinyContract):
    kind = "siglip"


@pytest.mark.parametrize("kind", CLASSIFIERS)
@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_it_agrees_with_transformers(folders: dict[str, Path], kind: str, activation: str) -> None:
    ours = HFImageClassifier(folders[kind], EACH, policies=LABELS, activation=activation, device="cpu")
    processor = IMAGES.from_pretrained(str(folders[kind]), backend="pil")
    with torch.inference_mode():
        inputs = processor(list(PICTURES), return_tensors="pt")
        logits = ours.module(**inputs).logits
    expected = logits.sigmoid() if activation == "sigmoid" else logits.softmax(dim=-1)
    np.testing.assert_allclose(ours.score(IDS, FILES).probabilities, expected.numpy(), atol=1e-5)


@pytest.mark.parametrize("kind", CLASSIFIERS)
def test_the_last_layer_on_the_embedding_points_as_the_logits_do(folders: dict[str, Path], kind: str) -> None:
    """Embeddings are what the last layer reads, up to their length."""
    scorer = HFImageClassifier(folders[kind], EACH, policies=LABELS, activation="softmax", device="cpu")
    found = scorer.score(IDS, FILES)
    layer: Any = scorer.module.classifier
    weights, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    for vector, shares in zip(found.embeddings.astype(np.float32), found.probabilities, strict=True):
        logits = np.log(shares) - np.log(shares).mean() - (bias - bias.mean())
        pointing = weights @ vector
        pointing -= pointing.mean()
        assert logits @ pointing / np.linalg.norm(logits) / np.linalg.norm(pointing) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(("problem", "activation"), [(None, "softmax"), ("multi_label_classification", "sigmoid")])
def test_the_config_chooses_the_activation(tmp_path: Path, problem: str | None, activation: str) -> None:
    folder = write_classifier(tmp_path / "model", "vit", problem=problem)
    assert HFImageClassifier(folder, MAP, device="cpu").activation == activation


def test_a_label_map_that_does_not_fit_is_refused_by_name(folders: dict[str, Path]) -> None:
    with pytest.raises(LabelMapError, match=r"no label nsfw; it has normal, drawing, explicit, gore"):
        HFImageClassifier(folders["vit"], {"nsfw": "sexual"}, device="cpu")
    with pytest.raises(LabelMapError, match="no label stands for: hate"):
        HFImageClassifier(folders["vit"], MAP, policies=("sexual", "violence", "hate"), device="cpu")


def test_out_of_memory_halves_the_batch(folders: dict[str, Path]) -> None:
    scorer = HFImageClassifier(folders["vit"], MAP, device="cpu")
    expected = scorer.score(IDS, FILES)

    def starve(_module: torch.nn.Module, _args: object, kwargs: dict[str, torch.Tensor]) -> None:
        if len(kwargs["pixel_values"]) > 2:
            raise torch.OutOfMemoryError("injected")

    handle = scorer.module.register_forward_pre_hook(starve, with_kwargs=True)
    found = scorer.score(IDS, FILES)
    handle.remove()
    assert found.failures == ()
    np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=1e-5)


def test_weights_that_give_no_number_fail_each_picture_by_id(folders: dict[str, Path]) -> None:
    scorer = HFImageClassifier(folders["vit"], MAP, device="cpu")
    with torch.no_grad():
        next(iter(scorer.module.parameters())).fill_(torch.nan)
    found = scorer.score(IDS, FILES)
    assert [failure.item_id for failure in found.failures] == list(IDS)


def test_the_version_covers_map_activation_and_limits_but_embeddings_only_limits(folders: dict[str, Path]) -> None:
    made = [
        HFImageClassifier(folders["vit"], MAP, device="cpu"),
        HFImageClassifier(folders["vit"], {"gore": "violence"}, device="cpu"),
        HFImageClassifier(folders["vit"], MAP, activation="sigmoid", device="cpu"),
    ]
    assert len({scorer.version for scorer in made}) == 3
    assert len({scorer.embedding_version for scorer in made}) == 1
    fewer = HFImageClassifier(folders["vit"], MAP, device="cpu", limits=Limits(frames=2))
    assert fewer.embedding_version != made[0].embedding_version


def test_the_version_covers_how_pixels_are_prepared(tmp_path: Path) -> None:
    folder = write_classifier(tmp_path / "model", "vit")
    before = HFImageClassifier(folder, MAP, device="cpu").version
    path = folder / "preprocessor_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"resample": 3}))
    assert HFImageClassifier(folder, MAP, device="cpu").version != before


def test_pixels_of_another_size_than_the_model_reads_are_refused_at_load(tmp_path: Path) -> None:
    folder = write_classifier(tmp_path / "model", "vit")
    path = folder / "preprocessor_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"size": {"height": 16, "width": 16}}))
    with pytest.raises(ModelRefused, match="cannot read what its image processor makes"):
        HFImageClassifier(folder, MAP, device="cpu")


def test_a_text_classifier_is_refused(tiny: dict[str, Path]) -> None:
    with pytest.raises(ModelRefused):
        HFImageClassifier(tiny["bert"], {"insult": "abuse"}, device="cpu")


def test_weights_in_a_pickle_are_refused(tmp_path: Path) -> None:
    folder = write_classifier(tmp_path / "model", "vit")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ModelRefused, match="can run code"):
        HFImageClassifier(folder, MAP, device="cpu")


def test_wrong_arguments_are_refused(folders: dict[str, Path]) -> None:
    with pytest.raises(ValueError, match="batch"):
        HFImageClassifier(folders["vit"], MAP, batch=0, device="cpu")
    with pytest.raises(DeviceError, match="tpu"):
        HFImageClassifier(folders["vit"], MAP, device="tpu")
