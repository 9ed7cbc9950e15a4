from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from scoring import ahead, engine, text_network
from scoring.base import Scores
from scoring.errors import DeviceError, ModelFailed
from scoring.hf_classifier import HFClassifier
from scoring.text_network import mean_vector
from tests.contracts.scorer import TEXTS

MAP = {"insult": "abuse", "threat": "violence"}
COPIES = 3
MANY = [f"{text} {n}" for n in range(9) for text in TEXTS]
KEYS = [str(n) for n in range(len(MANY))]


@pytest.fixture
def copies(tiny: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> HFClassifier:
    """A scorer with several copies of its model, as if there were several GPUs."""
    monkeypatch.setattr(text_network, "resolve_devices", lambda _name: (torch.device("cpu"),) * COPIES)
    monkeypatch.setattr(engine, "WINDOW_ITEMS", 8)
    return HFClassifier(tiny["bert"], MAP, batch_tokens=128)


def same(found: Scores, expected: Scores) -> None:
    assert found.ids == expected.ids
    assert found.notes == expected.notes
    np.testing.assert_array_equal(found.probabilities, expected.probabilities)
    np.testing.assert_array_equal(found.embeddings, expected.embeddings)


def test_scores_do_not_depend_on_the_copy(copies: HFClassifier, tiny: dict[str, Path]) -> None:
    threads: set[str] = set()
    met = threading.Barrier(COPIES, timeout=10)
    for model in copies._models:
        once = iter([True])

        def meet(*_args: object, once: Iterator[bool] = once) -> None:
            name = threading.current_thread().name
            if name.startswith("goldfold-device") and next(once, False):
                threads.add(name)
                met.wait()  # each copy works, and all at once

        network: torch.nn.Module = model.module
        network.register_forward_pre_hook(meet)
    found = copies.score(KEYS, MANY)
    assert len(threads) == COPIES
    assert all(model.packed for model in copies._models)
    one = HFClassifier(tiny["bert"], MAP, batch_tokens=128, device="cpu")
    one.devices, one._models = one.devices[:1], one._models[:1]
    same(found, one.score(KEYS, MANY))


def test_progress_is_heard_in_the_callers_thread(copies: HFClassifier) -> None:
    heard: list[tuple[int, int]] = []
    places: set[threading.Thread] = set()

    def listen(done: int, total: int) -> None:
        heard.append((done, total))
        places.add(threading.current_thread())

    copies.score(KEYS, MANY, listen)
    assert heard == sorted(heard)
    assert heard[-1] == (len(MANY), len(MANY))
    assert places == {threading.current_thread()}


def test_trouble_on_one_copy_stops_the_run_and_every_thread(copies: HFClassifier) -> None:
    before = threading.active_count()

    def broken(*_args: object) -> None:
        raise torch.AcceleratorError("device-side assert triggered")

    network: torch.nn.Module = copies._models[1].module
    network.register_forward_pre_hook(broken)
    with pytest.raises(DeviceError, match="broke down"):
        copies.score([str(n) for n in range(4000)], ["fox and dog"] * 4000)
    assert threading.active_count() == before


def test_a_listener_may_stop_the_run(copies: HFClassifier) -> None:
    before = threading.active_count()

    def stop(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copies.score(KEYS, MANY, stop)
    assert threading.active_count() == before


def test_a_model_that_fails_everywhere_is_at_fault(copies: HFClassifier) -> None:
    for model in copies._models:
        network: torch.nn.Module = model.module
        network.register_forward_pre_hook(_explode)
    with pytest.raises(ModelFailed, match="each of the first 32 items"):
        copies.score(KEYS, MANY)


def _explode(*_args: object) -> None:
    raise RuntimeError("injected")


def test_ahead_or_not_the_bits_are_the_same(tiny: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    scorer = HFClassifier(tiny["bert"], MAP, device="cpu")
    monkeypatch.setattr(engine, "WINDOW_ITEMS", 8)
    found = scorer.score(KEYS, MANY)

    monkeypatch.setattr(engine, "ahead", lambda work, items, _depth: ahead.ahead(work, items, 0))
    same(scorer.score(KEYS, MANY), found)


def test_a_long_text_counts_by_its_worst_window(tiny: dict[str, Path]) -> None:
    scorer = HFClassifier(tiny["bert"], MAP, device="cpu", max_tokens=8)
    windows = ["a b c d e f", "g h i j k l", "birds sing fox", "f e d c b a"]
    text = f"{windows[0]} {windows[1]} {'fox ' * 300} {windows[3]} {windows[3]}"
    found = scorer.score(["short", "long"], ["fox", text])
    parts = scorer.score(list("abc"), [windows[0], windows[1], windows[3]])
    np.testing.assert_allclose(found.probabilities[1], parts.probabilities.max(axis=0), atol=1e-6)
    expected = mean_vector(parts.embeddings[[0, 1, 2, 2]])
    np.testing.assert_allclose(found.embeddings[1].astype(np.float32), expected.astype(np.float32), atol=1e-3)
    assert [note.item_id for note in found.notes] == ["long"]
    assert "were not read" in found.notes[0].text


def test_one_bad_window_fails_its_text_and_no_other(tiny: dict[str, Path]) -> None:
    scorer = HFClassifier(tiny["bert"], MAP, device="cpu", max_tokens=8)
    bad = scorer.tokenize(["g h i j k l"])[0]["input_ids"]

    def explode(_module: object, _args: object, inputs: dict[str, torch.Tensor]) -> None:
        if str([int(token) for token in bad])[1:-1] in str(inputs["input_ids"].tolist()):
            raise RuntimeError("injected")

    network: torch.nn.Module = scorer.module
    network.register_forward_pre_hook(explode, with_kwargs=True)
    found = scorer.score(["a", "bad", "b"], ["fox", "a b c d e f g h i j k l fox", "the dog " * 30])
    assert found.ids == ("a", "b")
    assert [failure.item_id for failure in found.failures] == ["bad"]
    assert "injected" in found.failures[0].reason
    assert [note.item_id for note in found.notes] == ["b"]


def test_the_version_covers_how_long_texts_are_read(tiny: dict[str, Path]) -> None:
    made = [HFClassifier(tiny["bert"], MAP, device="cpu", long_text=rule) for rule in ("windows", "cut")]
    assert made[0].version != made[1].version
    assert made[0].embedding_version != made[1].embedding_version
