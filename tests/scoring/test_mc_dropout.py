from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from scoring import text_network
from scoring.base import Scorer
from scoring.disagreement import bald
from scoring.embedding_head import EmbeddingHead
from scoring.encoder import SentenceEncoder
from scoring.hf_classifier import HFClassifier
from scoring.mc_dropout import mc_dropout
from tests.contracts.scorer import IDS, TEXTS
from tests.scoring.test_embedding_head import head_for


@pytest.fixture
def scorer(tiny: dict[str, Path]) -> HFClassifier:
    return HFClassifier(tiny["bert"], {"insult": "abuse"}, activation="sigmoid", device="cpu")


def modes(scorer: HFClassifier) -> list[bool]:
    return [module.training for module in scorer.module.modules()]


def test_passes_differ_and_the_same_seed_gives_the_same_bits(scorer: HFClassifier) -> None:
    one, two, other = (mc_dropout(scorer, IDS, TEXTS, passes=4, seed=seed) for seed in (1, 1, 2))
    assert one.members.shape == (4, len(IDS), 1)
    np.testing.assert_array_equal(one.members, two.members)
    assert (one.members != other.members).any()
    assert bald(one.members).max() > 1e-4
    assert (bald(one.members) <= np.log(2)).all()


def test_an_encoder_below_a_head_is_found(minilm: SentenceEncoder) -> None:
    found = mc_dropout(EmbeddingHead(minilm, head_for(minilm)), IDS[:2], TEXTS[:2], passes=2, seed=0)
    assert (found.members[0] != found.members[1]).any()


def test_network_and_random_state_are_put_back(scorer: HFClassifier) -> None:
    plain, before = scorer.score(IDS, TEXTS), modes(scorer)
    torch.manual_seed(5)
    state = torch.get_rng_state()
    mc_dropout(scorer, IDS, TEXTS, passes=2, seed=0)
    assert modes(scorer) == before
    assert torch.equal(torch.get_rng_state(), state)
    np.testing.assert_array_equal(scorer.score(IDS, TEXTS).probabilities, plain.probabilities)


def test_they_are_put_back_after_an_error(scorer: HFClassifier) -> None:
    before, state = modes(scorer), torch.get_rng_state()
    with pytest.raises(ValueError, match="more than once"):
        mc_dropout(scorer, ["a", "a"], ["a fox", "birds"], passes=2, seed=0)
    assert modes(scorer) == before
    assert torch.equal(torch.get_rng_state(), state)


def test_what_cannot_disagree_is_refused(scorer: HFClassifier) -> None:
    with pytest.raises(ValueError, match="at least 2"):
        mc_dropout(scorer, IDS, TEXTS, passes=1, seed=0)
    for layer in scorer.module.modules():
        if isinstance(layer, torch.nn.Dropout):
            layer.p = 0.0
    with pytest.raises(ValueError, match="no dropout layer"):
        mc_dropout(scorer, IDS, TEXTS, passes=2, seed=0)


def test_a_scorer_without_network_is_refused(scorer: HFClassifier) -> None:
    class Remote:
        name, version, policies, score = "far", "1", scorer.policies, scorer.score

    remote: Scorer = Remote()
    with pytest.raises(ValueError, match="no torch network"):
        mc_dropout(remote, IDS, TEXTS, passes=2, seed=0)


def test_copies_on_several_devices_are_refused(tiny: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_network, "resolve_devices", lambda _name: (torch.device("cpu"),) * 2)
    with pytest.raises(ValueError, match="load it on one, such as cuda:0"):
        mc_dropout(HFClassifier(tiny["bert"], {"insult": "abuse"}), ["a"], ["fox"], passes=2, seed=0)
