from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring import engine
from scoring.engine import HOPELESS, Array, run
from scoring.errors import DeviceError, ModelFailed
from scoring.tokens import Tokens


class Double:
    """A network whose answer is the code points' sum; texts say what goes wrong with them."""

    device = torch.device("cpu")
    batch_tokens = 64
    columns = ((1, np.float32), (2, np.float16))

    def __init__(self, memory: float = float("inf")) -> None:
        self.memory = memory  # padded tokens
        self.sizes: list[int] = []
        self.windows: list[int] = []

    def tokenize(self, texts: list[str]) -> list[Tokens]:
        self.windows.append(len(texts))
        if any("untokenizable" in text for text in texts):
            raise TypeError("cannot tokenize")
        return [{"input_ids": [ord(c) for c in text]} for text in texts]

    def forward(self, rows: Sequence[Tokens]) -> tuple[Array, ...]:
        self.sizes.append(len(rows))
        texts = ["".join(chr(i) for i in row["input_ids"]) for row in rows]
        if len(rows) * max(map(len, texts)) > self.memory:
            raise torch.OutOfMemoryError("no room")
        if any("raise" in text for text in texts):
            raise RuntimeError("it broke")
        if any("device" in text for text in texts):
            raise torch.AcceleratorError("device-side assert triggered")
        sums = np.array([[sum(row["input_ids"])] for row in rows], np.float32)
        for i, text in enumerate(texts):
            if "nan" in text:
                sums[i] = np.nan
        if any("spill" in text for text in texts):
            sums[:] = np.nan
        return sums, np.ones((len(rows), 2), np.float16)


def expected(text: str) -> float:
    return float(sum(map(ord, text)))


def ids(texts: Sequence[object]) -> list[str]:
    return [f"i{n}" for n in range(len(texts))]


WORDS = st.sampled_from(["a", "bb", "ccc" * 9, "raise", "nan", "spill it", "untokenizable", "", " ", "d" * 40])


@settings(deadline=None, max_examples=50)
@given(st.lists(WORDS, max_size=60), st.sampled_from([float("inf"), 50.0, 40.0]))
def test_good_items_pass_and_bad_ones_fail_by_id(texts: list[str], memory: float) -> None:
    texts = ["good", *texts]
    network = Double(memory)
    keys = ids(texts)
    try:
        found = run(network, keys, texts)
    except ModelFailed:
        assert sum(text in ("raise", "nan", "spill it", "untokenizable") for text in texts) >= HOPELESS
        return
    bad = {"raise", "nan", "spill it", "untokenizable", "", " "}
    assert [f.item_id for f in found.failures] == [k for k, text in zip(keys, texts, strict=True) if text in bad]
    assert list(found.ids) == [k for k, text in zip(keys, texts, strict=True) if text not in bad]
    good = [text for text in texts if text not in bad]
    np.testing.assert_array_equal(found.arrays[0][:, 0], [expected(text) for text in good])
    assert found.arrays[1].dtype == np.float16


def test_memory_trouble_is_remembered() -> None:
    texts = [c * 8 for c in "abcdefghijklmnopqrstuvwxyz"]
    network = Double(memory=16)
    found = run(network, ids(texts), texts)
    assert found.failures == ()
    assert network.sizes[:4] == [8, 4, 2, 2]
    assert set(network.sizes[2:]) == {2}


def test_a_text_too_large_for_memory_fails_by_id() -> None:
    found = run(Double(memory=10), ["small", "large"], ["abc", "x" * 20])
    assert found.ids == ("small",)
    assert "not enough memory" in found.failures[0].reason


def test_reasons_say_what_is_wrong() -> None:
    found = run(Double(), ids(range(7)), ["ok", 3, "", "raise", "nan", "untokenizable", "\udc00"])  # type: ignore[list-item]
    reasons = {failure.item_id: failure.reason for failure in found.failures}
    assert reasons == {
        "i1": "the text is a int, not a string",
        "i2": "the text is empty",
        "i3": "the model cannot read this text: RuntimeError: it broke",
        "i4": "the model's answer is not a finite number",
        "i5": "the model cannot read this text: TypeError: cannot tokenize",
        "i6": "the text is not valid Unicode: half a surrogate pair at character 0",
    }


def test_a_model_that_fails_on_everything_is_at_fault_itself() -> None:
    texts = ["raise"] * 500
    network = Double()
    with pytest.raises(ModelFailed, match=r"each of the first 32 items; the last time: .*it broke"):
        run(network, ids(texts), texts)
    assert len(network.sizes) < 200


def test_a_broken_accelerator_stops_the_run() -> None:
    with pytest.raises(DeviceError, match="broke down"):
        run(Double(), ["a", "b"], ["fine", "device"])


def test_only_a_window_of_token_rows_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "WINDOW_ITEMS", 10)
    texts = ["word " * (n % 7 + 1) for n in range(95)]
    network = Double()
    found = run(network, ids(texts), texts)
    assert network.windows == [10] * 9 + [5]
    np.testing.assert_array_equal(found.arrays[0][:, 0], [expected(text) for text in texts])


def test_an_error_of_the_listener_is_not_the_models() -> None:
    def stop(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(Double(), ["a"], ["text"], stop)


def test_progress_counts_failures_too() -> None:
    heard: list[tuple[int, int]] = []
    run(Double(), ids(range(4)), ["", "nan", "x", "y"], lambda done, total: heard.append((done, total)))
    assert heard[-1] == (4, 4)


@pytest.mark.parametrize("after", [0, 3])
def test_no_thread_outlives_a_run_that_is_interrupted(monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    monkeypatch.setattr(engine, "WINDOW_ITEMS", 5)
    before, heard = threading.active_count(), 0

    def stop(_done: int, _total: int) -> None:
        nonlocal heard
        heard += 1
        if heard > after:
            raise KeyboardInterrupt

    texts = ["text"] * 60
    with pytest.raises(KeyboardInterrupt):
        run(Double(), ids(texts), texts, stop)
    assert threading.active_count() == before


def test_what_no_item_can_be_blamed_for_comes_up_from_the_tokenizers_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(Double):
        def tokenize(self, texts: list[str]) -> list[Tokens]:
            if threading.current_thread() is not threading.main_thread() and "last" in texts:
                raise OSError("the disk is gone")
            return super().tokenize(texts)

    monkeypatch.setattr(engine, "WINDOW_ITEMS", 5)
    before = threading.active_count()
    texts = ["longer text"] * 20 + ["last"]
    with pytest.raises(OSError, match="the disk is gone"):
        run(Broken(), ids(texts), texts)
    assert threading.active_count() == before


@settings(deadline=None, max_examples=30)
@given(st.lists(WORDS, min_size=1, max_size=40), st.integers(1, 7))
def test_windows_change_no_outcome(texts: list[str], size: int) -> None:
    keys = ids(texts)
    outcomes = []
    for items in (size, 10_000):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(engine, "WINDOW_ITEMS", items)
            patch.setattr(engine, "HOPELESS", 10_000)
            found = run(Double(), keys, texts)
        outcomes.append((found.ids, found.failures, found.arrays[0].tolist()))
    assert outcomes[0] == outcomes[1]
