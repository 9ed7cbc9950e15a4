from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from scoring.finetune_settings import FinetuneSettings, Lessons, counts, trainable

NAN = float("nan")


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"method": "half"}, "method 'half'"),
        ({"class_weights": "odd"}, "class weights 'odd'"),
        ({"epochs": 0}, "epochs must be at least 1"),
        ({"patience": 0}, "patience"),
        ({"seed": -1}, "seed"),
        ({"warmup": 1.0}, "warmup"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"batch_tokens": 0}, "batch_tokens"),
    ],
)
def test_a_setting_that_cannot_be_is_named(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        FinetuneSettings(**wrong)


def test_lessons_that_do_not_fit_are_refused() -> None:
    labels = np.array([[1, 0]], np.float32)
    with pytest.raises(ValueError, match="2 texts"):
        Lessons(("a", "b"), labels, labels)
    for bad in (1.5, -0.1, np.inf):
        with pytest.raises(ValueError, match=r"\[0, 1\] or be NaN"):
            Lessons(("a",), np.array([[bad, 0]], np.float32), labels)


def test_lessons_of_fewer_policies_leave_out_what_teaches_nothing() -> None:
    labels = np.array([[1, NAN], [NAN, 0], [0, 1]], np.float32)
    some = Lessons(("a", "b", "c"), labels, labels).of([1])
    assert some.texts == ("b", "c")
    np.testing.assert_array_equal(some.targets, [[0], [1]])


def test_policies_with_too_few_labels_are_left_out_with_the_reason() -> None:
    labels = np.array([[1, 1], [0, NAN], [1, 0], [0, NAN]], np.float32)
    assert counts(labels) == [(2, 2), (1, 1)]
    assert trainable(("p", "q"), labels, 2) == ([0], {"q": "1 violating and 1 allowed labels, 2 of each are needed"})


def test_settings_need_no_torch() -> None:
    code = "import sys, scoring.finetune_settings, scoring.finetuned, labeling.artefacts; print('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
