from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from scoring.encoder import SentenceEncoder
from scoring.prototypes import prototype_head
from tests.scoring.conftest import Prompts
from tests.scoring.fakes import WordEncoder

POLICIES = {
    "violence": "Violence: praise of killing and of injury\nThreats: a threat to hurt someone",
    "hate": "Hate: contempt for a protected group\nSlurs: attacks with slurs",
}


def test_what_is_closer_to_the_words_ranks_higher() -> None:
    encoder = WordEncoder()
    head = prototype_head(encoder, POLICIES)
    found = encoder.encode(["a", "b", "c"], ["a threat to hurt", "contempt for a protected group", "lovely weather"])
    p = dict(zip(head.policies, head.probabilities(found.vectors).T, strict=True))
    assert p["violence"].argmax() == 0
    assert p["hate"].argmax() == 1
    assert head.sources == ("prototype", "prototype")
    assert head.encoder_version == encoder.version


def test_policies_come_in_one_order() -> None:
    turned = dict(reversed(POLICIES.items()))
    assert prototype_head(WordEncoder(), POLICIES).version == prototype_head(WordEncoder(), turned).version
    assert prototype_head(WordEncoder(), POLICIES).policies == ("hate", "violence")


def test_one_policy_is_enough() -> None:
    head = prototype_head(WordEncoder(), {"hate": POLICIES["hate"]})
    np.testing.assert_allclose(np.linalg.norm(head.weights, axis=1), 1, rtol=1e-5)


def test_a_policy_without_text_is_named() -> None:
    with pytest.raises(ValueError, match="'hate' has no text"):
        prototype_head(WordEncoder(), {"hate": " \n "})
    with pytest.raises(ValueError, match="no policy"):
        prototype_head(WordEncoder(), {})


HARMS = {
    "sexual": "Sexual content: meant to arouse, such as the description of sexual activity\n"
    "Sexual services: offers or asks for sex for money",
    "hate": "Hate: promotes hate based on race, gender, ethnicity, religion or nationality\n"
    "Slurs: attacks people with slurs",
    "violence": "Violence: promotes or glorifies violence or celebrates suffering\nThreat: threatens to hurt someone",
    "self-harm": "Self-harm: promotes or depicts suicide, cutting or eating disorders\nSuicide: a wish or plan to die",
}


@pytest.mark.slow
def test_on_real_prompts_it_ranks_above_chance(minilm: SentenceEncoder, prompts: Prompts) -> None:
    """Floors lie well under what was measured (AUC .90 sexual, .75 hate, .75 violence, .97 self-harm or so)."""
    head = prototype_head(minilm, HARMS)
    for harm, floor in (("sexual", 0.8), ("hate", 0.6), ("violence", 0.6), ("self-harm", 0.85)):
        labels, vectors = prompts.of(harm)
        auc = roc_auc_score(labels, head.probabilities(vectors)[:, head.policies.index(harm)])
        print(f"{harm}: AUC {auc:.3f}, {labels.sum():.0f} of {len(labels)} violate")
        assert auc > floor, harm
