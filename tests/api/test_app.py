from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from typing import Annotated

import httpx
import pytest
import structlog
from fastapi import APIRouter, Body, FastAPI, Request
from fastapi.responses import HTMLResponse, StreamingResponse
from structlog.testing import capture_logs

from api.app import create_app
from api.auth import Role
from tests.api.client import Shell, assert_problem, call


def router() -> APIRouter:
    made = APIRouter(prefix="/v1/things")

    @made.post("/echo")
    async def echo(request: Request) -> int:
        return len(await request.body())

    @made.post("/parsed")
    def parsed(words: Annotated[list[str], Body()]) -> int:
        return len(words)

    @made.get("/crash")
    def crash() -> None:
        raise ValueError("the content of an item")

    @made.get("/half")
    def half() -> StreamingResponse:
        def rows() -> Iterator[str]:
            yield "row"
            raise ValueError("the content of an item")

        return StreamingResponse(rows())

    @made.get("/page")
    def page() -> HTMLResponse:
        return HTMLResponse("x", headers={"Content-Security-Policy": "default-src 'none'"})

    @made.get("/{name}")
    def named(name: str) -> str:
        structlog.get_logger("test").info("inside")
        return name

    return made


@pytest.fixture
def app(shell: Shell) -> FastAPI:
    shell.settings = shell.settings.model_copy(update={"max_body_bytes": 2000})
    return create_app(shell, routers=[router()])


def test_a_crash_tells_the_client_its_id_and_the_log_the_rest(app: FastAPI, shell: Shell) -> None:
    with capture_logs() as lines:
        response = call(app, "GET", "/v1/things/crash", key=shell.keys[Role.VIEWER], headers={"X-Request-ID": "abc-1"})
    body = assert_problem(response, 500, "something went wrong on our side; it is logged under abc-1")
    assert (body["type"], body["title"]) == ("about:blank", "Internal Server Error")
    assert "content" not in response.text
    assert "Traceback" not in response.text
    logged = [line for line in lines if line["event"] == "unexpected error"]
    assert len(logged) == 1
    assert logged[0]["exc_info"]
    assert [line["status"] for line in lines if line["event"] == "request"] == [500]


def test_a_crash_after_the_answer_began_ends_the_connection(app: FastAPI, shell: Shell) -> None:
    with capture_logs() as lines, pytest.raises(ValueError, match="content of an item"):
        call(app, "GET", "/v1/things/half", key=shell.keys[Role.VIEWER])
    assert "unexpected error" in [line["event"] for line in lines]


def test_an_answer_carries_its_id_and_the_security_headers(app: FastAPI, shell: Shell) -> None:
    response = call(app, "GET", "/v1/things/a", key=shell.keys[Role.VIEWER])
    assert re.fullmatch(r"[0-9a-f]{32}", response.headers["x-request-id"])
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["x-frame-options"] == "DENY"
    assert response.headers["cache-control"] == "no-store"
    assert "default-src 'self'" in response.headers["content-security-policy"]
    assert "default-src 'self'" in call(app, "GET", "/nowhere").headers["content-security-policy"]


def test_a_route_may_set_its_own_header(app: FastAPI, shell: Shell) -> None:
    response = call(app, "GET", "/v1/things/page", key=shell.keys[Role.VIEWER])
    assert response.headers.get_list("content-security-policy") == ["default-src 'none'"]


@pytest.mark.parametrize("given", ["a b", "x" * 65, "<script>", "é"])
def test_a_request_id_that_is_no_plain_word_is_replaced(app: FastAPI, given: str) -> None:
    response = call(app, "GET", "/healthz", headers={"X-Request-ID": given.encode()})
    assert re.fullmatch(r"[0-9a-f]{32}", response.headers["x-request-id"])


def test_the_access_log_names_route_status_and_key_but_no_query(app: FastAPI, shell: Shell) -> None:
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        response = call(app, "GET", "/v1/things/a?q=secret", key=shell.keys[Role.VIEWER])
    request = next(line for line in lines if line["event"] == "request")
    assert (request["method"], request["path"], request["status"]) == ("GET", "/v1/things/a", 200)
    assert request["key_id"] == shell.keys[Role.VIEWER].split("_")[1]
    assert request["ms"] >= 0
    assert "secret" not in repr(lines)
    inside = next(line for line in lines if line["event"] == "inside")
    assert inside["request_id"] == request["request_id"] == response.headers["x-request-id"]


def test_a_body_over_the_limit_is_refused_before_it_is_read(app: FastAPI, shell: Shell) -> None:
    key = shell.keys[Role.VIEWER]
    assert call(app, "POST", "/v1/things/echo", key=key, content=b"x" * 2000).json() == 2000
    response = call(app, "POST", "/v1/things/echo", key=key, content=b"x" * 2001)
    assert_problem(response, 413, r"larger than 2000 bytes \(setting max_body_bytes\)")
    assert_problem(call(app, "POST", "/v1/things/echo", content=b"x" * 2001), 413)


def chunks(number: int) -> AsyncIterator[bytes]:
    async def generate() -> AsyncIterator[bytes]:
        for _ in range(number):
            yield b"x" * 100

    return generate()


@pytest.mark.parametrize("path", ["/v1/things/echo", "/v1/things/parsed"])
def test_a_body_of_unknown_length_is_refused_where_it_grows_too_large(app: FastAPI, shell: Shell, path: str) -> None:
    key = shell.keys[Role.VIEWER]
    headers = {"Content-Type": "application/json"}
    assert_problem(call(app, "POST", path, key=key, content=chunks(21), headers=headers), 413)
    assert call(app, "POST", path, key=key, content=chunks(20), headers=headers).status_code in (200, 422)


def test_two_apps_do_not_share_their_figures(shell: Shell) -> None:
    first, second = create_app(shell), create_app(shell)
    call(first, "GET", "/healthz")
    assert b"/healthz" in first.state.metrics.render()
    assert b"/healthz" not in second.state.metrics.render()


def test_openapi_describes_problems_examples_and_both_ways_to_send_a_key(app: FastAPI, shell: Shell) -> None:
    schema = call(app, "GET", "/openapi.json", key=shell.keys[Role.VIEWER]).json()
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            responses = operation["responses"]
            for status, described in responses.items():
                if int(status) >= 400:
                    assert set(described["content"]) == {"application/problem+json"}, (path, method, status)
            if path not in ("/healthz", "/readyz"):
                assert {"401", "403"} <= set(responses)
                assert {"HTTPBearer": []} in operation["security"]
                assert {"APIKeyHeader": []} in operation["security"]
    for name in ("NewKey", "Key", "CreatedKey"):
        assert schema["components"]["schemas"][name]["example"]
    assert json.dumps(schema)


def test_other_protocols_pass_through(app: FastAPI) -> None:
    sent: list[str] = []

    async def lifespan() -> None:
        inbox = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

        async def receive() -> dict[str, str]:
            return next(inbox)

        async def send(message: dict[str, str]) -> None:
            sent.append(message["type"])

        await app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send)  # type: ignore[arg-type]

    asyncio.run(lifespan())
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_a_client_that_goes_away_is_counted_as_such(app: FastAPI, shell: Shell) -> None:
    async def give_up() -> None:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://goldfold.test") as client:
            headers = {"Authorization": f"Bearer {shell.keys[Role.VIEWER]}"}
            task = asyncio.create_task(client.post("/v1/things/echo", headers=headers, content=slow()))
            await asyncio.sleep(0.2)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    async def slow() -> AsyncIterator[bytes]:
        await asyncio.sleep(30)
        yield b""

    asyncio.run(give_up())
    assert b'route="/v1/things/echo",status="499"' in app.state.metrics.render()
