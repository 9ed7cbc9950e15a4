from __future__ import annotations

import numpy as np

from selection.near import vectors


def test_lower_cosines_use_fewer_bits() -> None:
    assert [vectors.bits(cosine) for cosine in (0.5, 0.9, 0.95, 0.999)] == [12, 13, 20, 24]


def test_equal_rows_have_equal_hashes_in_either_precision() -> None:
    rows = np.array([[1, 0.5], [1, 0.5], [0.5, 1], [0, 0], [0, -0.0], [0.0, 1], [-0.0, 1]], np.float32)
    hashes = vectors.row_hashes(rows)
    np.testing.assert_array_equal(hashes, vectors.row_hashes(rows.astype(np.float16)))
    assert hashes[0] == hashes[1] != hashes[2]
    assert hashes[3] == hashes[4] == 0
    assert hashes[5] == hashes[6] != 0


def test_codes_are_those_of_the_rows_asked_for() -> None:
    rows = np.random.default_rng(0).standard_normal((50, 16)).astype(np.float32)
    codes = vectors.sign_codes(rows, np.arange(50), 0.95)
    assert codes.shape == (vectors.TABLES, 50)
    np.testing.assert_array_equal(vectors.sign_codes(rows, np.array([3, 40]), 0.95), codes[:, [3, 40]])


def test_no_pair_at_the_threshold_is_passed_over_for_its_bits() -> None:
    rng = np.random.default_rng(1)
    first = vectors.unit(rng.standard_normal((5000, 64)).astype(np.float32))
    noise = rng.standard_normal(first.shape).astype(np.float32)
    noise = vectors.unit(noise - (noise * first).sum(axis=1, keepdims=True) * first)
    half = vectors.TABLES // 2
    for cosine in (0.8, 0.95, 0.99):
        other = (cosine * first + np.sqrt(1 - cosine**2) * noise).astype(np.float32)
        codes = [vectors.sign_codes(rows, np.arange(5000), cosine)[:half] for rows in (first, other, noise)]
        near, far = (np.bitwise_count(codes[0] ^ others).sum(axis=0, dtype=int) for others in codes[1:])
        assert near.max() <= vectors.most_bits(cosine) < half * vectors.bits(cosine) / 2
        assert (far <= vectors.most_bits(cosine)).mean() < 0.2
