from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from scoring.base import Scorer, Scores
from scoring.errors import LabelMapError, RemoteRefused, RemoteUnreachable
from scoring.remote import Reply
from scoring.remote_encoder import RemoteEncoder
from scoring.remote_moderation import RemoteModeration
from tests.contracts.scorer import IDS, TEXTS, AnyScorerContract
from tests.scoring.service import FORBIDDEN, Service, caller, down

LABELS = {"hate": "hate_speech", "hate/threatening": "hate_speech", "violence": "violence"}


def make(service: Service, **more: Any) -> RemoteModeration:
    asked = caller(service, batch=3, concurrency=2)
    return RemoteModeration(asked, "mod", LABELS, RemoteEncoder(asked, "emb"), **more)


class TestRemoteModeration(AnyScorerContract):
    @classmethod
    def make(cls) -> Scorer:
        return make(Service())

    @classmethod
    def make_other(cls) -> Scorer:
        return make(Service(model="mod-2"))


def test_a_policy_is_the_largest_of_its_categories() -> None:
    service = Service()
    scores = make(service).score(IDS, TEXTS)
    for text, row in zip(TEXTS, scores.probabilities, strict=True):
        said = service.moderated(text)["category_scores"]
        np.testing.assert_allclose(row, [max(said["hate"], said["hate/threatening"]), said["violence"]], rtol=1e-6)


def test_trouble_on_the_way_changes_nothing() -> None:
    calm = make(Service()).score(IDS, TEXTS)
    service = Service()
    scorer = make(service)
    service.faults = [down(), Reply(429, {}, 0.1), Reply(502, {})]
    np.testing.assert_array_equal(scorer.score(IDS, TEXTS).probabilities, calm.probabilities)
    assert scorer.usage.retries == 3


def test_a_text_that_the_service_refuses_fails_alone() -> None:
    found = make(Service()).score([*IDS, "bad"], [*TEXTS, f"please {FORBIDDEN}"])
    assert found.ids == IDS
    assert [failure.item_id for failure in found.failures] == ["bad"]
    assert "answers 400 (invalid_input)" in found.failures[0].reason
    assert FORBIDDEN not in found.failures[0].reason


@pytest.mark.parametrize("value", [1.5, -0.1, float("nan"), "0.5", None, True])
def test_a_score_that_is_no_probability_fails_alone(value: object) -> None:
    service = Service()
    scorer = make(service)
    row = {"category_scores": {"hate": value, "hate/threatening": 0.1, "violence": 0.1}}
    service.faults = [Reply(200, {"model": "mod-1", "results": [row]})]
    found = scorer.score(["a"], ["words"])
    assert found.ids == ()
    assert "not a finite number" in found.failures[0].reason


def test_a_service_that_stays_away_loses_nothing_silently() -> None:
    service = Service()
    scorer = make(service)
    service.faults = [down()] * 99
    with pytest.raises(RemoteUnreachable, match="run it again when the service is back"):
        scorer.score(IDS, TEXTS)


def test_a_wrong_map_is_seen_before_any_content_is_sent() -> None:
    service = Service(strip=("violence",))
    with pytest.raises(LabelMapError, match=r"no category violence; it has hate, hate/threatening, sexual"):
        make(service)
    assert all("weather" in body["input"][0] for _, body in service.asked)
    with pytest.raises(LabelMapError, match="no policy"):
        RemoteModeration(caller(Service()), "m", {}, RemoteEncoder(caller(Service()), "e"))
    with pytest.raises(LabelMapError, match="covers hate_speech, violence"):
        make(Service(), policies=("violence",))
    assert make(Service(), policies=("violence", "hate_speech")).policies == ("violence", "hate_speech")


@pytest.mark.parametrize(
    "body",
    [{}, {"results": []}, {"results": "x"}, {"results": [7]}, {"results": [{"category_scores": [1]}]}],
)
def test_an_answer_of_another_form_is_refused(body: dict[str, Any]) -> None:
    service = Service()
    scorer = make(service)
    service.faults = [Reply(200, {"model": "mod-1", **body})]
    with pytest.raises(RemoteRefused, match="OpenAI-compatible"):
        scorer.score(["a"], ["words"])


def test_a_harmless_sentence_must_pass() -> None:
    service = Service()
    encoder = RemoteEncoder(caller(service), "emb")
    service.faults = [Reply(400, {})]
    with pytest.raises(RemoteRefused, match="400 to a harmless sentence"):
        RemoteModeration(caller(service), "m", LABELS, encoder)


def test_a_model_that_changes_under_way_stops_the_run() -> None:
    service = Service()
    scorer = make(service)
    service.model = "mod-2"
    with pytest.raises(RemoteRefused, match="went over from model mod-1 to mod-2"):
        scorer.score(["a"], ["words"])


def test_a_long_text_loses_its_middle_and_a_note_says_so() -> None:
    service = Service()
    scorer = make(service, max_chars=9)
    found = scorer.score(["long", "short"], ["abcdeXXXXXwxyz", "short"])
    sent = [text for path, body in service.asked[2:] if path == "/moderations" for text in body["input"]]
    assert sorted(sent) == ["abcdewxyz", "short"]
    assert [(note.item_id, note.text) for note in found.notes] == [
        ("long", "5 characters in the middle of the text were not read")
    ]


def test_what_was_asked_for_is_counted() -> None:
    service = Service()
    scorer = make(service)
    before = scorer.usage
    scorer.score(IDS, TEXTS)
    assert scorer.usage.items - before.items == 2 * len(IDS)  # moderated and embedded
    assert scorer.usage.requests - before.requests == 2 * 4  # ten texts in batches of three
    assert scorer.usage.tokens > before.tokens


def test_an_item_that_cannot_be_embedded_fails() -> None:
    service = Service()
    scorer = make(service)
    nothing = {"model": "mod-1", "data": [{"index": 0, "embedding": [0.0] * 8}]}
    answer = service.post("/moderations", {"input": ["words"]})
    service.faults = [replace(answer), Reply(200, nothing)]
    found: Scores = scorer.score(["a"], ["words"])
    assert found.ids == ()
    assert len(found.failures) == 1
