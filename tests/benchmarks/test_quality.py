"""The rows come from real updates and real flips; sets that are not there leave no figure."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from benchmarks import quality
from benchmarks.row import Row


def test_an_update_is_measured_beside_a_full_fit() -> None:
    row = quality.updates(items=400, people=20, new=50)
    assert (row.name, row.unit, row.peer) == (quality.UPDATE, "CPU s", "full refit")
    assert row.value > 0
    assert "50 votes on top of 1150" in row.hardware


def test_flips_are_found_where_the_labels_can_be_told_apart() -> None:
    rng = np.random.default_rng(0)
    answers = (rng.random(400) < 0.3).astype(np.float64)
    rows = rng.normal(0, 0.4, (400, 8))
    rows[:, 0] += 2 * answers - 1
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    groups = [str(i) for i in range(400)]
    assert quality.found_flips(rows.astype(np.float32), answers, groups, 0) > 0.8
    assert quality.found_flips(rng.normal(size=(400, 8)).astype(np.float32), answers, groups, 0) < 0.8
    with pytest.raises(ValueError, match="too few labels"):
        quality.found_flips(rows[:100].astype(np.float32), np.zeros(100), groups[:100], 0)


def test_accuracy_of_chosen_answers() -> None:
    told = [[(f"i{n}", who, "yes" if n % 2 else "no") for who in "abcde"] for n in range(10)]
    truth = {f"i{n}": "yes" if n % 2 else "no" for n in range(10)}
    assert quality.accuracies(told, truth, "majority", 2) == 1.0


def test_sets_that_are_not_there_leave_rows_without_a_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOLDFOLD_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(quality, "updates", lambda: Row(quality.UPDATE, 1.0, "CPU s"))
    rows = quality.rows()
    assert [row.name for row in rows] == list(quality.NAMES)
    assert all(math.isnan(row.value) for row in rows[1:])
