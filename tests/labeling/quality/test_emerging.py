from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from labeling.quality.emerging import WEIGHTS, risk

PARTS = st.floats(0, 1)


def test_parts_and_score_by_hand() -> None:
    cosine, severity = np.array([0.9, 0.5], np.float32), np.array([0.25, 0.75], np.float32)
    found = risk(1e-6, cosine, severity, 999)
    assert {n: round(p, 6) for n, p in found.parts.items() if p is not None} == {
        "surprise": 0.5, "novelty": 0.3, "severity": 0.5, "reach": 0.5, "uncovered": 0.5,
    }  # fmt: skip
    assert round(found.score, 4) == 100 * (0.5 * 0.8 + 0.3 * 0.2)
    assert sum(WEIGHTS.values()) == 1


def test_what_is_not_known_takes_no_part() -> None:
    found = risk(1e-12, None, None, 0)
    assert found.parts == {"surprise": 1.0, "novelty": 1.0, "severity": None, "reach": 0.0, "uncovered": 1.0}
    assert round(found.score, 4) == 81.25


@given(st.floats(0, 1), PARTS, PARTS, st.integers(0, 10**12))
def test_it_stays_within_0_and_100_and_rises_with_reach(p: float, cosine: float, severity: float, views: int) -> None:
    given_ = np.array([cosine], np.float32), np.array([severity], np.float32)
    low, high = risk(p, *given_, views), risk(p, *given_, 10 * views + 1)
    assert 0 <= low.score <= high.score <= 100
