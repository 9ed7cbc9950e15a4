"""The rows of the learning curves, from curves made by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from benchmarks import learning, learning_sets
from benchmarks.learning_peers import DEFAULT_RULE
from selection.replay import METRICS, RANDOM, Curve


def made_curve(strategy: str, seed: int, rise: float, labels: int = 4000) -> Curve:
    """Scores that rise by ``rise`` a label up to 0.8; 0.8 is what the whole pool gives."""
    counts = np.arange(50, labels + 1, 50)
    scores = np.minimum(rise * counts, 0.8)
    return Curve(strategy, seed, counts, dict.fromkeys(METRICS, scores), dict.fromkeys(METRICS, 0.8), "hate")


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Curve]]:
    rises = {RANDOM: 0.0004, "auto": 0.0016, DEFAULT_RULE: 0.0008, "small_text_breaking_ties": 0.0006}
    found = {
        name: [made_curve(strategy, seed, rise) for strategy, rise in rises.items() for seed in range(3)]
        for name in learning_sets.SOURCES
    }
    monkeypatch.setattr(learning, "missing", list)
    monkeypatch.setattr(learning, "collect", lambda _seeds, _slow: found)
    return found


@pytest.mark.usefixtures("made")
def test_it_makes_the_rows_it_promises() -> None:
    rows = {row.name: row for row in learning.rows()}
    assert tuple(rows) == learning.NAMES
    for metric in METRICS:
        row = rows[f"learning_{metric}_labels"]
        assert row.value == pytest.approx(0.25, abs=0.02)
        assert row.target == f"<= {learning.TARGETS[metric]}"
    assert rows["learning_least_area_above_random"].value > 0
    assert rows["learning_ahead_of_peers"].value == rows["learning_ahead_of_study_default"].value == 1
    assert "small_text_breaking_ties 24 of 24; not there: " in rows["learning_ahead_of_peers"].hardware


def test_the_table_names_every_set_and_strategy(made: dict[str, list[Curve]]) -> None:
    lines = list(learning.table(made))
    for name in made:
        for strategy in ("auto", DEFAULT_RULE, "small_text_breaking_ties"):
            assert sum(line.startswith(f"| {name} | {strategy} |") for line in lines) == 1
    assert f"| {DEFAULT_RULE} | 24 of 24 |" in "\n".join(lines)


def test_without_the_sets_the_rows_say_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GOLDFOLD_DATA_DIR", str(tmp_path))
    rows = learning.rows()
    assert tuple(row.name for row in rows) == learning.NAMES
    for row in rows:
        assert math.isnan(row.value)
        assert "hatecheck.jsonl.gz, moderation.jsonl.gz, tweets.jsonl.gz not in" in row.hardware
