from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.base import Scorer, Scores
from scoring.cascade import Cascade
from scoring.errors import ModelRefused
from scoring.hf_classifier import HFClassifier
from tests.contracts.scorer import IDS, POISON, TEXTS, ScorerContract
from tests.scoring.stages import TAU, rule, tiny_stage
from tests.scoring.tiny import write_model

MAP = {"insult": "abuse", "slur": "abuse", "threat": "violence"}
POLICIES = ("abuse", "violence")


def cascade(folder: Path, *, cut: float, trickle: float = 0.0) -> Cascade:
    full = HFClassifier(folder, MAP, device="cpu")
    stage = tiny_stage((folder / "tokenizer.json").read_text(encoding="utf-8"), POLICIES)
    return Cascade(full, stage, rule(POLICIES, full.version, cut=cut, trickle=trickle))


class CascadeContract(ScorerContract):
    cut: float
    folder: Path
    other: Path

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _folders(cls, tiny: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> None:
        cls.folder = tiny["bert"]
        cls.other = write_model(tmp_path_factory.mktemp("other"), "bert", seed=1)

    @classmethod
    def make(cls) -> Cascade:
        return cascade(cls.folder, cut=cls.cut)

    @classmethod
    def make_other(cls) -> Cascade:
        return cascade(cls.other, cut=cls.cut)

    def module(self, scorer: Scorer) -> torch.nn.Module:
        assert isinstance(scorer, Cascade)
        assert isinstance(scorer.full, HFClassifier)
        return scorer.full.module


class TestNothingCleared(CascadeContract):
    cut = -1e9


class TestSomeCleared(CascadeContract):
    """The cut lies below the margin of the text that breaks the model, so that this reaches it."""

    leaves_out_embeddings = True

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _cut(cls, _folders: None) -> None:
        cls.cut = middle_cut(cls.folder)

    def test_it_clears_some_and_sends_more_than_two_on(self, scorer: Cascade) -> None:
        cleared = scorer.score(IDS, TEXTS).cleared
        assert 1 <= cleared.sum() <= len(IDS) - 3


def middle_cut(folder: Path) -> float:
    """A cut below the poison's margin that clears some of ``TEXTS`` and leaves three or more."""
    one = cascade(folder, cut=0.0)
    margins = np.sort(one.clearing.margins(one.stage.read(TEXTS)))
    poison = float(one.clearing.margins(one.stage.read([POISON]))[0])
    return float(min(poison, (margins[3] + margins[4]) / 2))


@pytest.fixture(scope="module")
def some(tiny: dict[str, Path]) -> Cascade:
    return cascade(tiny["bert"], cut=middle_cut(tiny["bert"]))


@pytest.fixture(scope="module")
def scores(some: Cascade) -> Scores:
    return some.score(IDS, TEXTS)


def test_all_that_is_not_cleared_has_the_full_scorers_answer(some: Cascade) -> None:
    found, full = some.score(IDS, TEXTS), some.score_fully(IDS, TEXTS)
    np.testing.assert_allclose(found.probabilities[~found.cleared], full.probabilities[~found.cleared], atol=1e-6)
    np.testing.assert_allclose(
        found.embeddings[~found.cleared].astype(np.float32),
        full.embeddings[~found.cleared].astype(np.float32),
        atol=1e-3,
    )
    assert not found.embeddings[found.cleared].any()
    assert full.embeddings.any(axis=1).all()


def test_a_cleared_items_probability_stays_below_the_threshold(tiny: dict[str, Path]) -> None:
    found = cascade(tiny["bert"], cut=1e9).score(IDS, TEXTS)
    assert found.cleared.sum() == len(IDS) - 1  # a text that is too long to be read is never cleared
    assert (found.probabilities[found.cleared] < np.float32(TAU)).all()
    assert (found.probabilities[found.cleared] > 0).all()


def test_the_trickle_is_never_cleared(tiny: dict[str, Path]) -> None:
    one = cascade(tiny["bert"], cut=1e9, trickle=0.5)
    found = one.score(IDS, TEXTS)
    drawn = one.clearing.trickles(IDS)
    assert 0 < drawn.sum() < len(IDS)
    assert not (found.cleared & drawn).any()
    alone = [one.score([item], [text]).cleared[0] for item, text in zip(IDS, TEXTS, strict=True)]
    assert alone == found.cleared.tolist()


def test_failures_are_the_full_scorers(some: Cascade) -> None:
    texts: list[Any] = [*TEXTS, "", "half \ud800 a pair", None]
    ids = [*IDS, "empty", "half", "none"]
    found, full = some.score(ids, texts), some.score_fully(ids, texts)
    assert found.failures == full.failures
    assert found.ids == full.ids == IDS


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(range(len(TEXTS))), unique=True))
def test_what_is_cleared_depends_on_the_item_only(some: Cascade, scores: Scores, chosen: list[int]) -> None:
    found = some.score([IDS[i] for i in chosen], [TEXTS[i] for i in chosen])
    whole = some.score(IDS, TEXTS)
    assert found.cleared.tolist() == whole.cleared[chosen].tolist()
    np.testing.assert_allclose(found.probabilities, scores.probabilities[chosen], rtol=0, atol=1e-5)


def test_when_all_is_cleared_progress_still_ends(tiny: dict[str, Path]) -> None:
    heard: list[tuple[int, int]] = []
    found = cascade(tiny["bert"], cut=1e9).score(IDS[:3], TEXTS[:3], lambda done, total: heard.append((done, total)))
    assert found.cleared.all()
    assert heard[-1] == (3, 3)
    assert found.embeddings.shape == (3, 32)


def test_a_stage_of_another_scorer_is_refused(tiny: dict[str, Path]) -> None:
    full = HFClassifier(tiny["bert"], MAP, device="cpu")
    tokenizer = (tiny["bert"] / "tokenizer.json").read_text(encoding="utf-8")
    with pytest.raises(ModelRefused, match="distilled from scorer other, not from"):
        Cascade(full, tiny_stage(tokenizer, POLICIES), rule(POLICIES, "other"))
    with pytest.raises(ModelRefused, match="the cascade judges abuse, but"):
        Cascade(full, tiny_stage(tokenizer, ("abuse",)), rule(("abuse",), full.version))


def test_the_version_names_stage_rule_and_full_scorer(tiny: dict[str, Path]) -> None:
    one = cascade(tiny["bert"], cut=0.0)
    assert one.version == cascade(tiny["bert"], cut=0.0).version
    others = {cascade(tiny["bert"], cut=0.1).version, cascade(tiny["bert"], cut=0.0, trickle=0.1).version}
    assert len({one.version, one.full.version, *others}) == 4
    assert one.embedding_version == getattr(one.full, "embedding_version", one.full.version)
