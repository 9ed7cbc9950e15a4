"""Where a model runs, in which precision, and how its memory errors look."""

from __future__ import annotations

import torch

from scoring.errors import DeviceError

NAMES = ("auto", "cuda", "cpu")
BATCH_FRAMES = {"cpu": 16, "cuda": 128}
BATCH_TOKENS = {"cpu": 2048, "cuda": 32768}  # cpu: measured flat from 1024 to 4096; cuda: wide enough to fill it


def resolve_device(name: str) -> torch.device:
    """``auto`` takes the GPU where there is one. Raises DeviceError for a name not in ``NAMES`` or a missing GPU."""
    if name not in NAMES:
        raise DeviceError(f"device {name!r} is unknown; use one of {', '.join(NAMES)}")
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        built = "torch sees no GPU" if torch.version.cuda else f"torch {torch.__version__} is built without CUDA"
        raise DeviceError(f"device 'cuda' cannot be used: {built}; use 'cpu' or 'auto'")
    return torch.device("cuda" if there and name != "cpu" else "cpu")


def inference_dtype(device: torch.device) -> torch.dtype:
    """float32 on the CPU (half precision is slower there), bfloat16 or float16 on a GPU."""
    if device.type == "cpu":
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a smaller batch may help. The CPU allocator raises a plain RuntimeError, known by its text only."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)


def is_broken(error: BaseException) -> bool:
    """Whether the accelerator itself failed: nothing that runs on it in this process can succeed any more."""
    return isinstance(error, torch.AcceleratorError) and not is_out_of_memory(error)


def free_memory(device: torch.device) -> None:
    """Give cached GPU blocks back, so that a smaller batch is not refused for fragments."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
