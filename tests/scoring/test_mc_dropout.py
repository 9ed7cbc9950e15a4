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
from scoring.mc_dropout import MCDropout
from tests.contracts.scorer import IDS, POISON, TEXTS, ScorerContract
from tests.scoring.test_embedding_head import head_for
from tests.scoring.tiny import write_model

MAP = {"insult": "abuse", "threat": "violence"}


def classifier(folder: Path) -> HFClassifier:
    return HFClassifier(folder, MAP, activation="sigmoid", device="cpu")


class DropoutContract(ScorerContract):
    architecture: str
    folders: list[Path]

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _folders(cls, tmp_path_factory: pytest.TempPathFactory) -> None:
        root = tmp_path_factory.mktemp("dropout")
        cls.folders = [write_model(root / str(seed), cls.architecture, seed=seed) for seed in range(2)]

    @classmethod
    def make(cls) -> MCDropout:
        return MCDropout(classifier(cls.folders[0]), passes=3)

    @classmethod
    def make_other(cls) -> MCDropout:
        return MCDropout(classifier(cls.folders[1]), passes=3)

    def module(self, scorer: Scorer) -> torch.nn.Module:
        assert isinstance(scorer, MCDropout)
        assert isinstance(scorer.scorer, HFClassifier)
        return scorer.scorer.module

    def test_no_opinion_depends_on_its_batch(self) -> None:
        scorer = self.make()
        every = scorer.score(IDS, TEXTS)
        for i, text in enumerate(TEXTS):
            alone = scorer.score([IDS[i]], [text])
            np.testing.assert_allclose(alone.members[:, 0], every.members[:, i], rtol=0, atol=1e-5)

    def test_passes_disagree(self) -> None:
        found = self.make().score(IDS, TEXTS)
        assert found.members.shape == (3, len(IDS), 2)
        assert bald(found.members).max() > 1e-4
        np.testing.assert_array_equal(found.disagreement, bald(found.members).astype(np.float32))

    def test_passes_and_seed_are_part_of_the_version(self) -> None:
        inner = classifier(self.folders[0])
        made = [MCDropout(inner, passes=3), MCDropout(inner, passes=4), MCDropout(inner, passes=3, seed=1)]
        assert len({scorer.version for scorer in made} | {inner.version}) == 4
        assert {scorer.embedding_version for scorer in made} == {inner.embedding_version}
        one, _, other = (scorer.score(IDS, TEXTS).members for scorer in made)
        assert (one != other).any()


class TestBert(DropoutContract):
    architecture = "bert"


class TestRoberta(DropoutContract):
    architecture = "roberta"


class TestDistilbert(DropoutContract):
    architecture = "distilbert"


class TestDeberta(DropoutContract):
    architecture = "deberta"  # its attention weights go through a dropout layer, which stays off


@pytest.fixture
def scorer(tiny: dict[str, Path]) -> HFClassifier:
    return classifier(tiny["bert"])


def test_it_is_the_mean_of_the_passes_with_embeddings_and_notes_of_the_whole(scorer: HFClassifier) -> None:
    plain, found = scorer.score(IDS, TEXTS), MCDropout(scorer, passes=4).score(IDS, TEXTS)
    np.testing.assert_allclose(found.probabilities, found.members.mean(axis=0), atol=1e-7)
    np.testing.assert_array_equal(found.embeddings, plain.embeddings)
    assert plain.notes
    assert found.notes == plain.notes
    assert found.failures == plain.failures


def test_an_encoder_below_a_head_is_found(minilm: SentenceEncoder) -> None:
    found = MCDropout(EmbeddingHead(minilm, head_for(minilm)), passes=2).score(IDS[:2], TEXTS[:2])
    assert (found.members[0] != found.members[1]).any()


def test_network_and_random_state_stay_as_they_are(scorer: HFClassifier) -> None:
    plain = scorer.score(IDS, TEXTS)
    torch.manual_seed(5)
    state = torch.get_rng_state()
    MCDropout(scorer, passes=2).score(IDS, TEXTS)
    assert not any(module.training for module in scorer.module.modules())
    assert torch.equal(torch.get_rng_state(), state)
    np.testing.assert_array_equal(scorer.score(IDS, TEXTS).probabilities, plain.probabilities)


def test_the_network_is_whole_again_after_an_error(scorer: HFClassifier, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, whole, calls = scorer.score(IDS, TEXTS), scorer.score, iter(range(9))

    def score(*args: object) -> object:
        if next(calls) == 1:
            raise ValueError("injected")
        return whole(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(scorer, "score", score)
    with pytest.raises(ValueError, match="injected"):
        MCDropout(scorer, passes=2).score(IDS, TEXTS)
    np.testing.assert_array_equal(whole(IDS, TEXTS).probabilities, plain.probabilities)


def test_an_item_that_fails_in_a_pass_fails_by_that_pass(scorer: HFClassifier) -> None:
    calls = iter(range(99))

    def explode(_module: object, _inputs: object) -> None:
        if next(calls) > 0:
            raise RuntimeError("injected")

    handle = scorer.module.register_forward_pre_hook(explode)
    found = MCDropout(scorer, passes=2).score(["poison"], [POISON])
    handle.remove()
    assert found.ids == ()
    assert found.failures[0].reason.startswith("pass 1: ")


def test_what_cannot_disagree_is_refused(scorer: HFClassifier) -> None:
    with pytest.raises(ValueError, match="at least 2"):
        MCDropout(scorer, passes=1)
    for layer in scorer.module.modules():
        if isinstance(layer, torch.nn.Dropout):
            layer.p = 0.0
    with pytest.raises(ValueError, match="no dropout layer"):
        MCDropout(scorer, passes=2)


def test_a_scorer_without_network_is_refused(scorer: HFClassifier) -> None:
    class Remote:
        name, version, policies, score = "far", "1", scorer.policies, scorer.score

    remote: Scorer = Remote()
    with pytest.raises(ValueError, match="no torch network"):
        MCDropout(remote, passes=2)


def test_copies_on_several_devices_drop_the_same_units(tiny: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    one = MCDropout(classifier(tiny["bert"]), passes=2)
    monkeypatch.setattr(text_network, "resolve_devices", lambda _name: (torch.device("cpu"),) * 2)
    two = MCDropout(classifier(tiny["bert"]), passes=2)
    ids = [f"{place}-{item}" for place in range(60) for item in IDS]  # enough for windows on both
    found = two.score(ids, TEXTS * 60)
    np.testing.assert_allclose(found.members, np.tile(one.score(IDS, TEXTS).members, (1, 60, 1)), rtol=0, atol=1e-5)
