from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import false_discovery_control, fisher_exact

from labeling.quality.cells import enrichment
from labeling.quality.fisher import adjusted, tails


def test_the_domains_fixture() -> None:
    assert tails([14], [40], [60], [1200])[0] == pytest.approx(1.4e-8, rel=0.05)
    assert pytest.approx(7.0) == (14 / 40) / (60 / 1200)
    assert tails([14], [40], [60], [1200])[0] == pytest.approx(enrichment(14, 40, 60, 1200).p, rel=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 150), st.integers(1, 400), st.floats(0, 1), st.floats(0, 1))
def test_every_table_is_scipys(n: int, m: int, share: float, other: float) -> None:
    k, o = round(share * n), round(other * m)
    expected = fisher_exact(np.array([[k, n - k], [o, m - o]]), alternative="greater").pvalue
    assert tails([k], [n], [o], [m])[0] == pytest.approx(expected, rel=1e-8, abs=1e-13)


def test_a_tail_far_out_keeps_its_digits() -> None:
    assert tails([300], [400], [100], [10_000])[0] == pytest.approx(
        fisher_exact(np.array([[300, 100], [100, 9900]]), alternative="greater").pvalue, rel=1e-8
    )
    assert tails([0], [5], [0], [5])[0] == 1.0
    assert tails([3], [3], [0], [0])[0] == pytest.approx(1.0)


def test_tables_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="more events than decisions"):
        tails([3], [2], [0], [5])


def test_q_is_benjamini_and_hochbergs_whatever_is_left_out() -> None:
    p = np.random.default_rng(0).beta(0.4, 4, 200)
    assert adjusted(p) == pytest.approx(false_discovery_control(p))
    padded = false_discovery_control([*p, *[1.0] * 300])
    assert adjusted(p, 500) == pytest.approx(padded[:200])
    assert len(adjusted([])) == 0
    with pytest.raises(ValueError, match="tests: 3 is less than the 200"):
        adjusted(p, 3)
