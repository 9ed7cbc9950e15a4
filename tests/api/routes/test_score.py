from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.auth import Role
from api.composition import Goldfold
from api.online.figures import Outcome
from api.server import build_app
from api.service import Service
from scoring.base import Scores
from scoring.errors import DeviceError
from scoring.hf_classifier import HFClassifier
from tests.api.client import assert_problem
from tests.api.online.test_served import promote
from tests.api.routes.conftest import Site, give_keys
from tests.api.site import HARM, WordGoldfold, settings
from tests.scoring.tiny import write_model

PATH = "/v1/score"
LONG_S = 20.0


def body(*texts: object, **more: Any) -> dict[str, Any]:
    return {"items": [{"id": f"id-{n}", "text": text} for n, text in enumerate(texts)], **more}


def ok(response: httpx.Response) -> dict[str, Any]:
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


@contextmanager
def site_with(folder: Path, **more: Any) -> Iterator[Site]:
    given = settings(folder, **more)
    with Service(given, WordGoldfold(given)) as service:
        yield give_keys(Site(build_app(service), service))


def hold(site: Site, monkeypatch: pytest.MonkeyPatch, before: Callable[[], object]) -> None:
    """``before`` runs in the worker before every batch."""
    scorer = site.goldfold.scorer()
    whole = scorer.score

    def score(ids: Sequence[str], texts: Sequence[str]) -> Scores:
        before()
        return whole(ids, texts)

    monkeypatch.setattr(scorer, "score", score)


def test_texts_are_scored_and_nothing_is_kept(site: Site) -> None:
    answer = ok(site.ask("POST", PATH, Role.VIEWER, json=body("you vermin", "flowers")))
    scorer, policies = site.goldfold.scorer(), site.goldfold.policies
    assert answer["model"] == {
        "name": scorer.name,
        "version": scorer.version,
        "model_id": None,
        "golden_version": None,
    }
    assert answer["policies"] == {p.id: {"version": p.version, "threshold": p.threshold} for p in policies.values()}
    expected = scorer.score(["a", "b"], ["you vermin", "flowers"])
    for item, row in zip(answer["items"], expected.probabilities.tolist(), strict=True):
        assert list(item["probabilities"].values()) == pytest.approx(row, abs=1e-6)
        assert item["above_threshold"] == {p: item["probabilities"][p] >= policies[p].threshold for p in policies}
        assert (item["notes"], item["error"]) == ([], None)
    assert [item["id"] for item in answer["items"]] == ["id-0", "id-1"]
    assert (site.goldfold.ledger.items.count(), site.goldfold.lake.count()) == (0, 0)
    assert site.get("/v1/jobs") == []


def test_a_bad_item_fails_alone(site: Site) -> None:
    rows = [{"text": "good"}, {"text": 7}, 5, {"text": "x" * 20_001}, {"text": "a", "policies": ["nope"]}]
    answer = ok(site.ask("POST", PATH, json={"items": [*rows, {"text": "good", "policies": [HARM]}]}))
    errors = [item["error"] for item in answer["items"]]
    assert [bool(error) for error in errors] == [False, True, True, True, True, False]
    assert all(error.startswith(f"items.{i}") for i, error in enumerate(errors) if error)
    assert list(answer["items"][5]["probabilities"]) == [HARM]


def test_when_every_item_is_bad_no_model_is_asked(site: Site) -> None:
    answer = ok(site.ask("POST", PATH, json=body(1, None)))
    assert (answer["model"], answer["policies"]) == (None, {})
    assert all(item["error"] for item in answer["items"])


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "body.items"),
        ({"items": []}, "body.items"),
        (body("a", more=1), "body.more"),
        (body("a", deadline_ms=0), "body.deadline_ms"),
        (body("a", deadline_ms="soon"), "body.deadline_ms"),
        (body("a", deadline_ms=60_001), r"deadline_ms: must be at most 60000 \(setting online_max_deadline_ms\)"),
        (body(*["a"] * 1001), r"items: 1001 are more than 1000 \(setting online_max_items\)"),
    ],
)
def test_what_does_not_fit_is_named(site: Site, given: dict[str, Any], says: str) -> None:
    assert_problem(site.ask("POST", PATH, json=given), 422, says)


@pytest.mark.parametrize(
    "raw", [b"{", b"\xff", b'{"items": [{"id": "\\ud800", "text": 1}, {"\\ud800": 1}, {"text": "\\ud800", "x": 1}]}']
)
def test_what_is_no_text_at_all_is_never_a_crash(site: Site, raw: bytes) -> None:
    response = site.ask("POST", PATH, content=raw, headers={"Content-Type": "application/json"})
    assert response.status_code in (200, 400, 422), response.text


def test_a_promoted_model_answers_from_then_on(site: Site) -> None:
    cold = ok(site.ask("POST", PATH, json=body("vermin")))["model"]
    promote(site.goldfold)
    warm = ok(site.ask("POST", PATH, json=body("vermin")))["model"]
    assert (warm["model_id"], warm["golden_version"]) == ("one", "1.2.0")
    assert warm["version"] != cold["version"]


def test_a_full_queue_is_429_and_a_deadline_that_passes_504(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entered, go = threading.Event(), threading.Event()

    def before() -> None:
        entered.set()
        go.wait(LONG_S)

    async def work() -> list[httpx.Response]:
        transport = httpx.ASGITransport(site.app)
        headers = {"Authorization": f"Bearer {site.keys[Role.VIEWER]}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://goldfold.test", headers=headers) as client:
            first = asyncio.create_task(client.post(PATH, json=body("a")))
            await asyncio.to_thread(entered.wait, LONG_S)
            late = asyncio.create_task(client.post(PATH, json=body("b", "c", deadline_ms=2000)))
            while next(iter(site.service.online.figures.queue_items.collect())).samples[0].value < 2:
                await asyncio.sleep(0.01)
            full = await client.post(PATH, json=body("d"))
            answers = [full, await late]
            go.set()
            return [*answers, await first]

    with site_with(tmp_path, online_max_items=2, online_queue_items=2) as site:
        hold(site, monkeypatch, before)
        full, late, first = asyncio.run(work())
    assert assert_problem(full, 429, "more to do than it can")["type"] == "urn:goldfold:problem:queue-full"
    assert int(full.headers["retry-after"]) >= 1
    assert assert_problem(late, 504, "deadline")["type"] == "urn:goldfold:problem:deadline-passed"
    assert first.status_code == 200


def test_a_worker_that_dies_is_503_and_comes_back(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    deaths = iter([SystemExit(1)])

    def before() -> None:
        for death in deaths:
            raise death

    hold(site, monkeypatch, before)
    response = site.ask("POST", PATH, json=body("a"))
    assert assert_problem(response, 503, "died")["type"] == "urn:goldfold:problem:scorer-down"
    assert response.headers["retry-after"] == "1"
    ok(site.ask("POST", PATH, json=body("a")))
    assert "goldfold_online_worker_deaths_total 1.0" in site.ask("GET", "/metrics").text


def test_a_broken_accelerator_is_503_and_turns_readiness_red(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def before() -> None:
        raise DeviceError("cuda broke down, restart this process")

    hold(site, monkeypatch, before)
    assert "online scorer" not in assert_problem(site.ask("GET", "/readyz"), 503)["detail"]
    site.app.state.readiness._asked_at = float("-inf")
    for _ in range(2):
        assert_problem(site.ask("POST", PATH, json=body("a")), 503, "cuda broke down")
    assert "online scorer" in assert_problem(site.ask("GET", "/readyz"), 503)["detail"]


def test_a_model_that_is_not_there_is_503_and_leaves_readiness_alone(tmp_path: Path) -> None:
    given = settings(tmp_path, encoder=str(tmp_path / "nowhere"))
    with Service(given, Goldfold(given)) as service:
        site = give_keys(Site(build_app(service), service))
        assert_problem(site.ask("POST", PATH, json=body("a")), 503)
        assert "online scorer" not in assert_problem(site.ask("GET", "/readyz"), 503)["detail"]


def test_a_client_that_hangs_up_takes_its_texts_along(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    entered, go = threading.Event(), threading.Event()

    def before() -> None:
        entered.set()
        go.wait(LONG_S)

    async def work() -> int:
        inbox: Iterator[dict[str, Any]] = iter(
            [{"type": "http.request", "body": b'{"items": [{"text": "a"}]}'}, {"type": "http.disconnect"}]
        )
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            message = next(inbox)
            if message["type"] == "http.disconnect":
                await asyncio.to_thread(entered.wait, LONG_S)
            return message

        async def send(message: Any) -> None:
            sent.append(message)

        headers = [
            (b"authorization", f"Bearer {site.keys[Role.VIEWER]}".encode()),
            (b"content-type", b"application/json"),
        ]
        scope: Any = {"type": "http", "method": "POST", "path": PATH, "query_string": b"", "headers": headers}
        await site.app({**scope, "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http"}, receive, send)
        return int(sent[0]["status"])

    hold(site, monkeypatch, before)
    assert asyncio.run(work()) == 499
    go.set()
    outcome = {"outcome": Outcome.GONE.value}
    assert site.app.state.metrics.registry.get_sample_value("goldfold_online_requests_total", outcome) == 1


def test_preloading_is_a_setting(tmp_path: Path) -> None:
    with site_with(tmp_path, online_preload=True) as site:
        for _ in range(int(LONG_S / 0.05)):
            if "goldfold_online_batch_items_count 1.0" in site.ask("GET", "/metrics").text:
                break
            time.sleep(0.05)
        else:
            pytest.fail("nothing was scored")


def test_content_never_reaches_the_log(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.ask("POST", PATH, json=body("unspeakable words", ["unspeakable"]))
    said = capsys.readouterr()
    assert "unspeakable" not in said.out + said.err


class RealGoldfold(WordGoldfold):
    """Goldfold with a real transformers classifier."""

    def __init__(self, given: Any, folder: Path) -> None:
        super().__init__(given)
        self.classifier = HFClassifier(folder, {"insult": HARM, "threat": "violence"}, device="cpu")

    def _build_scorer(self, champion: object) -> HFClassifier:
        return self.classifier


def test_a_real_model_gives_the_same_scores_here_as_in_bulk(tmp_path: Path) -> None:
    given = settings(tmp_path / "data")
    goldfold = RealGoldfold(given, write_model(tmp_path / "model", "distilbert"))
    texts = ["a fox", "birds sing", "", "half \ud800 a pair", "good friends talk about books"]
    with Service(given, goldfold) as service:
        site = give_keys(Site(build_app(service), service))
        answer = ok(site.ask("POST", PATH, json=body(*texts[:3], texts[4])))
    expected = goldfold.classifier.score(["0", "1", "2"], [texts[0], texts[1], texts[4]]).probabilities
    found = [list(item["probabilities"].values()) for item in answer["items"] if not item["error"]]
    assert found == [pytest.approx(row, abs=2e-6) for row in expected.tolist()]
    assert answer["items"][2]["error"] == "items.2: the text is empty"
