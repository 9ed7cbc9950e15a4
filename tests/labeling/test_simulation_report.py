from __future__ import annotations

from pathlib import Path

import numpy as np

from labeling.simulation_report import COLUMNS, table_rows, told, write_report
from selection.replay import METRICS, Curve
from selection.replay_report import Figure, compare


def curve(strategy: str, seed: int, score: float) -> Curve:
    scores = {metric: np.array([0.1, score, score, score]) for metric in METRICS}
    return Curve(strategy, seed, np.array([50, 100, 150, 200]), scores, dict.fromkeys(METRICS, 0.8), "hate")


CURVES = [curve("random", 0, 0.5), curve("<auto>", 0, 0.8)]


def test_the_page_shows_every_comparison_and_escapes_names(tmp_path: Path) -> None:
    png, page = write_report(CURVES, tmp_path, "500 items & more")
    text = page.read_text()
    assert "500 items &amp; more" in text
    assert "&lt;auto&gt;" in text
    assert "http" not in text
    assert png.stat().st_size > 10_000
    assert not list(tmp_path.glob("*.part"))


def test_a_row_has_every_column() -> None:
    rows = table_rows(compare(CURVES))
    assert {len(row) for row in rows} == {len(COLUMNS)}
    assert rows[0][2] == "150 (150 to 150)"
    assert rows[0][-1] == "1 of 1"


def test_what_was_not_reached_is_said() -> None:
    assert told(Figure(0.5, 0.25, None, 3), "{:.2f}") == "0.50 (0.25 to not reached)"
    assert told(Figure(None, None, None, 0), "{:.2f}") == "neither got there"
