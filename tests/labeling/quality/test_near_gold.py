"""Near gold means something on real texts. docs/quality.md has the table of whole sets."""

from __future__ import annotations

import numpy as np
import pytest

from labeling.quality.coverage import NEAR
from scoring.encoder import SentenceEncoder
from tests.labeling.quality.near_gold import F32, SETS, STEPS, bands, chance, read
from tests.realdata import real_set


def test_bands_split_the_texts_and_tell_equal_labels() -> None:
    random = np.random.default_rng(0)
    centres = np.repeat(np.eye(8, 16), 25, axis=0) + 0.02 * random.normal(size=(200, 16))
    vectors: F32 = (centres / np.linalg.norm(centres, axis=1, keepdims=True)).astype(np.float32)
    labels = np.repeat([f"label {n % 2}" for n in range(8)], 25)
    found = bands(vectors, labels)
    assert [band.low for band in found] == list(STEPS[:-1])
    assert sum(band.share for band in found) == pytest.approx(1)
    assert found[-1].same == 1
    assert chance(labels) == 0.5


@pytest.mark.slow
def test_a_text_near_gold_mostly_has_its_label_and_one_that_is_far_mostly_less() -> None:
    texts, labels = read(real_set("tweets.jsonl.gz"), SETS["tweets"], every=24)
    rows = SentenceEncoder(device="cpu").encode([str(n) for n in range(len(texts))], texts).vectors.astype(np.float32)
    found = bands(rows / np.linalg.norm(rows, axis=1, keepdims=True), labels, draws=5)
    far = [band for band in found if band.high <= NEAR - 0.3]
    print([(band.low, round(band.share, 3), round(band.same, 3)) for band in found], round(chance(labels), 3))
    near = [band for band in found if band.low >= 0.7 and band.texts]
    told = sum(band.same * band.texts for band in near) / sum(band.texts for band in near)
    assert told > 0.85
    assert all(band.same < told for band in far)
