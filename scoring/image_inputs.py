"""Frames as the model's own image processor makes them: the size, the crop and the colours that it was trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from scoring.errors import ModelRefused
from scoring.images import Pixels
from scoring.loading import load_image_processor

Inputs = dict[str, torch.Tensor]
MAX_SIDE = 2048  # pixels; a processor that asks for more would take memory by the gigabyte
_SHAPES = ((90, 160), (160, 90), (1, 1))  # height, width of pictures that must come out alike

_DAMAGE = (ArithmeticError, AttributeError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)


class ImageInputs:
    """A folder's image processor, seen to give every picture the same shape."""

    def __init__(self, folder: Path) -> None:
        """Raises ModelRefused for a processor that cannot be had without torchvision, or whose output's shape depends
        on the picture."""
        self._processor = load_image_processor(folder)
        _check_sizes(folder, self._processor.to_dict())
        try:
            tries = [self.prepare(np.zeros((*shape, 3), np.uint8)) for shape in _SHAPES]
        except _DAMAGE as error:
            raise ModelRefused(f"{folder}: its image processor cannot prepare a picture: {error}") from error
        shapes = [{name: tuple(value.shape) for name, value in one.items()} for one in tries]
        if any(other != shapes[0] for other in shapes[1:]):
            raise ModelRefused(
                f"{folder}: its image processor gives pictures of different shapes different sizes, so that a score "
                f"would depend on its batch; set a fixed size in preprocessor_config.json"
            )

    def prepare(self, frame: Pixels) -> Inputs:
        """(h, w, 3) uint8 RGB as tensors without a batch axis, by the names of the model's arguments."""
        made = self._processor(Image.fromarray(frame), return_tensors="pt")
        return {str(name): value[0] for name, value in made.items() if isinstance(value, torch.Tensor)}


def _check_sizes(folder: Path, settings: Mapping[str, object]) -> None:
    for name in ("size", "crop_size", "pad_size"):
        sizes = settings.get(name)
        for value in sizes.values() if isinstance(sizes, Mapping) else [sizes]:
            if value is not None and not (isinstance(value, int) and 1 <= value <= MAX_SIDE):
                raise ModelRefused(f"{folder}: {name} of its image processor must be 1..{MAX_SIDE}, not {value!r}")


def collate(inputs: Sequence[Inputs], device: torch.device, dtype: torch.dtype) -> Inputs:
    """One batch; what is not whole numbers in the model's ``dtype``."""
    batch = {name: torch.stack([one[name] for one in inputs]).to(device) for name in inputs[0]}
    return {name: value.to(dtype) if value.is_floating_point() else value for name, value in batch.items()}
