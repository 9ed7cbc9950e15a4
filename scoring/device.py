"""Where a model runs, in which precision, how its memory errors look, and how its results come home."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from scoring.errors import DeviceError

NAMES = ("auto", "cuda", "cpu")
CPU_PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
ONE_GPU = re.compile(r"cuda:(\d+)")
BATCH_FRAMES = {"cpu": 16, "cuda": 128}
BATCH_TOKENS = {
    "cpu": 1024,
    "cuda": 65536,
}  # cpu: measured flat to 2048; cuda: so wide that launching is little of it


def resolve_devices(name: str) -> tuple[torch.device, ...]:
    """Every GPU that torch sees for ``cuda``, and for ``auto`` where there is one; ``cuda:1`` is one of them.

    Raises DeviceError for another name or a missing GPU.
    """
    one = ONE_GPU.fullmatch(name)
    if name not in NAMES and one is None:
        raise DeviceError(f"device {name!r} is unknown; use one of {', '.join(NAMES)}, or a GPU by number as cuda:0")
    there = max(1, torch.cuda.device_count()) if torch.cuda.is_available() else 0
    if name == "cpu" or (name == "auto" and not there):
        return (torch.device("cpu"),)
    if not there:
        built = "torch sees no GPU" if torch.version.cuda else f"torch {torch.__version__} is built without CUDA"
        raise DeviceError(f"device {name!r} cannot be used: {built}; use 'cpu' or 'auto'")
    if one is None:
        return tuple(torch.device("cuda", number) for number in range(there))
    if int(one[1]) >= there:
        raise DeviceError(f"device {name!r} cannot be used: torch sees {there} GPU, numbered from 0")
    return (torch.device("cuda", int(one[1])),)


def resolve_device(name: str) -> torch.device:
    """The first of ``resolve_devices``, for a model that runs on one."""
    return resolve_devices(name)[0]


def inference_dtype(device: torch.device) -> torch.dtype:
    """float32 on the CPU, bfloat16 or float16 on a GPU."""
    if device.type == "cpu":
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16


def cpu_products(name: str) -> torch.dtype:
    """What a CPU multiplies matrices in, ``name`` being one of ``CPU_PRECISIONS``. Raises ValueError."""
    if name not in CPU_PRECISIONS:
        raise ValueError(f"cpu_precision {name!r} is unknown; use one of {', '.join(CPU_PRECISIONS)}")
    return CPU_PRECISIONS[name]


def multiplies_bfloat16() -> bool:
    """Whether this CPU has units for products in bfloat16; without them they are slower than float32."""
    able = torch.cpu.get_capabilities()
    return bool(able.get("amx_bf16") or able.get("avx512_bf16"))


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


def to_device(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """A host tensor on ``device``; on a GPU by pinned memory, so that the host does not wait for the copy."""
    if device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


def to_host(tensors: Sequence[torch.Tensor]) -> Callable[[], tuple[npt.NDArray[Any], ...]]:
    """Begin to copy ``tensors``, all on one device, to the host; the call that is returned waits for them."""
    device = tensors[0].device
    if device.type != "cuda":
        arrays = tuple(tensor.cpu().numpy() for tensor in tensors)
        return lambda: arrays
    held = [torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True) for tensor in tensors]
    for place, tensor in zip(held, tensors, strict=True):
        place.copy_(tensor, non_blocking=True)
    copied = torch.cuda.Event()  # type: ignore[no-untyped-call]
    copied.record(torch.cuda.current_stream(device))

    def wait() -> tuple[npt.NDArray[np.generic], ...]:
        copied.synchronize()
        return tuple(place.numpy() for place in held)

    return wait
