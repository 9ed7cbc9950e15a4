"""Labels as policies, whatever the model reads; the checks at load are in the tests of the classifiers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import BertConfig, BertForSequenceClassification, PreTrainedModel

from scoring.errors import LabelMapError
from scoring.label_map import ACTIVATIONS, LabelMap

LABELS = ("neutral", "insult", "threat", "slur")


def classifier() -> PreTrainedModel:
    config = BertConfig(
        vocab_size=8,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=8,
        id2label=dict(enumerate(LABELS)),
        label2id={name: i for i, name in enumerate(LABELS)},
    )
    return BertForSequenceClassification(config)


MODEL = classifier()
Logits = st.lists(st.lists(st.floats(-60, 60), min_size=4, max_size=4), min_size=1, max_size=5)


@given(Logits)
def test_exclusive_labels_add_up_to_one(logits: list[list[float]]) -> None:
    every = dict.fromkeys(LABELS, "any")
    found = LabelMap(MODEL, every, None, "softmax").probabilities(torch.tensor(logits))
    np.testing.assert_allclose(found, 1, atol=1e-6)
    assert found.dtype == np.float32


@given(Logits, st.sampled_from(ACTIVATIONS))
def test_a_policy_with_more_labels_never_scores_lower(logits: list[list[float]], activation: str) -> None:
    some = LabelMap(MODEL, {"insult": "abuse"}, None, activation).probabilities(torch.tensor(logits))
    more = LabelMap(MODEL, {"insult": "abuse", "slur": "abuse"}, None, activation).probabilities(torch.tensor(logits))
    assert ((some >= 0) & (some <= more) & (more <= 1)).all()


def test_labels_may_hold_together_under_sigmoid() -> None:
    both = LabelMap(MODEL, {"insult": "abuse", "slur": "abuse"}, None, "sigmoid")
    found = both.probabilities(torch.tensor([[9.0, 0.0, 9.0, 1.0]]))
    assert found[0, 0] == pytest.approx(torch.tensor(1.0).sigmoid().item())


def test_what_is_not_finite_stays_so() -> None:
    for activation in ACTIVATIONS:
        found = LabelMap(MODEL, {"insult": "abuse"}, None, activation).probabilities(
            torch.tensor([[0.0, torch.nan, 0, 0]])
        )
        assert np.isnan(found).all()


def test_labels_the_model_lacks_are_named() -> None:
    with pytest.raises(LabelMapError, match="no label rude"):
        LabelMap(MODEL, {"rude": "abuse"}, None, None)
