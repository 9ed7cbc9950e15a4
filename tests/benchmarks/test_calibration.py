"""The calibration benchmark measures what it says, at a size that a test can afford."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import calibration, tweets


def test_a_perfect_scorer_has_no_error_and_a_wrong_one_has() -> None:
    labels = np.array([False, True] * 50)
    perfect = labels.astype(np.float64)
    assert calibration.ece(perfect, labels) == calibration.brier(perfect, labels) == 0
    assert calibration.ece(np.full(100, 0.9), labels) == pytest.approx(0.4)
    assert calibration.brier(np.full(100, 0.5), labels) == pytest.approx(0.25)


@pytest.mark.slow
def test_it_makes_the_rows_it_promises(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GOLDFOLD_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(tweets, "MADE", 1500)
    monkeypatch.setattr(calibration, "NULL_DRAWS", 20)
    rows = calibration.rows()
    assert tuple(row.name for row in rows) == calibration.NAMES
    for row in rows:
        assert "made texts that nothing was fitted on" in row.hardware
        assert row.peer_value is not None
        assert row.ratio == pytest.approx(row.peer_value / row.value)
        assert row.value < row.peer_value


def test_made_tweets_come_once_each_in_one_order(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GOLDFOLD_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(tweets, "MADE", 300)
    one, two = tweets.labelled_tweets(), tweets.labelled_tweets()
    assert (one.texts, one.kind) == (two.texts, "made")
    assert len({text.lower() for text in one.texts}) == len(one.texts) == len(one.labels)
    assert 0 < one.labels.sum() < len(one.labels) / 2
