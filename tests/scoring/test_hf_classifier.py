from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer, pipeline

from scoring.base import Scorer
from scoring.errors import DeviceError, LabelMapError, ModelRefused
from scoring.hf_classifier import HFClassifier
from tests.contracts.scorer import IDS, TEXTS, ScorerContract
from tests.scoring.tiny import LABELS, MAX_TOKENS, write_model

MAP = {"insult": "abuse", "slur": "abuse", "threat": "violence"}


class TinyContract(ScorerContract):
    kind: str
    packed = True
    folder: Path
    other: Path

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _folders(cls, tiny: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> None:
        cls.folder = tiny[cls.kind]
        cls.other = write_model(tmp_path_factory.mktemp("other"), cls.kind, seed=1)

    @classmethod
    def make(cls) -> Scorer:
        return HFClassifier(cls.folder, MAP, device="cpu", packed=cls.packed)

    @classmethod
    def make_other(cls) -> Scorer:
        return HFClassifier(cls.other, MAP, device="cpu", packed=cls.packed)

    def module(self, scorer: Scorer) -> torch.nn.Module:
        assert isinstance(scorer, HFClassifier)
        return scorer.module


class TestBert(TinyContract):
    kind = "bert"


class TestRoberta(TinyContract):
    kind = "roberta"


class TestDistilBert(TinyContract):
    kind = "distilbert"


class TestBertPadded(TinyContract):
    kind = "bert"
    packed = False


class TestRobertaPadded(TinyContract):
    kind = "roberta"
    packed = False


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(
        st.lists(st.sampled_from(["fox", "dog", "birds", "bad", "words", "care", "day"]), min_size=1, max_size=80)
    ),
    budget=st.integers(1, 200),
    packed=st.booleans(),
)
def test_scores_do_not_depend_on_the_batch(
    tiny: dict[str, Path], texts: list[list[str]], budget: int, packed: bool
) -> None:
    scorer = _cached(tiny["roberta"], packed)
    scorer.batch_tokens = budget
    joined = [" ".join(words) for words in texts]
    found = scorer.score([str(n) for n in range(len(joined))], joined)
    assert found.failures == ()
    for n, text in enumerate(joined):
        alone = _cached(tiny["roberta"], False).score(["alone"], [text])
        # wide random weights blow rounding up: the largest seen in 3,000 texts was 5e-6, so this is rare and small
        np.testing.assert_allclose(found.probabilities[n], alone.probabilities[0], rtol=0, atol=5e-5)


@cache
def _cached(folder: Path, packed: bool) -> HFClassifier:
    return HFClassifier(folder, MAP, device="cpu", packed=packed)


@pytest.mark.parametrize("kind", ["bert", "roberta", "distilbert"])
@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_it_agrees_with_the_transformers_pipeline(tiny: dict[str, Path], kind: str, activation: str) -> None:
    each = {name: name for name in LABELS}
    ours = HFClassifier(tiny[kind], each, policies=LABELS, activation=activation, device="cpu", long_text="cut")
    found = ours.score(IDS, TEXTS)
    peer = pipeline(
        "text-classification",
        model=str(tiny[kind]),
        tokenizer=AutoTokenizer.from_pretrained(str(tiny[kind]), model_max_length=MAX_TOKENS),
        top_k=None,
        function_to_apply=activation,
        device="cpu",
    )
    for i, text in enumerate(TEXTS):
        answer: Any = peer([text], truncation=True)[0]
        theirs = {row["label"]: row["score"] for row in answer}
        np.testing.assert_allclose(found.probabilities[i], [theirs[name] for name in LABELS], atol=1e-5)


def test_embeddings_are_the_mean_of_the_last_states(tiny: dict[str, Path]) -> None:
    scorer = HFClassifier(tiny["bert"], MAP, device="cpu")
    rows = scorer.tokenize(["birds sing"])
    with torch.inference_mode():
        out = scorer.module(input_ids=torch.tensor([list(rows[0]["input_ids"])]), output_hidden_states=True)
    mean = out.hidden_states[-1][0].mean(dim=0).numpy()
    found = scorer.score(["a", "b"], ["birds sing", TEXTS[2]]).embeddings[0].astype(np.float32)
    np.testing.assert_allclose(found, mean / np.linalg.norm(mean), atol=1e-3)


def test_labels_of_one_policy_add_up_or_the_largest_counts(tiny: dict[str, Path]) -> None:
    each = {name: name for name in LABELS}
    for activation, combine in (("softmax", np.sum), ("sigmoid", np.max)):
        apart = HFClassifier(tiny["bert"], each, activation=activation, device="cpu").score(IDS, TEXTS)
        joined = HFClassifier(tiny["bert"], MAP, activation=activation, device="cpu").score(IDS, TEXTS)
        columns = [apart.policies.index(name) for name in ("insult", "slur")]
        expected = combine(apart.probabilities[:, columns], axis=1)
        np.testing.assert_allclose(joined.probabilities[:, joined.policies.index("abuse")], expected, atol=1e-6)


@pytest.mark.parametrize(
    ("problem", "activation"),
    [(None, "softmax"), ("single_label_classification", "softmax"), ("multi_label_classification", "sigmoid")],
)
def test_the_config_chooses_the_activation(tmp_path: Path, problem: str | None, activation: str) -> None:
    folder = write_model(tmp_path / "model", "bert", problem=problem)
    assert HFClassifier(folder, MAP, device="cpu").activation == activation


def test_a_regression_needs_an_activation(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model", "bert", problem="regression")
    with pytest.raises(ModelRefused, match="regression"):
        HFClassifier(folder, MAP, device="cpu")
    assert HFClassifier(folder, MAP, activation="sigmoid", device="cpu").activation == "sigmoid"


def test_a_label_map_that_does_not_fit_is_refused_by_name(tiny: dict[str, Path]) -> None:
    with pytest.raises(LabelMapError, match=r"no label rude, toxic; it has neutral, insult, threat, slur"):
        HFClassifier(tiny["bert"], {"toxic": "abuse", "rude": "abuse"}, device="cpu")
    with pytest.raises(LabelMapError, match="no label stands for: self_harm"):
        HFClassifier(tiny["bert"], MAP, policies=("abuse", "violence", "self_harm"), device="cpu")
    with pytest.raises(LabelMapError, match="unknown policies: violence"):
        HFClassifier(tiny["bert"], MAP, policies=("abuse",), device="cpu")
    with pytest.raises(LabelMapError, match="any policy"):
        HFClassifier(tiny["bert"], {}, device="cpu")


def test_the_version_covers_map_and_activation_but_embeddings_do_not(tiny: dict[str, Path]) -> None:
    made = [
        HFClassifier(tiny["bert"], MAP, device="cpu"),
        HFClassifier(tiny["bert"], {"insult": "abuse"}, device="cpu"),
        HFClassifier(tiny["bert"], MAP, activation="sigmoid", device="cpu"),
    ]
    assert len({scorer.version for scorer in made}) == 3
    assert len({scorer.embedding_version for scorer in made}) == 1
    assert HFClassifier(tiny["bert"], MAP, max_tokens=8, device="cpu").embedding_version != made[0].embedding_version


def test_policies_keep_the_order_asked(tiny: dict[str, Path]) -> None:
    assert HFClassifier(tiny["bert"], MAP, policies=("violence", "abuse"), device="cpu").policies == (
        "violence",
        "abuse",
    )


def test_wrong_arguments_are_refused(tiny: dict[str, Path]) -> None:
    with pytest.raises(ValueError, match="tanh"):
        HFClassifier(tiny["bert"], MAP, activation="tanh", device="cpu")
    with pytest.raises(ValueError, match=r"3\.\.32"):
        HFClassifier(tiny["bert"], MAP, max_tokens=33, device="cpu")
    with pytest.raises(DeviceError, match="tpu"):
        HFClassifier(tiny["bert"], MAP, device="tpu")


def test_text_beyond_the_limit_is_cut_where_asked(tiny: dict[str, Path]) -> None:
    for kind in tiny:
        scorer = HFClassifier(tiny[kind], MAP, device="cpu", long_text="cut")
        assert scorer.max_tokens == MAX_TOKENS
        found = scorer.score(["a", "b"], ["fox " * 30, "fox " * 31])
        np.testing.assert_allclose(found.probabilities[0], found.probabilities[1], atol=1e-6)
        assert scorer.score(["long"], ["fox " * 100_000]).failures == ()


def test_bad_texts_fail_by_id_and_a_megabyte_is_read_at_both_ends(tiny: dict[str, Path]) -> None:
    scorer = HFClassifier(tiny["bert"], MAP, device="cpu")
    megabyte = "fox " * 2**18
    texts = {"empty": "", "blank": " \n", "half": "fox \ud800", "long": megabyte, "good": "the fox"}
    found = scorer.score(list(texts), list(texts.values()))
    assert found.ids == ("long", "good")
    assert [(failure.item_id, failure.reason) for failure in found.failures] == [
        ("empty", "the text is empty"),
        ("blank", "the text is empty"),
        ("half", "the text is not valid Unicode: half a surrogate pair at character 4"),
    ]
    (note,) = found.notes
    assert note.item_id == "long"
    assert note.text.startswith("read in 4 windows, the first and the last")
    np.testing.assert_allclose(found.probabilities[1], scorer.score(["x"], ["the fox"]).probabilities[0], atol=1e-5)
