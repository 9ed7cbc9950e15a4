"""Judges put together from their files, against a real service on this machine and a real (tiny) classifier."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.judges import ENDPOINT, PREDICTIONS, SCORER, What, Who, judge, price, scorer_contender
from configs.errors import SettingsError
from labeling.errors import InvalidInput, NothingToDo
from tests.api.gold import endpoint_file, regilded
from tests.api.site import HARM, WordGoldfold
from tests.judge_service import ChatService, chat_service
from tests.scoring.tiny import write_model


@pytest.fixture
def goldfold(gilded: Path, tmp_path: Path) -> Iterator[WordGoldfold]:
    made = regilded(gilded, tmp_path)
    yield made
    made.close()


@pytest.fixture
def service(tmp_path: Path, goldfold: WordGoldfold) -> Iterator[ChatService]:
    with chat_service() as (url, running):
        endpoint_file(tmp_path, url)
        yield running


GPT = Who(ENDPOINT, "gpt")


def test_an_endpoint_is_judged_and_its_price_told(goldfold: WordGoldfold, service: ChatService) -> None:
    told = price(goldfold, GPT, What())
    assert (service.seen, told["estimate"]["kept"]) == ([], 0)
    found = judge(goldfold, GPT, What(), "eve")
    assert found["slices"][0]["figures"]["accuracy"]["value"] == 1.0
    assert found["beside"]["usage"]["calls"] == told["estimate"]["calls"] == 3 * found["slices"][0]["n"]
    assert found["model"]["model_id"] == "endpoint:gpt"
    assert price(goldfold, GPT, What())["estimate"]["calls"] == 0
    with pytest.raises(InvalidInput, match="dry_run: only an endpoint costs anything"):
        price(goldfold, Who(SCORER, "toxic-bert"), What())


def test_the_key_goes_into_a_header_and_nowhere_else(
    goldfold: WordGoldfold, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("JUDGE_KEY", "sk-very-secret")
    with caplog.at_level(logging.DEBUG), chat_service() as (url, service):
        endpoint_file(tmp_path, url, key_env="JUDGE_KEY", repeats=1)
        found = judge(goldfold, Who(ENDPOINT, "gpt", limit=13), What(), "eve")
    assert set(service.keys) == {"Bearer sk-very-secret"}
    assert "sk-very-secret" not in f"{found}{caplog.text}{goldfold.ledger.sealed.all()}"
    assert b"sk-very-secret" not in goldfold.answers_path.read_bytes()


REFUSED: tuple[tuple[dict[str, object], str], ...] = (
    ({"allow_content": None}, r"gpt\.yaml: allow_content: content of items would be sent to http://127"),
    ({"allow_content": "yes please"}, "allow_content"),
    ({"private": None}, r"127\.0\.0\.1 is at 127\.0\.0\.1, which is private; .* set private: true"),
    ({"policies": "[hate_speach]"}, "'hate_speach' is no policy; did you mean 'hate_speech'"),
    ({"repeat": 3}, "repeat"),
    ({"url": "http://example.org/v1"}, "expected https"),
    ({"url": "https://user:pw@example.org/v1"}, "without user, password"),
    ({"key_env": "NO_SUCH_KEY_IS_SET"}, "NO_SUCH_KEY_IS_SET is not set"),
)


def test_a_file_that_may_not_be_used_is_refused_before_anything_is_sent(goldfold: WordGoldfold, tmp_path: Path) -> None:
    with chat_service() as (url, service):
        for more, says in REFUSED:
            endpoint_file(tmp_path, **{"url": url, **more})
            with pytest.raises(SettingsError, match=says) as error:
                judge(goldfold, GPT, What(), "eve")
            assert "pw@" not in str(error.value)
        assert service.seen == []


def test_a_name_that_is_no_file_is_told(goldfold: WordGoldfold) -> None:
    with pytest.raises(SettingsError, match=r"nobody: cannot be read: .* no nobody\.yaml in judges_dir"):
        judge(goldfold, Who(ENDPOINT, "nobody"), What(), "eve")


def test_the_gate_takes_anybody_and_moves_no_model(
    goldfold: WordGoldfold, service: ChatService, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInput, match="allow_sealed"):
        judge(goldfold, GPT, What(gate=True), "eve")
    with pytest.raises(InvalidInput, match="limit: sealed answers are judged by all at once"):
        judge(goldfold, Who(ENDPOINT, "gpt", 5), What(sealed=True), "eve")
    text = (tmp_path / "judges" / "gpt.yaml").read_text()
    (tmp_path / "judges" / "gpt.yaml").write_text(text + "allow_sealed: true\nrepeats: 1\n")
    verdict = judge(goldfold, GPT, What(gate=True), "eve")
    assert verdict["verdict"] in ("pass", "underpowered"), verdict["reasons"]
    assert verdict["champion"]["model_id"] == "prototypes"
    assert verdict["challenger"]["details"]["prompts"][HARM]["policy_version"] == "1.0.0"
    assert goldfold.ledger.gates.all()[-1].body["challenger"] == verdict["challenger"]
    rows = "".join(f"post-{n},{HARM},{0.9 if n % 2 else 0.1}\n" for n in range(120))
    (tmp_path / "ok.csv").write_text("external_id,policy,probability\n" + rows)
    other = judge(goldfold, Who(PREDICTIONS, str(tmp_path / "ok.csv")), What(gate=True), "eve")
    assert other["challenger"]["family"] == verdict["challenger"]["family"] == "external"
    assert other["budget_left"] == verdict["budget_left"] - 1
    assert goldfold.ledger.models.all() == []


def test_a_scorer_file_is_judged_as_it_is_configured(goldfold: WordGoldfold, tmp_path: Path) -> None:
    write_model(tmp_path / "tiny", "bert")
    (tmp_path / "tiny.yaml").write_text(
        f"kind: hf-text\nmodel: tiny\nlabels: {{slur: {HARM}, threat: violence}}\nmax_tokens: 32\n"
    )
    who = Who(SCORER, str(tmp_path / "tiny.yaml"))
    seen: list[tuple[int, int]] = []
    contender = scorer_contender(goldfold, who.name, lambda *told: seen.append(told))
    assert (contender.model_id, contender.family, contender.policies) == ("scorer:tiny", "external", (HARM, "violence"))
    found = judge(goldfold, who, What(fields=("surface",)), "eve")
    assert found["model"]["version"] == contender.version
    assert found["slices"][0]["policy"] == HARM
    few = judge(goldfold, Who(SCORER, who.name, 15), What(), "eve")
    assert few["slices"][0]["n"] == 15
    sealed = judge(goldfold, who, What(sealed=True), "eve")
    assert (sealed["is_repeat"], sealed["series"]) == (False, {})


def test_the_deployments_own_scorer_is_the_champion_itself(goldfold: WordGoldfold) -> None:
    assert scorer_contender(goldfold, "embedding-head").model_id == "prototypes"


def test_a_scorer_that_the_champion_is_in_shares_its_family(goldfold: WordGoldfold, tmp_path: Path) -> None:
    (tmp_path / "both.yaml").write_text("kind: ensemble\nmembers: [embedding-head, embedding-head]\n")
    made = scorer_contender(goldfold, str(tmp_path / "both.yaml"))
    assert (made.model_id, made.family) == ("scorer:both", "prototypes")


def test_images_meet_the_image_scorer_of_the_settings(goldfold: WordGoldfold) -> None:
    with pytest.raises(NothingToDo, match="holds no image item"):
        judge(goldfold, Who(SCORER, "opennsfw"), What(), "eve")
    with pytest.raises(SettingsError, match="reads videos, and no golden set holds any"):
        judge(goldfold, Who(SCORER, "video"), What(), "eve")
    with pytest.raises(NothingToDo, match="image_scorer: nothing scores images here; set it"):
        judge(goldfold, Who(SCORER, "opennsfw"), What(gate=True), "eve")
