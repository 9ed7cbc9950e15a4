from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selection.near import shingles
from selection.near.bones import letters
from tests.selection.near.made import shared

FORMS = st.lists(st.text(alphabet="abcж語\U0001f602", min_size=1, max_size=30), min_size=2, max_size=8)


@settings(deadline=None)
@given(FORMS)
def test_jaccard_is_that_of_the_sets(forms: list[str]) -> None:
    forms = [form for form in map(letters, forms) if form] or ["a"]
    n = len(forms)
    pairs = np.repeat(np.arange(n), n), np.tile(np.arange(n), n)
    expected = [shared(forms[i], forms[j]) for i, j in zip(*pairs, strict=True)]
    np.testing.assert_allclose(shingles.jaccard(forms, pairs), expected, rtol=1e-12)


def test_pieces_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    forms = ["".join(rng.choice(list("abcdef"), rng.integers(1, 400))) for _ in range(60)]
    pairs = np.arange(59), np.arange(1, 60)
    codes, shares = shingles.band_codes(forms), shingles.jaccard(forms, pairs)
    monkeypatch.setattr("selection.near.shingles._CHUNK_CHARS", 300)
    monkeypatch.setattr("selection.near.shingles._PAIR_CHARS", 500)
    np.testing.assert_array_equal(shingles.band_codes(forms), codes)
    np.testing.assert_array_equal(shingles.jaccard(forms, pairs), shares)


def test_alike_texts_share_a_bucket_as_often_as_the_formula_says() -> None:
    rng = np.random.default_rng(1)
    forms = ["".join(rng.choice(list("abcdefghijklmnop"), 70)) for _ in range(6000)]
    cuts = rng.integers(0, 60, len(forms))
    copies = [form[:cut] + "zzzzzzzz" + form[cut + 6 :] for form, cut in zip(forms, cuts, strict=True)]
    rows = np.arange(len(forms))
    alike = shingles.jaccard(forms + copies, (rows, rows + len(forms)))
    met = (shingles.band_codes(forms) == shingles.band_codes(copies)).any(axis=0)
    told = 1 - (1 - alike**shingles.DEPTH) ** shingles.BANDS
    spread = np.sqrt((told * (1 - told)).sum()) / len(forms)
    assert abs(met.mean() - told.mean()) < 4 * spread + 0.002


def test_hashes_tell_texts_apart_and_nothing_is_zero() -> None:
    hashes = shingles.text_hashes(["a", "b", "a", "", "ж"])
    assert hashes[0] == hashes[2]
    assert len({*hashes.tolist()}) == 4
    assert hashes[3] == 0
    assert len(shingles.text_hashes([])) == 0
