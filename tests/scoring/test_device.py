from __future__ import annotations

import pytest
import torch

from scoring.device import (
    inference_dtype,
    is_broken,
    is_out_of_memory,
    multiplies_bfloat16,
    resolve_device,
    resolve_devices,
    to_host,
)
from scoring.errors import DeviceError


def test_auto_takes_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device("auto").type == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert resolve_device("auto").type == "cuda"
    assert resolve_device("cuda").type == "cuda"
    assert resolve_device("cpu").type == "cpu"


def test_a_missing_gpu_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(DeviceError, match="'cuda' cannot be used"):
        resolve_device("cuda")


def test_an_unknown_device_is_said() -> None:
    with pytest.raises(DeviceError, match="'gpu' is unknown; use one of auto, cuda, cpu"):
        resolve_device("gpu")


def test_the_cpu_computes_in_float32() -> None:
    assert inference_dtype(torch.device("cpu")) is torch.float32


def test_a_cpu_multiplies_bfloat16_where_it_has_units_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for able, expected in (({"amx_bf16": True}, True), ({"avx512_bf16": True, "amx_bf16": False}, True), ({}, False)):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda able=able: able)
        assert multiplies_bfloat16() is expected


def test_memory_errors_are_told_from_others() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)  # what the CPU allocator really says
    assert is_out_of_memory(caught.value)
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert is_out_of_memory(MemoryError())
    assert not is_out_of_memory(RuntimeError("shape mismatch"))
    assert is_broken(torch.AcceleratorError("device-side assert"))
    assert not is_broken(torch.OutOfMemoryError("CUDA out of memory"))


def test_cuda_means_every_gpu_and_a_number_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    assert resolve_devices("auto") == resolve_devices("cuda") == tuple(torch.device("cuda", i) for i in range(3))
    assert resolve_devices("cuda:2") == (torch.device("cuda:2"),)
    assert resolve_devices("cpu") == (torch.device("cpu"),)
    with pytest.raises(DeviceError, match="'cuda:3' cannot be used: torch sees 3 GPU"):
        resolve_devices("cuda:3")


def test_results_come_home_as_arrays() -> None:
    fetch = to_host([torch.tensor([[1.0]]), torch.tensor([2.0]).half()])
    assert [array.dtype.name for array in fetch()] == ["float32", "float16"]
