"""Under overload the door answers before a key is looked at or a body read; otherwise it is not there."""

from __future__ import annotations

import httpx
import pytest
from structlog.testing import capture_logs

from api.auth import Role
from api.errors import QueueFull
from tests.api.client import assert_problem, call
from tests.api.routes.conftest import Site, site

__all__ = ["site"]
PATH = "/v1/score"


def shut(site: Site, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The queue is full from now on; what is returned counts who was turned away."""
    turned: list[int] = []

    def refuse() -> QueueFull:
        turned.append(1)
        return QueueFull("too much; send the request again in 7 s", 7)

    site.app.middleware_stack = None  # so that the app takes the door with the fake behind it
    for gate in site.app.user_middleware:
        if "turn_away" in gate.kwargs:
            monkeypatch.setitem(gate.kwargs, "turn_away", refuse)
    return turned


def test_a_shut_door_answers_at_once_whoever_asks(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    turned = shut(site, monkeypatch)
    asked: list[str] = []
    monkeypatch.setattr(site.goldfold.ledger.keys, "by_hash", asked.append)

    for key in (None, site.keys[Role.VIEWER], "gf_typo"):
        response = call(site.app, "POST", PATH, key=key, json={"items": [{"text": "a"}]})
        problem = assert_problem(response, 429, "again in 7 s")
        assert problem["type"] == "urn:goldfold:problem:queue-full"
        assert problem["instance"] == PATH
        assert response.headers["retry-after"] == "7"
        assert response.headers["x-content-type-options"] == "nosniff"
    assert len(turned) == 3
    assert not asked


def test_a_shut_door_is_in_the_log_and_the_figures(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    shut(site, monkeypatch)
    with capture_logs() as lines:
        call(site.app, "POST", PATH, json={})
    assert [(line["path"], line["status"]) for line in lines if line["event"] == "request"] == [(PATH, 429)]
    assert b'method="POST",route="/v1/score",status="429"' in site.app.state.metrics.render()


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/rounds"), ("GET", PATH), ("POST", PATH + "/")])
def test_the_door_stands_before_scores_only(
    site: Site, monkeypatch: pytest.MonkeyPatch, method: str, path: str
) -> None:
    turned = shut(site, monkeypatch)
    response: httpx.Response = site.ask(method, path, Role.VIEWER)
    assert response.status_code != 429
    assert not turned


def test_an_open_door_lets_nobody_in_without_a_key(site: Site) -> None:
    assert_problem(call(site.app, "POST", PATH, json={"items": [{"text": "a"}]}), 401)
    assert site.ask("POST", PATH, Role.VIEWER, json={"items": [{"text": "a"}]}).status_code == 200
