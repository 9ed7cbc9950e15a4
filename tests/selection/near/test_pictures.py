from __future__ import annotations

import numpy as np
import pytest

from selection.near import pictures


@pytest.mark.parametrize("distance", [1, 4, 8])
def test_hashes_within_the_distance_always_share_a_table(distance: int) -> None:
    rng = np.random.default_rng(distance)
    hashes = rng.integers(0, 2**64, 2000, dtype=np.uint64)
    others = hashes.copy()
    for row in range(len(others)):
        for bit in rng.choice(64, distance, replace=False):
            others[row] ^= np.uint64(1) << np.uint64(bit)
    codes = pictures.block_codes(hashes, distance) == pictures.block_codes(others, distance)
    assert codes.any(axis=0).all()
    assert len(codes) == pictures.tables(distance) == (distance + 2) * (distance + 1) // 2
    both, rows = np.concatenate([hashes, others]), np.arange(2000)
    assert pictures.close(both, (rows, rows + 2000), distance).all()
    assert not pictures.close(both, (rows, rows + 2000), distance - 1).any()


def test_strangers_seldom_share_a_table() -> None:
    hashes = np.random.default_rng(0).integers(0, 2**64, (2, 20_000), dtype=np.uint64)
    met = (pictures.block_codes(hashes[0], 4) == pictures.block_codes(hashes[1], 4)).any(axis=0)
    assert met.mean() < 1e-3
