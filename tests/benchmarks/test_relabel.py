"""The benchmark of second looks measures what it says, at a size that a test can afford, on made labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import relabel
from benchmarks.relabel import CHANCE, NEW, RULE, Outcome, Run
from selection.replay import LabelledSet, split


def made(n: int = 900, seed: int = 0) -> LabelledSet:
    """Two clouds that overlap a little, one policy."""
    rng = np.random.default_rng(seed)
    violates = rng.random(n) < 0.4
    vectors = rng.normal(size=(n, 16)) * 0.5
    vectors[:, 0] += np.where(violates, 0.9, -0.9)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    each = np.arange(n)
    return LabelledSet(("p",), vectors.astype(np.float32), violates.astype(np.float32)[:, None], each, each)


def outcomes(arm: str, error: float = 0.25, overlap: int = 1, seeds: int = 2) -> list[Outcome]:
    data = made()
    return [Run(split(data, seed, 0.3), 0, arm, error, overlap, seed).outcome() for seed in range(seeds)]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relabel, "ANSWERS", 250)


def test_second_looks_by_the_rule_find_more_wrong_gold_than_by_chance() -> None:
    rule, chance, new = (outcomes(arm) for arm in (RULE, CHANCE, NEW))
    for mine, other in zip(rule, chance, strict=True):
        assert mine.at_wrong / mine.looks > 1.5 * other.at_wrong / other.looks
    assert np.mean([one.wrong for one in rule]) < 0.9 * np.mean([one.wrong for one in new])
    assert sum(one.looks for one in new) == 0
    assert outcomes(RULE) == rule  # the same again


def test_where_hardly_anybody_errs_hardly_anything_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relabel, "LEAD_ERROR", 0.0)
    for one in outcomes(RULE, error=0.0, seeds=1):  # each person is wrong in 2 % at least
        assert one.wrong < 0.08
        assert one.at_wrong >= one.mended


def test_without_the_sets_the_rows_say_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GOLDFOLD_DATA_DIR", str(tmp_path))
    rows = relabel.rows()
    assert tuple(row.name for row in rows) == relabel.NAMES
    assert all("not measured" in row.hardware for row in rows)


def test_the_rows_hold_each_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    cell = ("made", 0.25, 1)
    cells = {cell: {arm: outcomes(arm, seeds=2) for arm in (NEW, RULE, CHANCE)}}
    monkeypatch.setattr(relabel, "missing", list)
    monkeypatch.setattr(relabel, "collect", lambda: cells)
    auprc, _, found = relabel.rows()
    assert auprc.ratio == pytest.approx(auprc.value / (auprc.peer_value or 1))
    assert (found.ratio or 0) > 1
    assert "made, error 0.25, overlap 1: new auprc" in found.hardware
