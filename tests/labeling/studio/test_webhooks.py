from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from queue import Queue

import pytest

from labeling.errors import InvalidInput
from labeling.policies import Policy
from labeling.records import StudioProject, TaskKind
from labeling.store.ledger import SqlLedger
from labeling.studio.client import StudioClient
from labeling.studio.label_config import build_result
from labeling.studio.projects import ensure_project
from labeling.studio.webhooks import SECRET_HEADER, ensure_webhook, is_authentic
from tests.labeling.studio.build import ALLOWED

Heard = Queue[tuple[str | None, bytes]]


@pytest.fixture
def project(client: StudioClient, ledger: SqlLedger, policy: Policy) -> StudioProject:
    return ensure_project(client, ledger.projects, policy, TaskKind.BLIND)


@pytest.fixture
def listener() -> Iterator[tuple[str, Heard]]:
    heard: Heard = Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            heard.put((self.headers[SECRET_HEADER], body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Keep quiet."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hook", heard
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.studio
def test_an_answer_rings_the_bell(client: StudioClient, project: StudioProject, listener: tuple[str, Heard]) -> None:
    url, heard = listener
    assert ensure_webhook(client, project.project_id, url, "hush") == ""
    [task] = client.import_tasks(project.project_id, [{"text": "x", "task_id": "t"}])
    client.annotate(task, build_result(ALLOWED))
    secret, body = heard.get(timeout=10)
    assert is_authentic(secret, "hush")
    assert b"ANNOTATION_CREATED" in body


@pytest.mark.studio
def test_it_is_made_once_and_follows_changes(client: StudioClient, project: StudioProject) -> None:
    number = project.project_id
    client.create_hook(number, "http://127.0.0.1:1/somebody", ["ANNOTATION_CREATED"], {"X-Theirs": "1"})
    for url, secret in [
        ("http://127.0.0.1:2/a", "one"),
        ("http://127.0.0.1:2/a", "one"),
        ("http://127.0.0.1:3/b", "two"),
    ]:
        assert ensure_webhook(client, number, url, secret) == ""
    client.create_hook(number, "http://127.0.0.1:4/old", ["ANNOTATION_CREATED"], {SECRET_HEADER: "old"})
    assert ensure_webhook(client, number, "http://127.0.0.1:3/b", "two") == ""
    theirs, ours = client.hooks(number)
    assert (theirs.url, ours.url) == ("http://127.0.0.1:1/somebody", "http://127.0.0.1:3/b")
    assert ours.headers == {SECRET_HEADER: "two"}


@pytest.mark.studio
@pytest.mark.parametrize("url", ["http://169.254.169.254/hook", "http://app:8000/hook"])
def test_a_refused_address_is_told_and_harms_nothing(client: StudioClient, project: StudioProject, url: str) -> None:
    said = ensure_webhook(client, project.project_id, url, "hush")
    assert said.startswith(f"no webhook for project {project.project_id}")
    assert "hush" not in said
    assert client.hooks(project.project_id) == []


@pytest.mark.studio
@pytest.mark.parametrize("secret", ["", "línea", "two\nlines"])
def test_a_secret_must_fit_a_header(client: StudioClient, secret: str) -> None:
    with pytest.raises(InvalidInput, match=r"^webhook_secret:"):
        ensure_webhook(client, 1, "http://127.0.0.1:2/a", secret)


@pytest.mark.parametrize(
    ("given", "good"), [("hush", True), ("Hush", False), ("", False), (None, False), ("hüsh", False)]
)
def test_only_the_secret_opens(given: str | None, good: bool) -> None:
    assert is_authentic(given, "hush") is good
