from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from transformers import AutoModelForSequenceClassification

from scoring.checkpoints import Checkpoints
from scoring.errors import ModelRefused, NotTrainable
from scoring.finetune import Finetuning, finetune
from scoring.finetune_settings import Lessons
from scoring.finetuned import Finetuned
from scoring.finetuned_scorer import open_classifier
from tests.scoring.lessons import POLICIES, fast, files_of, made_base, made_lessons

NONE = made_lessons(0)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def whole(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Finetuning:
    """A training without a break."""
    return finetune(base, POLICIES, made_lessons(), made_lessons(24, 1), fast(), tmp_path_factory.mktemp("whole"))


def probabilities(found: Finetuning, texts: tuple[str, ...]) -> np.ndarray[Any, Any]:
    model = Finetuned(found.folder, found.policies, "", found.settings.max_tokens or 0, "")
    return open_classifier(model, device="cpu").score([str(i) for i in range(len(texts))], texts).probabilities


def test_it_learns_each_policy_from_its_own_labels(base: Path, tmp_path: Path) -> None:
    found = finetune(base, POLICIES, made_lessons(), NONE, fast(epochs=6, learning_rate=5e-3), tmp_path)
    assert (found.finished, found.policies, found.left_out) == (True, POLICIES, {})
    assert found.counts == {"abuse": (30, 30), "noise": (10, 10)}
    said = probabilities(found, ("bad words hurt people", "what a lovely walk in the park with friends"))
    assert said[0, 0] > 0.5 > said[1, 0]
    assert said[0, 1] < 0.5 < said[1, 1]


def test_the_weights_of_the_lowest_dev_loss_are_kept(whole: Finetuning) -> None:
    losses = dict(whole.dev)
    assert whole.best_step == min(losses, key=lambda step: (losses[step]["dev_loss"], step))


def test_the_folder_is_plain_transformers_and_tells_no_path(whole: Finetuning, base: Path) -> None:
    names = {path.name for path in whole.folder.iterdir()}
    assert names == {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}
    model = AutoModelForSequenceClassification.from_pretrained(str(whole.folder), local_files_only=True)
    assert model.config.id2label == dict(enumerate(POLICIES))
    for path in whole.folder.rglob("*.json"):
        assert str(base) not in path.read_text(encoding="utf-8")


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(whole: Finetuning, base: Path, tmp_path: Path) -> None:
    given = (base, POLICIES, made_lessons(), made_lessons(24, 1))
    again = finetune(*given, fast(), tmp_path / "again")
    assert files_of(again.folder) == files_of(whole.folder)
    assert again.dev == whole.dev
    other = finetune(*given, fast(seed=4), tmp_path / "other")
    assert files_of(other.folder)["model.safetensors"] != files_of(whole.folder)["model.safetensors"]


@pytest.mark.parametrize("method", ["full", "lora"])
def test_in_parts_it_is_the_same_to_the_last_bit(whole: Finetuning, base: Path, tmp_path: Path, method: str) -> None:
    given = (base, POLICIES, made_lessons(), made_lessons(24, 1), fast(method=method))
    straight = whole if method == "full" else finetune(*given, tmp_path / "straight")
    parts: list[Finetuning] = []
    heard: list[tuple[int, int]] = []

    def watch(done: int, total: int, figures: Mapping[str, float]) -> None:
        heard.append((done, total))
        assert figures["loss"] > 0

    while not parts or not parts[-1].finished:
        left = iter([False] * 4)
        parts.append(finetune(*given, tmp_path / "parts", watch, lambda left=left: next(left, True)))  # type: ignore[misc]
    assert len(parts) == 3
    assert files_of(parts[-1].folder) == files_of(straight.folder)
    assert (parts[-1].dev, parts[-1].best_step) == (straight.dev, straight.best_step)
    assert [done for done, _ in heard if done == straight.step][-1:] == [straight.step]
    assert list((tmp_path / "parts" / "logs").glob("events.out.tfevents.*"))


def test_what_is_done_is_not_done_again(whole: Finetuning, base: Path) -> None:
    def never(*_: object) -> None:
        raise AssertionError("it trained again")

    work = whole.folder.parent
    again = finetune(base, POLICIES, made_lessons(), made_lessons(24, 1), fast(), work, never)
    assert again == whole


def test_other_data_or_settings_start_anew(base: Path, tmp_path: Path) -> None:
    lessons = made_lessons()
    first = finetune(base, POLICIES, lessons, NONE, fast(), tmp_path, until=lambda: True)
    assert (first.step, first.finished) == (1, False)
    changed = Lessons(lessons.texts, 1 - lessons.targets, 1 - lessons.labels)
    for given, how in ((changed, fast()), (lessons, fast(learning_rate=1e-3))):
        assert finetune(base, POLICIES, given, NONE, how, tmp_path, until=lambda: True).step == 1
    assert finetune(base, POLICIES, lessons, NONE, fast(learning_rate=1e-3), tmp_path, until=lambda: True).step == 2


def test_it_stops_when_dev_gets_no_better(base: Path, tmp_path: Path) -> None:
    lessons = made_lessons()
    wrong = Lessons(lessons.texts, 1 - lessons.targets, 1 - lessons.labels)  # the more is learnt, the worse on dev
    found = finetune(base, POLICIES, lessons, wrong, fast(epochs=30, patience=2), tmp_path)
    assert found.finished
    assert found.step < found.steps
    assert found.best_step == found.dev[-3][0]


def test_without_dev_the_last_step_counts(base: Path, tmp_path: Path) -> None:
    found = finetune(base, POLICIES, made_lessons(), NONE, fast(epochs=1), tmp_path)
    assert (found.best_step, found.step, found.dev) == (found.steps, found.steps, ())


def test_class_weights_are_taken_out_of_the_bias(base: Path, tmp_path: Path) -> None:
    lessons = made_lessons()
    few = np.flatnonzero(lessons.labels[:, 0] == 1)[:6]
    rows = sorted([*few.tolist(), *np.flatnonzero(lessons.labels[:, 0] == 0).tolist()])
    rare = Lessons(tuple(lessons.texts[i] for i in rows), lessons.targets[rows][:, :1], lessons.labels[rows][:, :1])
    found = finetune(base, POLICIES[:1], rare, made_lessons(0).of([0]), fast(epochs=1), tmp_path)
    trained = Checkpoints(tmp_path / "checkpoints", "").path(found.steps) / "weights.safetensors"
    before = torch.from_numpy(np.asarray(load(trained)["classifier.bias"]))
    after = torch.from_numpy(np.asarray(load(found.folder / "model.safetensors")["classifier.bias"]))
    torch.testing.assert_close(before - after, torch.tensor([np.log(30 / 6)], dtype=torch.float32))


def load(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    return dict(load_file(path))


def test_a_policy_with_too_few_labels_is_left_out(base: Path, tmp_path: Path) -> None:
    lessons = made_lessons()
    labels = lessons.labels.copy()
    labels[:, 1] = np.nan
    found = finetune(base, POLICIES, replace(lessons, targets=labels, labels=labels), NONE, fast(epochs=1), tmp_path)
    assert found.policies == ("abuse",)
    assert found.left_out == {"noise": "0 violating and 0 allowed labels, 5 of each are needed"}
    with pytest.raises(NotTrainable, match="noise: 1 violating"):
        finetune(base, POLICIES, made_lessons(4), NONE, fast(), tmp_path / "few")


def test_a_base_that_is_none_is_refused(base: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    for name, content in files_of(base).items():
        (broken / name).write_bytes(content[: len(content) // 2] if name.endswith("safetensors") else content)
    with pytest.raises(ModelRefused, match="broken"):
        finetune(broken, POLICIES, made_lessons(), NONE, fast(), tmp_path / "work")
    with pytest.raises(ValueError, match="max_tokens"):
        finetune(base, POLICIES, made_lessons(), NONE, fast(max_tokens=10_000), tmp_path / "work")
