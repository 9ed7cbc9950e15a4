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


WORDS = st.lists(st.sampled_from(["spam", "eggs", "letters", "of", "another", "kind", "x"]), min_size=1, max_size=60)


@settings(deadline=None, max_examples=60)
@given(WORDS, st.lists(st.integers(0, 59), max_size=4), st.sampled_from([0.3, 0.7, 0.9]))
def test_prints_never_leave_out_what_shares_enough(words: list[str], changed: list[int], least: float) -> None:
    other = ["new" if place in changed else word for place, word in enumerate(words)]
    forms = ["".join(words), "".join(other), "a text of its own that nobody else has written"]
    pairs = (np.array([0, 0, 1]), np.array([1, 2, 2]))
    may = shingles.signatures(forms)[1].may_share(*pairs, least)
    assert (may | (shingles.jaccard(forms, pairs) < least)).all()


def test_prints_leave_out_most_of_what_shares_little() -> None:
    rng = np.random.default_rng(0)
    forms = ["".join(chr(97 + c) for c in rng.integers(0, 26, 200)) for _ in range(50)]
    left, right = np.triu_indices(50, 1)
    assert not shingles.signatures(forms)[1].may_share(left, right, 0.7).any()
