"""What operators scrape: Prometheus figures of the service, in a registry of the app's own."""

from __future__ import annotations

import math
from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """Figures of one app. Other parts add their own to ``registry``.

    Labels are route templates, never paths, and never a client's own words: the number of series stays bounded.
    """

    def __init__(self, version: str) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        Gauge("goldfold_build_info", "Always 1; the version is the label.", ["version"], registry=self.registry).labels(
            version
        ).set(1)
        self._requests = Counter(
            "goldfold_http_requests", "Requests answered.", ["method", "route", "status"], registry=self.registry
        )
        self._seconds = Histogram(
            "goldfold_http_request_seconds",
            "Seconds from a request to the end of its answer.",
            ["method", "route"],
            registry=self.registry,
        )
        self.in_progress = Gauge("goldfold_http_requests_in_progress", "Requests under way.", registry=self.registry)

        self._drift = Gauge(
            "goldfold_drift_psi",
            "PSI of a policy's scores against the model's reference window, when GET .../drift last told it; NaN: too "
            "few.",
            ["model", "policy"],
            registry=self.registry,
        )

    def drifted(self, model_id: str, psi: Mapping[str, float | None]) -> None:
        """Keep a model's PSI by policy (None: too few scores)."""
        for policy, value in psi.items():
            self._drift.labels(model_id, policy).set(math.nan if value is None else value)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request."""
        method = method if method in METHODS else "OTHER"
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def render(self) -> bytes:
        """Everything, in Prometheus' text format."""
        return generate_latest(self.registry)
