"""What operators scrape of online scoring."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from enum import StrEnum

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

WINDOW_S = 60.0
WINDOW_REQUESTS = 10_000
QUANTILES = (0.5, 0.99)
LATENCIES_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class Outcome(StrEnum):
    """How a request ended."""

    SCORED = "scored"
    REJECTED = "rejected"  # 429
    LATE = "late"  # 504
    GONE = "gone"  # the caller left
    FAILED = "failed"  # its batch failed
    UNAVAILABLE = "unavailable"  # 503


class Figures(Collector):
    """Counters, histograms, and p50 and p99 of the scored requests of the last minute. Safe for threads; it belongs to
    no registry until one takes it with ``register``."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._window: deque[tuple[float, float]] = deque(maxlen=WINDOW_REQUESTS)  # (ended at, seconds)
        self._requests = Counter("goldfold_online_requests", "Requests by outcome.", ["outcome"], registry=None)
        self._latency = Histogram(
            "goldfold_online_request_seconds",
            "Seconds from a request's place in the queue to its scores.",
            registry=None,
            buckets=LATENCIES_S,
        )
        self._batch_items = Histogram("goldfold_online_batch_items", "Texts a batch.", registry=None, buckets=SIZES)
        self._batch_seconds = Histogram(
            "goldfold_online_batch_seconds", "Seconds a batch took in the scorer.", registry=None, buckets=LATENCIES_S
        )
        self._deaths = Counter("goldfold_online_worker_deaths", "Times the worker died.", registry=None)
        self.queue_items = Gauge("goldfold_online_queue_items", "Texts that wait.", registry=None)
        for outcome in Outcome:
            self._requests.labels(outcome.value)  # a series that begins at 0 can be watched before anything happens

    def ended(self, outcome: Outcome, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(outcome.value).inc()
        if outcome is Outcome.SCORED:
            self._latency.observe(seconds)
            with self._lock:
                self._window.append((self._clock(), seconds))

    def batch(self, items: int, seconds: float) -> None:
        """Count a batch."""
        self._batch_items.observe(items)
        self._batch_seconds.observe(seconds)

    def died(self) -> None:
        """Count a death of the worker."""
        self._deaths.inc()

    def collect(self) -> Iterable[Metric]:
        """As Prometheus' client asks; the quantiles are missing where nothing was scored in the last minute."""
        for metric in (self._requests, self._latency, self._batch_items, self._batch_seconds, self._deaths):
            yield from metric.collect()
        yield from self.queue_items.collect()
        recent = GaugeMetricFamily(
            "goldfold_online_recent_seconds",
            "p50 and p99 of goldfold_online_request_seconds over the last minute.",
            labels=["quantile"],
        )
        for quantile, seconds in self._quantiles():
            recent.add_metric([f"{quantile:g}"], seconds)
        yield recent

    def _quantiles(self) -> list[tuple[float, float]]:
        """By nearest rank."""
        since = self._clock() - WINDOW_S
        with self._lock:
            while self._window and self._window[0][0] < since:
                self._window.popleft()
            ranked = sorted(seconds for _ended, seconds in self._window)
        return [(q, ranked[math.ceil(q * len(ranked)) - 1]) for q in QUANTILES] if ranked else []
