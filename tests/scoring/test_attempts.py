from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scoring.attempts import Attempts, Limit
from scoring.errors import DeviceError

CPU = torch.device("cpu")


def attempts(failed: dict[int, str], limit: Limit | None = None) -> Attempts:
    return Attempts(CPU, len, failed.__setitem__, limit or Limit())


@given(st.sets(st.integers(0, 30)), st.integers(1, 40), st.integers(1, 40))
def test_the_bad_fail_alone_and_memory_halves(bad: set[int], items: int, memory: int) -> None:
    failed: dict[int, str] = {}
    done: list[int] = []
    made = attempts(failed)

    def work(part: list[int]) -> tuple[list[int], str]:
        found, reason = made.tried(part, lambda: forward(part))
        done.extend(found or [])
        return (part, reason) if found is None else ([], "")

    def forward(part: list[int]) -> list[int]:
        if len(part) > memory:
            raise torch.OutOfMemoryError("no room")
        if bad & set(part):
            raise ValueError("bad")
        return part

    whole = list(range(items))
    made.divide(whole, *work(whole), work)
    assert sorted(done) == [item for item in whole if item not in bad]
    assert sorted(failed) == [item for item in whole if item in bad]
    assert made.limit.cost >= 1


def test_the_limit_falls_to_half_of_what_was_too_much() -> None:
    limit = Limit()
    made = attempts({}, limit)

    def starve() -> None:
        raise torch.OutOfMemoryError("no room")

    _none, reason = made.tried([1, 2, 3, 4], starve)
    assert "not enough memory on cpu" in reason
    assert limit.cost == 2
    assert made.too_large([1, 2, 3])
    assert not made.too_large([1, 2])
    made.tried([1], starve)
    assert limit.cost == 2


def test_a_broken_device_is_no_fault_of_an_item() -> None:
    def broken() -> None:
        raise torch.AcceleratorError("device-side assert triggered")

    with pytest.raises(DeviceError, match="cpu broke down, restart this process"):
        attempts({}).tried([1], broken)
