from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from scoring.base import Scorer
from scoring.encoder import SentenceEncoder
from scoring.ensemble import Ensemble, HeadCommittee
from scoring.errors import ModelRefused
from scoring.head import Head
from scoring.hf_classifier import HFClassifier
from tests.contracts.scorer import IDS, POISON, TEXTS, ScorerContract
from tests.scoring.test_embedding_head import head_for
from tests.scoring.tiny import write_model

MAP = {"insult": "abuse", "threat": "violence"}
TAUS = {"abuse": 0.5, "self_harm": 0.5, "violence": 0.5}


def classifier(folder: Path) -> HFClassifier:
    return HFClassifier(folder, MAP, activation="sigmoid", device="cpu")


class EnsembleContract(ScorerContract):
    """``broken``: the place of the member where faults are injected."""

    broken: int
    folders: list[Path]

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _folders(cls, tmp_path_factory: pytest.TempPathFactory) -> None:
        root = tmp_path_factory.mktemp("members")
        cls.folders = [write_model(root / str(seed), "bert", seed=seed) for seed in range(3)]

    @classmethod
    def make(cls) -> Ensemble:
        return Ensemble([classifier(folder) for folder in cls.folders[:2]])

    @classmethod
    def make_other(cls) -> Ensemble:
        return Ensemble([classifier(folder) for folder in cls.folders[1:]])

    def module(self, scorer: Scorer) -> torch.nn.Module:
        assert isinstance(scorer, Ensemble)
        member = scorer.members[self.broken]
        assert isinstance(member, HFClassifier)
        return member.module

    def test_a_failure_names_the_member(self) -> None:
        scorer = self.make()

        def explode(_batch: torch.Tensor) -> None:
            raise RuntimeError("injected")

        with self.before_forward(scorer, explode):
            found = scorer.score(["poison"], [POISON])
        assert found.ids == ()
        assert found.failures[0].reason.startswith(f"member {self.broken + 1} ({scorer.members[self.broken].name}): ")


class TestFirstMember(EnsembleContract):
    broken = 0


class TestSecondMember(EnsembleContract):
    broken = 1


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> list[HFClassifier]:
    root = tmp_path_factory.mktemp("pair")
    return [classifier(write_model(root / f"m{seed}", "bert", seed=seed)) for seed in range(2)]


def test_it_is_the_mean_with_the_embeddings_of_the_first(pair: list[HFClassifier]) -> None:
    found = Ensemble(pair).score(IDS, TEXTS)
    alone = [member.score(IDS, TEXTS) for member in pair]
    np.testing.assert_array_equal(found.members, [scores.probabilities for scores in alone])
    np.testing.assert_allclose(found.probabilities, found.members.mean(axis=0), atol=1e-7)
    np.testing.assert_array_equal(found.embeddings, alone[0].embeddings)
    assert Ensemble(pair).embedding_version == pair[0].embedding_version


def test_the_order_of_members_changes_no_probability_and_no_disagreement(pair: list[HFClassifier]) -> None:
    one, two = Ensemble(pair), Ensemble(pair[::-1])
    a, b = one.score(IDS, TEXTS), two.score(IDS, TEXTS)
    np.testing.assert_array_equal(a.probabilities, b.probabilities)
    np.testing.assert_array_equal(one.disagreement(a, TAUS).bald, two.disagreement(b, TAUS).bald)
    assert one.disagreement(a, TAUS).bald.max() > 1e-4
    np.testing.assert_array_equal(a.disagreement, one.disagreement(a, TAUS).bald.astype(np.float32))
    assert pair[0].score(IDS[:1], TEXTS[:1]).disagreement is None
    assert one.version != two.version  # the embeddings are another member's


def test_members_that_do_not_fit_are_refused(pair: list[HFClassifier]) -> None:
    with pytest.raises(ValueError, match="at least one"):
        Ensemble([])


def test_members_of_other_policies_are_refused(pair: list[HFClassifier], tiny: dict[str, Path]) -> None:
    other = HFClassifier(tiny["bert"], {"slur": "hate"}, activation="sigmoid", device="cpu")
    with pytest.raises(ValueError, match="member 2 scores hate, but member 1 abuse, violence"):
        Ensemble([pair[0], other])


class TestHeadCommittee(ScorerContract):
    atol = 1e-4  # as for one head

    encoder: SentenceEncoder

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _encoder(cls, minilm: SentenceEncoder) -> None:
        cls.encoder = minilm

    @classmethod
    def make(cls) -> HeadCommittee:
        return HeadCommittee(cls.encoder, [head_for(cls.encoder, seed) for seed in range(3)])

    @classmethod
    def make_other(cls) -> HeadCommittee:
        return HeadCommittee(cls.encoder, [head_for(cls.encoder, seed) for seed in range(2)])

    def module(self, scorer: Scorer) -> torch.nn.Module:
        return self.encoder.module

    def test_texts_are_encoded_once(self) -> None:
        committee, batches = self.make(), list[int]()
        with self.before_forward(committee, lambda batch: batches.append(len(batch))):
            committee.score(IDS, TEXTS)
        assert sum(batches) == len(IDS)

    def test_scores_carry_the_disagreement(self) -> None:
        committee = self.make()
        found = committee.score(IDS, TEXTS)
        bald = committee.disagreement(found, dict.fromkeys(committee.policies, 0.5)).bald
        np.testing.assert_array_equal(found.disagreement, bald.astype(np.float32))

    def test_kept_embeddings_give_the_same_opinions(self) -> None:
        committee = self.make()
        found = committee.score(IDS, TEXTS)
        np.testing.assert_array_equal(committee.opinions(found.embeddings), found.members)

    def test_the_order_of_heads_changes_nothing(self) -> None:
        turned = HeadCommittee(self.encoder, [head_for(self.encoder, seed) for seed in (2, 0, 1)])
        one, two = self.make().score(IDS, TEXTS), turned.score(IDS, TEXTS)
        assert turned.version == self.make().version
        np.testing.assert_array_equal(one.probabilities, two.probabilities)
        np.testing.assert_array_equal(self.make().disagreement(one, TAUS).bald, turned.disagreement(two, TAUS).bald)

    def test_a_head_of_another_encoder_is_refused(self) -> None:
        head = head_for(self.encoder)
        stranger = Head(head.policies, head.weights, head.bias, head.platt, head.sources, "another")
        with pytest.raises(ModelRefused, match="another"):
            HeadCommittee(self.encoder, [head, stranger])
