"""The connection to a remote model, against a real server on this machine."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import monotonic, sleep, time
from typing import Any

import pytest

from api.composition import Goldfold
from api.endpoint import HttpEndpoint, checked_address
from api.scorers import describe_model
from configs.errors import SettingsError
from configs.scorer_files import read_scorer
from configs.settings import PACKAGED_POLICIES, Settings
from labeling.policies import read_policies
from scoring.errors import RemoteRefused, RemoteUnreachable
from tests.scoring.service import Service


class Handler(BaseHTTPRequestHandler):
    """Hands requests to ``service``; the model's name may ask for mischief instead."""

    service: Service
    seen: list[dict[str, str]]
    hosts: list[str]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.seen.append({"path": self.path, "key": self.headers.get("Authorization", "")})
        self.hosts.append(self.headers["Host"])
        headers, status, answer = {}, 200, b""
        match body["model"]:
            case "slow":
                sleep(1.0)
            case "moved":
                headers, status = {"Location": "http://127.0.0.1:9/v1/moderations"}, 302
            case "page":
                status, answer = 502, b"<html>bad gateway</html>"
            case "later":
                headers, status = {"Retry-After": "7"}, 429
            case "dated":
                headers, status = {"Retry-After": formatdate(time() + 60, usegmt=True)}, 429
            case "deep":
                answer = b"[" * 200_000
            case "odd":
                headers, status = {"Retry-After": "\u00b2"}, 429
            case "far":
                headers, status = {"Retry-After": "Mon, 01 Jan 2020 00:00:00 +99999999999999"}, 429
            case "list":
                answer = b"[1, 2]"
            case _:
                reply = self.service.post(self.path.removeprefix("/v1"), body)
                status, answer = reply.status, json.dumps(reply.body).encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(answer))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[tuple[str, type[Handler]]]:
    handler = type("Bound", (Handler,), {"service": Service(), "seen": [], "hosts": []})
    running = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=running.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{running.server_port}/v1", handler
    running.shutdown()
    running.server_close()
    thread.join()


@pytest.fixture
def endpoint(server: tuple[str, type[Handler]], monkeypatch: pytest.MonkeyPatch) -> Iterator[HttpEndpoint]:
    monkeypatch.setenv("SOME_KEY", " secret \n")
    made = HttpEndpoint(server[0], "SOME_KEY", timeout_s=0.3, connections=2)
    yield made
    made.close()


def ask(endpoint: HttpEndpoint, model: str) -> Any:
    return endpoint.post("/moderations", {"model": model, "input": ["words"]})


def test_json_goes_there_and_back_with_the_key(endpoint: HttpEndpoint, server: tuple[str, type[Handler]]) -> None:
    reply = ask(endpoint, "mod")
    assert reply.status == 200
    assert len(reply.body["results"]) == 1
    assert server[1].seen == [{"path": "/v1/moderations", "key": "Bearer secret"}]


def test_a_slow_answer_and_a_closed_port_are_unreachable(endpoint: HttpEndpoint) -> None:
    with pytest.raises(RemoteUnreachable, match=r"ReadTimeout|not whole after 0\.3 s") as error:
        ask(endpoint, "slow")
    assert "secret" not in str(error.value)
    nobody = HttpEndpoint("http://127.0.0.1:9/v1", None, timeout_s=1, connections=1)
    with pytest.raises(RemoteUnreachable, match="ConnectError"):
        ask(nobody, "mod")
    nobody.close()


@contextmanager
def trickling(first: bytes, often: bytes) -> Iterator[str]:
    """The address of a server that answers with ``first`` and then, for a while, ``often``; one connection at a time.
    A request whose path ends in /good gets a whole answer first."""
    over = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.1)

    def answer(connection: socket.socket) -> None:
        while b"/good" in connection.recv(65536):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        connection.sendall(first)
        for _ in range(100):
            if over.wait(0.05):
                return
            connection.sendall(often)

    def serve() -> None:
        while not over.is_set():
            with suppress(OSError), listener.accept()[0] as connection:
                connection.settimeout(5.0)
                answer(connection)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    finally:
        over.set()
        thread.join()
        listener.close()


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
GZIP = CHUNKED + b"Content-Encoding: gzip\r\n\r\n"


@pytest.mark.parametrize("reused", [False, True])
@pytest.mark.parametrize(
    ("first", "often"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"a"),
        (CHUNKED + b"\r\n", b"1\r\n \r\n"),
        (GZIP, b"1\r\n\x1f\r\n"),
        (b"HTTP/1.1 200 OK\r\n\r\n{}", b" "),
    ],
    ids=["head", "body", "compressed", "until it is closed"],
)
def test_an_answer_that_trickles_in_is_cut(first: bytes, often: bytes, reused: bool) -> None:
    with trickling(first, often) as url:
        endpoint = HttpEndpoint(url, None, timeout_s=0.4, connections=1)
        if reused:
            assert endpoint.post("/good", {}).status == 200
        began = monotonic()
        with pytest.raises(RemoteUnreachable, match=r"does not answer"):
            endpoint.post("/slow", {})
        assert monotonic() - began < 4.0  # the server would go on for 5 s
        assert endpoint.post("/good", {}).status == 200  # and the place is free again
        endpoint.close()


def test_more_callers_than_connections_wait_but_not_for_ever() -> None:
    with trickling(b"HTTP/1.1 200 OK\r\n", b"a") as url:
        endpoint = HttpEndpoint(url, None, timeout_s=0.4, connections=1)
        endpoint._idle.get()
        with pytest.raises(RemoteUnreachable, match=r"keeps all connections busy for 0.4 s"):
            endpoint.post("/good", {})
        endpoint._idle.put(endpoint._all[0])
        assert endpoint.post("/good", {}).status == 200
        endpoint.close()


def test_a_redirect_does_not_take_the_key_along(endpoint: HttpEndpoint) -> None:
    assert ask(endpoint, "moved").status == 302


@pytest.mark.parametrize(("model", "status"), [("page", 502), ("list", 200), ("deep", 200), ("odd", 429), ("far", 429)])
def test_what_is_no_json_object_is_an_empty_body(endpoint: HttpEndpoint, model: str, status: int) -> None:
    reply = ask(endpoint, model)
    assert (reply.status, reply.body, reply.retry_after_s) == (status, {}, None)


def test_both_forms_of_retry_after(endpoint: HttpEndpoint) -> None:
    assert ask(endpoint, "later").retry_after_s == 7
    assert 50 < ask(endpoint, "dated").retry_after_s <= 61


def test_a_pinned_address_is_asked_under_the_name_of_the_host(server: tuple[str, type[Handler]]) -> None:
    url = server[0].replace("127.0.0.1", "judge.invalid")  # a name that nobody can look up
    pinned = HttpEndpoint(url, None, timeout_s=2.0, connections=1, address="127.0.0.1")
    assert ask(pinned, "mod").status == 200
    pinned.close()
    assert server[1].hosts[0] == url.removeprefix("http://").removesuffix("/v1")


@pytest.mark.parametrize(
    ("found", "private", "says"),
    [
        (["93.184.215.14", "10.0.0.7"], False, r"host\.test is at 10\.0\.0\.7, which is private; .* private: true"),
        (["169.254.169.254"], True, "is where clouds keep credentials"),
        (["::ffff:127.0.0.1"], False, "is private"),
        (["0.0.0.0"], True, "is unspecified"),  # noqa: S104
    ],
)
def test_an_address_that_may_not_be_asked_is_refused(found: list[str], private: bool, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        checked_address("https://host.test/v1", private=private, resolve=lambda _host, _port: found)


def test_the_first_of_the_addresses_that_passed_is_asked() -> None:
    asked: list[tuple[str, int]] = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return ["10.0.0.7", "10.0.0.8"]

    assert checked_address("https://host.test/v1", private=True, resolve=resolve) == "10.0.0.7"
    assert asked == [("host.test", 443)]
    with pytest.raises(RemoteUnreachable, match="has no address"):
        checked_address("http://host.test:8000/v1", private=True, resolve=lambda _host, _port: [])


def test_a_missing_key_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    with pytest.raises(SettingsError, match="NO_SUCH_KEY is not set"):
        HttpEndpoint("https://host/v1", "NO_SUCH_KEY", timeout_s=1, connections=1)


@pytest.mark.parametrize("key", ["sk-a\nb", "sk-\u00e9"])
def test_what_is_no_key_is_not_shown(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ODD_KEY", key)
    with pytest.raises(SettingsError, match="ODD_KEY holds what is no key") as error:
        HttpEndpoint("https://host/v1", "ODD_KEY", timeout_s=1, connections=1)
    assert "sk-" not in str(error.value)


def scorer_file(folder: Path, url: str, more: str = "embeddings: emb") -> Settings:
    path = folder / "remote.yaml"
    path.write_text(f"kind: remote\nurl: {url}\nmodel: mod\nlabels: {{hate: hate_speech}}\nattempts: 1\n{more}\n")
    return Settings(data_dir=folder, device="cpu", scorer=str(path))


def test_a_scorer_file_names_a_service(server: tuple[str, type[Handler]], tmp_path: Path) -> None:
    settings = scorer_file(tmp_path, server[0])
    assert describe_model(settings, read_policies(PACKAGED_POLICIES)).endswith("for hate_speech")
    goldfold = Goldfold(settings)
    scores = goldfold.scorer().score(["a", "b"], ["some words", "other words"])
    assert scores.probabilities.shape == (2, 1)
    assert scores.embeddings.shape == (2, 8)
    goldfold.close()


def test_a_service_without_that_category_or_that_is_away(server: tuple[str, type[Handler]], tmp_path: Path) -> None:
    policies = read_policies(PACKAGED_POLICIES)
    server[1].service.strip = ("hate",)
    with pytest.raises(Exception, match="no category hate"):
        describe_model(scorer_file(tmp_path, server[0]), policies)
    with pytest.raises(RemoteUnreachable):
        describe_model(scorer_file(tmp_path, "http://127.0.0.1:9/v1"), policies)
    with pytest.raises(RemoteRefused, match="answers 302"):
        describe_model(scorer_file(tmp_path, server[0], "embeddings: moved"), policies)


@pytest.mark.parametrize(
    "url",
    ["http://example.com/v1", "ftp://h", "https://user:pw@h/v1", "https://h/v1?key=x", "127.0.0.1", "https:///v1"],
)
def test_an_address_that_gives_secrets_away_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="url: expected"):
        read_scorer(scorer_file(tmp_path, url).scorer)
