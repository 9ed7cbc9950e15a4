from __future__ import annotations

import json

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from scoring.encoder import SentenceEncoder
from scoring.errors import NotTrainable
from scoring.head import Head
from scoring.prototypes import prototype_head
from scoring.training import MIN_PER_CLASS, platt_line, train_head
from tests.scoring.conftest import Prompts

D = 16
POLICIES = ("easy", "rare", "noise")
F32 = npt.NDArray[np.float32]


def fallback(policies: tuple[str, ...] = POLICIES, dimension: int = D) -> Head:
    k = len(policies)
    return Head(
        policies,
        np.full((k, dimension), 0.25, np.float32),
        np.zeros(k, np.float32),
        np.tile(np.array([12.0, 0.0], np.float32), (k, 1)),
        ("prototype",) * k,
        "encoder-1",
    )


def sample(n: int = 400, seed: int = 0) -> tuple[npt.NDArray[np.float16], F32]:
    """Unit vectors; "easy" follows the first axis at 20 %, "rare" has 3 positives, "noise" is a coin."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(n, D))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    noisy = vectors[:, 0] + rng.normal(0, 0.1, n)
    labels = np.full((n, 3), np.nan, np.float32)
    labels[:, 0] = noisy > np.quantile(noisy, 0.8)
    labels[: n // 2, 1] = np.arange(n // 2) < 3
    labels[:, 2] = rng.integers(0, 2, n)
    return vectors.astype(np.float16), labels


def test_a_policy_with_labels_is_trained_and_others_keep_their_row() -> None:
    vectors, labels = sample()
    trained = train_head(vectors, labels, POLICIES, "encoder-1", fallback(), seed=1)
    easy, rare = trained.fits["easy"], trained.fits["rare"]
    assert easy.trained
    assert (easy.source, easy.positives, easy.negatives, easy.note) == ("trained", 80, 320, "")
    assert easy.average_precision is not None
    assert easy.average_precision > 0.8
    assert not rare.trained
    assert (rare.source, rare.positives, rare.negatives) == ("prototype", 3, 197)
    assert rare.note == "3 violating and 197 allowed labels, 5 of each are needed; keeps its prototype row"
    np.testing.assert_array_equal(trained.head.weights[1], fallback().weights[1])
    np.testing.assert_array_equal(trained.head.platt[1], fallback().platt[1])
    assert trained.head.sources[:2] == ("trained", "prototype")
    json.dumps(trained.report)


def test_probabilities_are_calibrated_to_the_sample() -> None:
    vectors, labels = sample(2000)
    head = train_head(vectors, labels, POLICIES, "encoder-1", fallback(), seed=1).head
    fresh, truth = sample(4000, seed=9)
    p, y = head.probabilities(fresh)[:, 0], truth[:, 0]
    assert abs(p.mean() - y.mean()) < 0.02
    for low, high in ((0, 0.1), (0.1, 0.5), (0.5, 0.9), (0.9, 1.01)):
        inside = (p >= low) & (p < high)
        assert abs(p[inside].mean() - y[inside].mean()) < 0.08


def test_priors_move_the_probabilities_to_the_traffic() -> None:
    vectors, labels = sample(2000)
    plain = train_head(vectors, labels, POLICIES, "encoder-1", fallback(), 1).head.probabilities(vectors)[:, 0]
    moved = train_head(vectors, labels, POLICIES, "encoder-1", fallback(), 1, priors={"easy": 0.01}).head
    p = moved.probabilities(vectors)[:, 0]
    np.testing.assert_array_equal(np.argsort(p, kind="stable"), np.argsort(plain, kind="stable"))
    odds = (p / (1 - p)) / (plain / (1 - plain))
    middle = (plain > 0.05) & (plain < 0.95)
    np.testing.assert_allclose(odds[middle], (0.01 / 0.99) / (0.2 / 0.8), rtol=0.01)


@settings(deadline=None, max_examples=4)
@given(st.integers(0, 1000))
def test_the_order_of_rows_does_not_matter(shuffle: int) -> None:
    vectors, labels = sample(150)
    order = np.random.default_rng(shuffle).permutation(len(vectors))
    one = train_head(vectors, labels, POLICIES, "encoder-1", fallback(), seed=4).head
    two = train_head(vectors[order], labels[order], POLICIES, "encoder-1", fallback(), seed=4).head
    assert one.version == two.version


def test_labels_that_cannot_be_told_apart_are_reported_or_rank_weakly() -> None:
    vectors, labels = sample()
    fit = train_head(vectors, labels, POLICIES, "encoder-1", fallback(), seed=1).fits["noise"]
    if fit.trained:
        assert fit.average_precision is not None
        assert fit.average_precision < 0.65
    else:
        assert "do not tell apart" in fit.note


def test_an_anti_predictive_fit_is_never_used() -> None:
    """Two identical clouds with balanced labels: out of fold, the decision points the wrong way."""
    vectors = np.repeat(np.eye(D, dtype=np.float16)[:6], 2, axis=0)
    labels = np.array([[0, 1] * 6], np.float32).T
    with pytest.raises(NotTrainable, match="do not tell apart"):
        train_head(vectors, labels, ("coin",), "encoder-1", fallback(("coin",)), seed=0)


def test_nothing_to_train_on_is_said_with_counts() -> None:
    vectors, labels = sample()
    labels[:, 0] = np.nan
    labels[: 2 * MIN_PER_CLASS - 1, 0] = [1, 0] * (MIN_PER_CLASS - 1) + [0]
    with pytest.raises(NotTrainable, match=r"easy: 4 violating and 5 allowed labels, 5 of each"):
        train_head(vectors, labels[:, :1], ("easy",), "encoder-1", fallback(), seed=0)
    with pytest.raises(NotTrainable):
        train_head(vectors[:0], labels[:0], POLICIES, "encoder-1", fallback(), seed=0)


def test_a_trained_row_of_the_fallback_stays_trained() -> None:
    vectors, labels = sample()
    first = train_head(vectors, labels, POLICIES, "encoder-1", fallback(), seed=1).head
    labels[:, 0] = np.nan
    labels[:, 1] = np.random.default_rng(0).permutation(vectors[:, 1] > 0.3)
    labels[:, 1] = vectors[:, 1] > 0.3
    second = train_head(vectors, labels, POLICIES, "encoder-1", first, seed=1)
    assert second.fits["easy"].source == "trained"
    assert not second.fits["easy"].trained
    np.testing.assert_array_equal(second.head.weights[0], first.weights[0])


def test_what_does_not_fit_is_refused() -> None:
    vectors, labels = sample(50)
    with pytest.raises(ValueError, match="labels must be 0, 1 or NaN"):
        train_head(vectors, labels + 0.5, POLICIES, "encoder-1", fallback(), 0)
    with pytest.raises(ValueError, match=r"\(n, 3\)"):
        train_head(vectors, labels[:, :2], POLICIES, "encoder-1", fallback(), 0)
    with pytest.raises(ValueError, match="not encoder-2"):
        train_head(vectors, labels, POLICIES, "encoder-2", fallback(), 0)
    with pytest.raises(ValueError, match="lacks the policies new"):
        train_head(vectors, labels, ("easy", "rare", "new"), "encoder-1", fallback(), 0)
    with pytest.raises(ValueError, match="priors must lie"):
        train_head(vectors, labels, POLICIES, "encoder-1", fallback(), 0, priors={"easy": 1.0})
    with pytest.raises(ValueError, match="finite"):
        train_head(np.full_like(vectors, np.nan), labels, POLICIES, "encoder-1", fallback(), 0)


def test_platts_line_recovers_a_known_one() -> None:
    rng = np.random.default_rng(0)
    decisions = rng.normal(0, 2, 20_000)
    answers = (rng.random(20_000) < expit(1.7 * decisions - 2.0)).astype(np.int64)
    slope, offset = platt_line(decisions, answers)
    assert slope == pytest.approx(1.7, abs=0.1)
    assert offset == pytest.approx(-2.0, abs=0.1)


def test_platts_line_is_finite_on_separated_classes() -> None:
    decisions = np.array([-1.0, -0.9, -0.8, 0.8, 0.9, 1.0])
    slope, offset = platt_line(decisions, (decisions > 0).astype(np.int64))
    assert np.isfinite([slope, offset]).all()
    assert slope > 0


@pytest.mark.slow
def test_on_real_prompts_training_beats_the_prototype(minilm: SentenceEncoder, prompts: Prompts) -> None:
    labels, vectors = prompts.of("hate")
    cold = prototype_head(minilm, {"hate": "Hate: promotes hate based on race, gender, ethnicity or religion"})
    half = np.arange(len(labels)) % 2 == 0
    warm = train_head(vectors[half], labels[half, None], ("hate",), minilm.version, cold, seed=0)
    auc = {
        name: roc_auc_score(labels[~half], head.probabilities(vectors[~half])[:, 0])
        for name, head in (("prototype", cold), ("trained", warm.head))
    }
    print(auc, warm.report)
    assert auc["trained"] > auc["prototype"]
