"""Simulated traffic: a planted theme is found, and days without news stay within the rate. docs/quality.md has the
figures of more seeds (``python -m tests.labeling.quality.simulation``)."""

from __future__ import annotations

import pytest

from tests.labeling.quality.simulation import found_on, null_days


@pytest.mark.parametrize("inside", [False, True])
def test_a_planted_theme_of_40_items_in_3_days_is_found(inside: bool) -> None:
    found = [found_on(seed, inside=inside) for seed in (100, 101)]
    print(f"inside an old topic: {inside}; day on which it stands, and lasts: {found}")
    assert all(stands is not None and lasts is not None for stands, lasts in found)


@pytest.mark.slow
def test_a_hundred_days_without_news_stay_within_the_rate() -> None:
    stands, lasts = null_days(3, 100)
    print(f"of 100 null days something stands on {stands} and lasts on {lasts}")
    assert stands <= 17  # 10 expected at most; alerts last for days, so these are worth about 40 independent ones
    assert lasts <= 2
