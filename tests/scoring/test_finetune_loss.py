from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score
from torch.nn.functional import binary_cross_entropy_with_logits

from scoring.finetune_loss import MAX_RATIO, ClassWeights, PolicyLoss, class_weights, mean_average_precision

CPU = torch.device("cpu")
NAN = float("nan")


def test_balanced_weights_give_both_classes_the_same_sum_and_a_label_one_on_average() -> None:
    targets = np.array([[1, 1], [0, NAN], [0, NAN], [0, 0]], np.float32)
    weights = class_weights(targets, "balanced")
    np.testing.assert_allclose(weights.violates, [2, 1])
    np.testing.assert_allclose(weights.allowed, [2 / 3, 1], rtol=1e-6)
    np.testing.assert_allclose(weights.shift, np.log([3, 1]), atol=1e-6)
    even = class_weights(targets, "none")
    assert (even.violates == 1).all()
    assert not even.shift.any()
    with pytest.raises(ValueError, match="class weights 'odd'"):
        class_weights(targets, "odd")


def test_a_class_that_is_nearly_absent_does_not_drown_the_rest() -> None:
    targets = np.zeros((1000, 1), np.float32)
    targets[0] = 1
    weights = class_weights(targets, "balanced")
    assert weights.violates[0] / weights.allowed[0] == pytest.approx(MAX_RATIO)
    assert weights.violates[0] + 999 * weights.allowed[0] == pytest.approx(1000)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from([0.0, 0.25, 1.0, NAN]), min_size=6, max_size=6), st.integers(0, 9))
def test_the_loss_is_torchs_own_over_what_is_known(cells: list[float], seed: int) -> None:
    targets = torch.tensor(cells).reshape(3, 2)
    logits = torch.randn(3, 2, generator=torch.Generator().manual_seed(seed))
    loss = PolicyLoss(ClassWeights(np.ones(2, np.float32), np.ones(2, np.float32)), CPU)
    known = torch.isfinite(targets)
    expected = binary_cross_entropy_with_logits(logits[known], targets[known], reduction="sum")
    torch.testing.assert_close(loss.total(logits, targets), expected)
    assert float(loss.weight(targets)) == pytest.approx(int(known.sum()))


def test_what_is_unknown_moves_nothing() -> None:
    loss = PolicyLoss(ClassWeights(np.array([2, 3], np.float32), np.array([1, 0.5], np.float32)), CPU)
    logits = torch.zeros(2, 2, requires_grad=True)
    targets = torch.tensor([[1, NAN], [NAN, 0.5]])
    loss.total(logits, targets).backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    torch.testing.assert_close(logits.grad, torch.tensor([[-1.0, 0.0], [0.0, (0.5 * 0.5 - 3 * 0.5) / 2]]))
    assert float(loss.weight(targets)) == pytest.approx(2 + (3 * 0.5 + 0.5 * 0.5))


def test_how_a_step_is_cut_changes_nothing() -> None:
    rng = np.random.default_rng(0)
    targets = torch.from_numpy(np.where(rng.random((8, 2)) < 0.3, np.nan, rng.random((8, 2))).astype(np.float32))
    logits = torch.from_numpy(rng.normal(size=(8, 2)).astype(np.float32))
    loss = PolicyLoss(ClassWeights(np.array([2, 1], np.float32), np.array([0.5, 1], np.float32)), CPU)
    parts = [slice(0, 1), slice(1, 6), slice(6, 8)]
    torch.testing.assert_close(sum(loss.total(logits[p], targets[p]) for p in parts), loss.total(logits, targets))


def test_average_precision_is_the_mean_over_policies_that_have_both_classes() -> None:
    labels = np.array([[1, 1, NAN], [0, 1, 0], [1, NAN, NAN], [0, 1, 0]], np.float32)
    logits = np.array([[2, 0, 0], [3, 0, 0], [1, 0, 0], [0, 0, 0]], np.float32)
    expected = average_precision_score(labels[:, 0], logits[:, 0])
    assert mean_average_precision(logits, labels) == pytest.approx(expected)
    assert mean_average_precision(logits[:, 1:], labels[:, 1:]) is None
