"""The profile's shares are of one whole, and each operator is counted once and for what it does."""

from __future__ import annotations

import pytest

from benchmarks import profile
from scoring.encoder import SentenceEncoder

TEXTS = ["a few words", "some more words than that", "words " * 40]


@pytest.mark.parametrize(
    ("operator", "kind"),
    [
        ("addmm", "products"),
        ("_scaled_dot_product_flash_attention_for_cpu", "attention"),
        ("native_layer_norm", "norm"),
        ("gelu", "gelu"),
        ("copy_", "copies"),
        ("index_select", "copies"),
        ("add", "rest"),
        ("view", "rest"),
    ],
)
def test_an_operator_is_told_by_its_name(operator: str, kind: str) -> None:
    assert profile.kind_of(operator) == kind


def test_the_shares_add_up_and_each_kind_is_met() -> None:
    found = profile.shares(SentenceEncoder(device="cpu"), TEXTS)
    assert sum(found.values()) == pytest.approx(1)
    assert tuple(f"profile_{kind}" for kind in found) == profile.NAMES
    assert min(found.values()) > 0
    assert found["products"] > found["norm"]
