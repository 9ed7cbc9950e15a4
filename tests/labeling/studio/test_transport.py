from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from labeling.errors import (
    InvalidInput,
    StudioError,
    StudioGone,
    StudioRefused,
    StudioUnauthorized,
    StudioUnreachable,
)
from labeling.studio.transport import READ_TRIES, AnswerLost, Caller, ServerFailed, detail_of, open_http

BASE = "http://studio.example"
TOKEN = "f" * 40
PERSONAL = "eyJh.eyJz.secret"


def caller(answer: Callable[[httpx.Request], httpx.Response], token: str = TOKEN) -> Caller:
    base, http = open_http(BASE + "/", token, 5.0, httpx.MockTransport(answer))
    return Caller(base, http, sleep=lambda _: None)


@pytest.mark.parametrize(
    ("status", "read", "write"),
    [
        (400, StudioRefused, StudioRefused),
        (401, StudioUnauthorized, StudioUnauthorized),
        (403, StudioRefused, StudioRefused),
        (404, StudioGone, StudioGone),
        (429, StudioUnreachable, StudioUnreachable),
        (301, StudioRefused, StudioRefused),
        (500, StudioUnreachable, ServerFailed),
        (502, StudioUnreachable, AnswerLost),
        (504, StudioUnreachable, AnswerLost),
    ],
)
def test_what_a_status_means(status: int, read: type[StudioError], write: type[StudioError]) -> None:
    calls = caller(lambda _: httpx.Response(status, json={"detail": "because"}))
    with pytest.raises(StudioError) as raised:
        calls.read("/api/x")
    assert type(raised.value) is read
    with pytest.raises(StudioError) as raised:
        calls.post("/api/x", {})
    assert type(raised.value) is write
    assert TOKEN not in str(raised.value)


def test_reads_are_tried_again_and_writes_never() -> None:
    seen: list[str] = []

    def broken(request: httpx.Request) -> httpx.Response:
        seen.append(request.method)
        raise httpx.ReadTimeout("slow")

    with pytest.raises(StudioUnreachable, match="ReadTimeout"):
        caller(broken).read("/api/x")
    with pytest.raises(AnswerLost):
        caller(broken).post("/api/x", {})
    assert seen == ["GET"] * READ_TRIES + ["POST"]


def test_a_read_gets_through_after_a_restart() -> None:
    answers = iter([httpx.Response(503), httpx.Response(200, json={"ok": True})])
    assert caller(lambda _: next(answers)).read("/api/x").json() == {"ok": True}


def test_a_server_that_is_down_took_nothing() -> None:
    def down(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(StudioUnreachable) as raised:
        caller(down).post("/api/x", {})
    assert type(raised.value) is StudioUnreachable


def test_the_kind_of_token_is_told() -> None:
    def no(_: httpx.Request) -> httpx.Response:
        return httpx.Response(401, json={"detail": "Invalid token."})

    with pytest.raises(StudioUnauthorized, match=r"legacy token \(Invalid token.\).*API Tokens Settings"):
        caller(no).read("/api/x")
    with pytest.raises(StudioUnauthorized, match="personal access token") as raised:
        caller(no, PERSONAL).read("/api/x")
    assert PERSONAL not in str(raised.value)


def test_a_personal_token_is_exchanged_and_exchanged_again() -> None:
    seen: list[str] = []
    fresh = iter(["one", "two"])

    def server(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/token/refresh/":
            return httpx.Response(200, json={"access": next(fresh)})
        seen.append(request.headers["Authorization"])
        return httpx.Response(401 if len(seen) == 2 else 200, json={})

    calls = caller(server, PERSONAL)
    calls.read("/api/x")
    calls.read("/api/x")
    assert seen == ["Bearer one", "Bearer one", "Bearer two"]


def test_reasons_are_short_and_hold_no_content() -> None:
    body = {"validation_errors": {"non_field_errors": [{}, "Error at item 1: bad :: {'data': {'text': 'private'}}"]}}
    assert detail_of(body) == "Error at item 1: bad"
    assert detail_of({"validation_errors": {"url": ["Enter a valid URL."]}}) == "url: Enter a valid URL."
    assert detail_of("<html>") == ""
    assert len(detail_of({"detail": "x" * 9999})) == 300


@pytest.mark.parametrize(
    ("base_url", "token", "field"),
    [
        ("studio.example", TOKEN, "studio_url"),
        ("ftp://studio.example", TOKEN, "studio_url"),
        (BASE, "", "studio_token"),
        (BASE, "two words", "studio_token"),
        (BASE, "tökén", "studio_token"),
    ],
)
def test_bad_settings_are_named(base_url: str, token: str, field: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{field}:"):
        open_http(base_url, token, 5.0)
