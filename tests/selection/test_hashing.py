from __future__ import annotations

import numpy as np
from scipy.stats import kstest

from selection.hashing import item_hashes, key, uniform, uniforms


def test_a_hash_belongs_to_the_id() -> None:
    ids = [f"item-{row}" for row in range(1000)] + ["", "é", "\ud800"]
    hashes = item_hashes(ids)
    assert hashes.dtype == np.uint64
    assert len(set(hashes.tolist())) == len(ids)
    assert np.array_equal(item_hashes(ids[::-1]), hashes[::-1])
    assert len(item_hashes([])) == 0


def test_numbers_are_uniform_and_independent_from_purpose_to_purpose() -> None:
    hashes = item_hashes([str(row) for row in range(20_000)])
    one, other = uniforms(hashes, 7, "random", "hate"), uniforms(hashes, 7, "risk", "hate")
    for numbers in (one, other):
        assert ((numbers >= 0) & (numbers < 1)).all()
        assert kstest(numbers, "uniform").pvalue > 0.001
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.03
    assert abs(np.corrcoef(one, uniforms(hashes, 8, "random", "hate"))[0, 1]) < 0.03


def test_numbers_are_for_ever() -> None:
    """Picks must be the same on another machine and in another year: these values may never change."""
    assert item_hashes(["item-1"])[0] == 0x74A8B5AD5A9DEBE4
    assert uniforms(item_hashes(["item-1"]), 7, "random", "hate")[0] == 0.9438159463282582
    assert key(7, "risk") == 0x3325C780AA59AC6C
    assert uniform(7, "risk") == 0.1997952164768778
