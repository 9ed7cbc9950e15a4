"""The simulated windows are drawn from one distribution, and drift is told where they are not."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import drift
from scoring.drift import compare


def scores(n: int = 3000) -> drift.F32:
    return np.random.default_rng(0).beta(0.5, 3, (n, 3)).astype(np.float32)


def test_windows_of_one_distribution_raise_few_alarms() -> None:
    assert drift.simulate(scores(), 200, draws=40) <= 4  # at 1 % a window, 5 or more come once in some 10,000 seeds


def test_a_window_with_any_drifted_cell_is_an_alarm(monkeypatch: pytest.MonkeyPatch) -> None:
    told = iter([("none", "none"), ("none", "moderate"), ("insufficient", "none"), ("major", "major")])
    windows = ({n: SimpleNamespace(verdict=verdict) for n, verdict in enumerate(one)} for one in told)
    monkeypatch.setattr(drift, "compare", lambda _cells: next(windows))
    assert drift.simulate(scores(), 200, draws=4) == 2


def test_a_cell_is_a_policy_or_a_policy_in_a_language() -> None:
    values = scores()
    languages = np.arange(len(values)) % len(drift.LANGUAGES)
    reference, current = np.arange(2000), np.arange(2000, 3000)
    cells = drift._cells(values, languages, reference, current)
    assert len(cells) == 3 * (1 + len(drift.LANGUAGES))
    for policy in "012":
        whole = cells[policy, "None"]
        parts = [cells[policy, str(language)] for language in range(len(drift.LANGUAGES))]
        for side, size in ((0, 2000), (1, 1000)):
            assert whole[side].sum() == size
            np.testing.assert_array_equal(sum(part[side] for part in parts), whole[side])
    values[current] = 1 - values[current]
    assert {cell.verdict for cell in compare(drift._cells(values, languages, reference, current)).values()} == {"major"}
