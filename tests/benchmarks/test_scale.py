from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from benchmarks import scale
from selection.types import Lane


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scale, "MADE", 300)
    monkeypatch.setattr(scale, "DIMENSIONS", 8)
    monkeypatch.setattr(scale, "PICKS", 10)


def test_the_pool_lies_in_a_file(tmp_path: Path) -> None:
    pool = scale.made_pool(700, tmp_path / "rows")
    assert isinstance(pool.embeddings, np.memmap)
    assert pool.embeddings.shape == (700, 8)
    assert np.linalg.norm(pool.embeddings.astype(np.float32), axis=1) == pytest.approx(np.ones(700), abs=1e-2)
    assert (pool.embeddings[300:600] != pool.embeddings[:300]).any()


def test_recall_counts_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = scale.made_pool(9000, tmp_path / "rows")
    plan = scale.plan_of(pool, (Lane("uncertain", 1.0, "auto"),))
    recall, shortlist = scale.recall_of(pool, plan)
    assert recall == 1.0
    assert shortlist < 9000
    monkeypatch.setattr("selection.sift.A_PICK", (0, 0))
    assert scale.recall_of(pool, plan)[0] < 1.0


def test_a_size_is_measured_whole() -> None:
    found = scale.measure(3000)
    assert len(found) == 7
    assert min(found) >= 0


def test_memory_of_files_does_not_count() -> None:
    def work() -> tuple[float, float]:
        held = np.ones(40_000_000)  # 305 MiB
        time.sleep(0.5)
        return float(held[0]), 0.0

    mib, told = scale.anonymous_peak(work)
    assert told == (1.0, 0.0)
    assert 150 < mib < 400  # what other tests left may be given back meanwhile


def test_ten_million_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(scale._sizes()) == {"100k", "1m"}
    monkeypatch.setenv(scale.VARIABLE, "10000000")
    assert set(scale._sizes()) == {"100k", "1m", "10m"}
