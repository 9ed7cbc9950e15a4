"""A model's own image processor, without torchvision."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from scoring.errors import ModelRefused
from scoring.image_inputs import ImageInputs, collate
from tests.scoring.tiny_images import SIDE, write_classifier


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_classifier(tmp_path / "vit", "vit")


def rewrite(folder: Path, **changes: object) -> None:
    path = folder / "preprocessor_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_pixels_become_what_the_files_say(folder: Path) -> None:
    frame = np.full((50, 70, 3), (0, 127, 255), np.uint8)
    found = ImageInputs(folder).prepare(frame)["pixel_values"]
    assert found.shape == (3, SIDE, SIDE)
    np.testing.assert_allclose(found[:, 0, 0], [-1, 127 / 127.5 - 1, 1], atol=1e-5)


def test_a_narrow_picture_is_no_puzzle(folder: Path) -> None:
    """Where height, width and colours could all be the number of colours."""
    frame = np.zeros((3, 3, 3), np.uint8)
    frame[:, :, 1] = 255
    found = ImageInputs(folder).prepare(frame)["pixel_values"]
    np.testing.assert_allclose(found.mean(dim=(1, 2)), [-1, 1, -1], atol=1e-5)


def test_the_older_name_of_a_processor_is_understood(folder: Path) -> None:
    path = folder / "preprocessor_config.json"
    settings = json.loads(path.read_text())
    settings["feature_extractor_type"] = settings.pop("image_processor_type").replace(
        "ImageProcessor", "FeatureExtractor"
    )
    path.write_text(json.dumps(settings))
    assert ImageInputs(folder).prepare(np.asarray(Image.new("RGB", (9, 9))))["pixel_values"].shape == (3, SIDE, SIDE)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"do_resize": False}, "different sizes"),
        ({"size": {"shortest_edge": SIDE}}, "different sizes"),
        ({"size": {"height": SIDE}}, "cannot be loaded|cannot prepare"),
        ({"size": {"height": 10_000_000, "width": 10_000_000}}, r"size of its image processor must be 1\.\.2048"),
        ({"do_center_crop": True, "crop_size": {"height": 0, "width": 9}}, "crop_size"),
        ({"image_mean": [0.5]}, "cannot prepare"),
        ({"image_processor_type": "VivitImageProcessor"}, "torchvision|cannot be loaded"),
        ({"image_processor_type": "NoSuchProcessor"}, "cannot be loaded"),
    ],
)
def test_a_processor_that_does_not_fit_is_refused(folder: Path, changes: dict[str, object], reason: str) -> None:
    rewrite(folder, **changes)
    with pytest.raises(ModelRefused, match=reason):
        ImageInputs(folder)


def test_code_beside_the_model_is_never_run(folder: Path) -> None:
    marker = folder / "ran"
    (folder / "evil.py").write_text(f"open({str(marker)!r}, 'w').close()\n")
    rewrite(folder, image_processor_type="Evil", auto_map={"AutoImageProcessor": "evil.Evil"})
    with pytest.raises(ModelRefused):
        ImageInputs(folder)
    assert not marker.exists()


def test_a_folder_without_processor_is_refused(folder: Path) -> None:
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(ModelRefused, match="image processor cannot be loaded"):
        ImageInputs(folder)


def test_whole_numbers_keep_their_type() -> None:
    one = {"pixel_values": torch.zeros(2), "spatial_shapes": torch.zeros(2, dtype=torch.int64)}
    made = collate([one, one], torch.device("cpu"), torch.bfloat16)
    assert (made["pixel_values"].dtype, made["spatial_shapes"].dtype) == (torch.bfloat16, torch.int64)
    assert made["pixel_values"].shape == (2, 2)
