"""The whole app: closed by default, described, and served by a real uvicorn that ends when it is told to."""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from api.auth import Role, make_key
from api.errors import NotReady
from api.jobs import steps
from api.server import build_app, serve, serving
from api.service import Service
from tests.api.client import OPEN, answers_without_key, assert_problem, call, routes
from tests.api.rooms import ROOT
from tests.api.site import WordGoldfold, settings, stock

LIMIT_S = 30.0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    given = settings(tmp_path, port=free_port())
    with Service(given, WordGoldfold(given)) as running:
        yield running


@pytest.fixture
def app(service: Service) -> FastAPI:
    return build_app(service)


def admin(service: Service) -> str:
    key, plaintext = make_key("test", Role.ADMIN)
    service.goldfold.ledger.keys.add(key)
    return plaintext


def test_while_it_serves_what_was_there_is_left_out_of_looks_for_cycles(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    frozen: list[int] = []
    monkeypatch.setattr(uvicorn.Server, "run", lambda *_: frozen.append(gc.get_freeze_count()))
    serve(service, lambda: None)
    assert frozen[0] > 100_000
    assert gc.get_freeze_count() < frozen[0]


def test_nothing_but_the_open_routes_answers_without_a_key(app: FastAPI) -> None:
    own = {"POST /v1/webhooks/label-studio", "GET /media/{token}"}  # refuse by a secret of their own
    open_ = {f"{method} {path}" for method, path in routes(app) if path in OPEN} - own
    backend = {route for route in open_ if "/ml/" in route}  # not there until the settings name a user
    assert len(backend) == 5
    assert {call(app, *route.split()).status_code for route in backend} <= {404, 422}
    assert set(answers_without_key(app)) == open_ == {"GET /", "GET /healthz", "GET /readyz", *backend}
    assert call(app, "GET", "/").headers["location"] == "/console/"


def test_ready_says_what_is_missing_and_the_cure(app: FastAPI) -> None:
    body = assert_problem(call(app, "GET", "/readyz"), 503, "^not ready: label studio$")
    assert body["problems"] == [
        "label studio: check studio_url and studio_token, and that the server runs",
    ]


def test_ready_notices_jobs_that_have_ended(tmp_path: Path) -> None:
    given = settings(tmp_path)
    with Service(given, WordGoldfold(given)) as service:
        app = build_app(service)
    assert "jobs" in assert_problem(call(app, "GET", "/readyz"), 503)["detail"]


def resolved(schema: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """``part`` of an OpenAPI document, its reference followed."""
    name = part.get("$ref", "").rpartition("/")[2]
    found: dict[str, Any] = schema["components"]["schemas"][name] if name else part
    return found


def operations(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_openapi_describes_each_route(app: FastAPI, service: Service) -> None:
    schema = call(app, "GET", "/openapi.json", key=admin(service)).json()
    told = dict(operations(schema))
    assert set(told) == {f"{method} {path}" for method, path in routes(app) if path not in ("/", "/openapi.json")}
    for route, operation in told.items():
        assert operation.get("description") or operation.get("summary"), route
        failures = {int(status): one for status, one in operation["responses"].items() if int(status) >= 400}
        assert 500 in failures, route
        for one in failures.values():
            assert set(one["content"]) == {"application/problem+json"}, route
    assert json.dumps(schema)


def test_openapi_has_an_example_that_fits_for_each_request_body(app: FastAPI, service: Service) -> None:
    key = admin(service)
    stock(service.goldfold, 240)
    schema = call(app, "GET", "/openapi.json", key=key).json()
    every = {route: one["requestBody"] for route, one in operations(schema) if "requestBody" in one}
    bodies = {route: one for route, one in every.items() if "application/json" in one["content"]}
    assert len(bodies) >= 8
    assert {route.rsplit("/v1/", 1)[1] for route in every.keys() - bodies.keys()} == {  # files
        "judgements/predictions",
        "judgements/predictions/gate",
    }
    for route, body in bodies.items():
        media = body["content"]["application/json"]
        model = resolved(schema, media["schema"])
        examples = [*model.get("examples", []), *([model["example"]] if "example" in model else [])]
        examples += media["schema"].get("examples", [])
        examples += [one.get("value") for one in media.get("examples", {}).values()]
        assert examples, f"{route} shows no example"
        method, _, path = route.partition(" ")
        for example in examples:
            concrete = path.replace("{version}", "9.9.9").replace("{model_id}", "x").replace("{week}", "2026-W48")
            answer = call(app, method, concrete, key=key, json=example)
            assert answer.status_code != 422, f"{route}: its own example is refused: {answer.text}"


def test_served_in_a_thread_it_answers_and_a_second_one_is_told_that_the_port_is_taken(service: Service) -> None:
    address = f"http://127.0.0.1:{service.settings.port}"
    with serving(service):
        assert httpx.get(f"{address}/healthz").json() == {"status": "alive"}
        with pytest.raises(NotReady, match=r"cannot listen on 127.0.0.1:\d+ .*in use"), serving(service):
            pass
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{address}/healthz")


def test_an_address_of_another_machine_is_refused(tmp_path: Path) -> None:
    given = settings(tmp_path, host="192.0.2.1", port=free_port())
    with (
        Service(given, WordGoldfold(given)) as service,
        pytest.raises(NotReady, match=r"cannot listen on 192\.0\.2\.1"),
        serving(service),
    ):
        pass


def events(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    """The data of server-sent events."""
    for line in lines:
        if line.startswith("data:"):
            yield json.loads(line.removeprefix("data:"))


def test_a_round_is_followed_by_events_until_it_ends(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Event()

    def open_round(*_: object) -> None:
        go.wait(LIMIT_S)
        raise LookupError("nothing to pick from")

    monkeypatch.setattr(steps, "open_round", open_round)
    stock(service.goldfold)
    headers = {"Authorization": f"Bearer {admin(service)}"}
    address = f"http://127.0.0.1:{service.settings.port}"
    with serving(service), httpx.Client(base_url=address, headers=headers) as client:
        assert client.post("/v1/rounds", json={"round_id": "week-1"}).status_code == 202
        with client.stream("GET", "/v1/rounds/week-1/events", timeout=LIMIT_S) as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            told = events(stream.iter_lines())
            first = next(told)
            assert (first["job_id"], first["state"] in ("queued", "running")) == ("week-1", True)
            go.set()
            last = [first, *told][-1]
        assert (last["state"], "nothing to pick from" in last["error"]) == ("failed", True)
        refused = httpx.get(f"{address}/v1/rounds/week-1/events")
        assert_problem(refused, 401)


def test_an_open_stream_does_not_hold_up_the_end(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Event()
    monkeypatch.setattr(steps, "open_round", lambda *_: go.wait(LIMIT_S))
    stock(service.goldfold)
    headers = {"Authorization": f"Bearer {admin(service)}"}
    said: list[str] = []

    def follow() -> None:
        address = f"http://127.0.0.1:{service.settings.port}/v1/rounds/week-1/events"
        try:
            with httpx.stream("GET", address, headers=headers, timeout=LIMIT_S) as stream:
                said.extend(stream.iter_lines())
        except httpx.HTTPError:
            said.append("cut")

    with serving(service):
        address = f"http://127.0.0.1:{service.settings.port}/v1/rounds"
        assert httpx.post(address, json={"round_id": "week-1"}, headers=headers).status_code == 202
        thread = threading.Thread(target=follow)
        thread.start()
        time.sleep(1.0)
        begin = time.monotonic()
    took = time.monotonic() - begin
    go.set()
    thread.join(LIMIT_S)
    assert not thread.is_alive()
    assert took < 10, f"the end took {took:.1f} s"


SERVE = """
import signal
import sys

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs start with Ctrl-C ignored

from api.cli import system
from api.cli.main import main
from api.jobs import steps
import threading

def projects(goldfold):
    print("step begins", flush=True)
    threading.Event().wait(float(sys.argv[1]))
    return []

steps.projects = projects
sys.exit(main(["--data-dir", sys.argv[2], "serve", "--port", sys.argv[3], *sys.argv[4:]]))
"""


@pytest.mark.slow
@pytest.mark.parametrize(("how", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_ends_the_service_cleanly_and_its_job_goes_on(tmp_path: Path, how: signal.Signals, code: int) -> None:
    port = free_port()
    environment = {**os.environ, "GOLDFOLD_EXECUTOR_ID": "test"}
    command = [sys.executable, "-c", SERVE, "1.0", str(tmp_path), str(port)]
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        if process.stdout is None:
            raise TypeError("the pipe was asked for")
        key = process.stdout.readline().split()[-1]
        with httpx.Client(headers={"Authorization": f"Bearer {key}"}, timeout=LIMIT_S) as client:
            address = f"http://127.0.0.1:{port}"
            until_alive(client, address)
            assert client.post(f"{address}/v1/jobs/sync", json={"job_id": "sync-1"}).status_code == 202
            assert process.stdout.readline() == "step begins\n"
        process.send_signal(how)
        _, said = process.communicate(timeout=LIMIT_S)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == code, said
    assert f"Goldfold listens on http://127.0.0.1:{port}" in said
    assert "Traceback" not in said
    assert key not in said
    given = settings(tmp_path)
    with Service(given, WordGoldfold(given)) as service:
        job = list(service.jobs.follow("sync-1"))[-1]
    assert (job.state, "jobs were started" in str(job.error)) == ("done", False)


def until_alive(client: httpx.Client, address: str) -> None:
    for _ in range(int(LIMIT_S / 0.1)):
        try:
            if client.get(f"{address}/healthz").status_code == 200:
                return
        except httpx.ConnectError:
            time.sleep(0.1)
    raise AssertionError("the service did not come up")
