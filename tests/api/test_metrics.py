from __future__ import annotations

import math

from prometheus_client import Gauge
from prometheus_client.parser import text_string_to_metric_families

from api.app import create_app
from api.auth import Role
from api.metrics import Metrics
from tests.api.client import Shell, call


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_requests_are_counted_by_method_route_and_status() -> None:
    metrics = Metrics("1.2.3")
    metrics.answered("GET", "/v1/rounds/{round_id}", 200, 0.02)
    metrics.answered("GET", "/v1/rounds/{round_id}", 200, 0.02)
    metrics.answered("GET", "/v1/rounds/{round_id}", 404, 0.02)
    labels = {"method": "GET", "route": "/v1/rounds/{round_id}"}
    assert value(metrics, "goldfold_http_requests_total", status="200", **labels) == 2
    assert value(metrics, "goldfold_http_requests_total", status="404", **labels) == 1
    assert value(metrics, "goldfold_http_request_seconds_count", **labels) == 3
    assert value(metrics, "goldfold_build_info", version="1.2.3") == 1


def test_a_clients_own_words_make_no_new_series(shell: Shell) -> None:
    app = create_app(shell)
    for word in ("a", "b", "c"):
        call(app, "GET", f"/nowhere/{word}")
        call(app, f"BREW{word}", "/healthz")
        call(app, "DELETE", f"/v1/keys/{word}", key=shell.keys[Role.ADMIN])
    metrics: Metrics = app.state.metrics
    assert value(metrics, "goldfold_http_requests_total", method="GET", route="unmatched", status="404") == 3
    assert value(metrics, "goldfold_http_requests_total", method="OTHER", route="/healthz", status="405") == 3
    found = value(metrics, "goldfold_http_requests_total", method="DELETE", route="/v1/keys/{key_id}", status="404")
    assert found == 3


def test_nothing_is_in_progress_when_all_is_answered(shell: Shell) -> None:
    app = create_app(shell)
    call(app, "GET", "/healthz")
    assert value(app.state.metrics, "goldfold_http_requests_in_progress") == 0


def test_others_add_their_own_figures_and_the_text_parses() -> None:
    metrics = Metrics("1.2.3")
    Gauge("goldfold_tasks", "Tasks by state.", ["state"], registry=metrics.registry).labels("sent").set(3)
    names = {family.name for family in text_string_to_metric_families(metrics.render().decode())}
    assert {"goldfold_tasks", "goldfold_http_requests", "process_resident_memory_bytes"} <= names


def test_drift_is_a_figure_a_policy_and_none_where_there_is_too_little() -> None:
    metrics = Metrics("1.2.3")
    metrics.drifted("hate-1", {"hate": 0.12, "harm": None})
    assert value(metrics, "goldfold_drift_psi", model="hate-1", policy="hate") == 0.12
    assert math.isnan(value(metrics, "goldfold_drift_psi", model="hate-1", policy="harm") or 0.0)
