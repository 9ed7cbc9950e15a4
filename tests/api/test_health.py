from __future__ import annotations

import threading
import time

import pytest
from fastapi import FastAPI
from structlog.testing import capture_logs

from api.app import create_app
from api.auth import Role
from api.routes.health import Check, Readiness
from labeling.errors import StoreError, StudioUnauthorized
from tests.api.client import Shell, assert_problem, call


def fine() -> None:
    """Nothing is missing."""


def ready(shell: Shell, *checks: Check, timeout_s: float = 5.0, fresh_s: float = 0.0) -> FastAPI:
    app = create_app(shell)
    app.state.readiness = Readiness(checks, timeout_s=timeout_s, fresh_s=fresh_s)
    return app


def test_alive_asks_nobody(shell: Shell) -> None:
    def broken() -> None:
        raise StoreError("gone")

    app = create_app(shell, checks=[Check("ledger", broken, "mend it")])
    response = call(app, "GET", "/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "alive"})


def test_ready_lists_what_was_checked(shell: Shell) -> None:
    app = create_app(shell, checks=[Check("ledger", fine, "-"), Check("lake", fine, "-")])
    response = call(app, "GET", "/readyz")
    assert (response.status_code, response.json()) == (200, {"status": "ready", "checks": ["ledger", "lake"]})


def test_not_ready_names_each_missing_thing_and_its_cure_and_keeps_the_reason_to_the_log(shell: Shell) -> None:
    def ledger() -> None:
        raise StoreError("postgresql://gold@db.internal is down")

    def studio() -> None:
        raise StudioUnauthorized("401")

    app = ready(
        shell,
        Check("ledger", ledger, "start the database"),
        Check("lake", fine, "-"),
        Check("label studio", studio, "set studio_token"),
    )
    with capture_logs() as lines:
        response = call(app, "GET", "/readyz")
    body = assert_problem(response, 503, "^not ready: ledger, label studio$")
    assert body["type"] == "urn:goldfold:problem:not-ready"
    assert body["problems"] == ["ledger: start the database", "label studio: set studio_token"]
    assert "db.internal" not in response.text
    assert any("db.internal" in line.get("detail", "") for line in lines)


def test_a_check_that_hangs_fails_within_its_limit(shell: Shell) -> None:
    release = threading.Event()
    app = ready(shell, Check("slow", lambda: release.wait(10), "restart it"), Check("lake", fine, "-"), timeout_s=0.2)
    begin = time.monotonic()
    response = call(app, "GET", "/readyz")
    took = time.monotonic() - begin
    release.set()
    assert assert_problem(response, 503)["problems"] == ["slow: restart it"]
    assert took < 5


def test_an_unexpected_exception_of_a_check_is_a_failed_check(shell: Shell) -> None:
    def bug() -> None:
        raise ZeroDivisionError

    assert_problem(call(ready(shell, Check("lake", bug, "report it")), "GET", "/readyz"), 503, "lake")


@pytest.mark.parametrize(("fresh_s", "runs"), [(60.0, 1), (0.0, 3)])
def test_checks_run_seldom_however_often_they_are_asked(shell: Shell, fresh_s: float, runs: int) -> None:
    ran: list[int] = []
    app = ready(shell, Check("ledger", lambda: ran.append(1), "-"), fresh_s=fresh_s)
    for _ in range(3):
        call(app, "GET", "/readyz")
    assert len(ran) == runs


def test_metrics_need_a_key_and_come_in_prometheus_format(shell: Shell) -> None:
    app = create_app(shell)
    assert_problem(call(app, "GET", "/metrics"), 401)
    call(app, "GET", "/healthz")
    response = call(app, "GET", "/metrics", key=shell.keys[Role.VIEWER])
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'goldfold_http_requests_total{method="GET",route="/healthz",status="200"} 1.0' in response.text
