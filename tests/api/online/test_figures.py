from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest

from api.online.figures import WINDOW_S, Figures, Outcome

RECENT = "goldfold_online_recent_seconds"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def registered(figures: Figures) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(figures)
    return registry


def test_requests_batches_and_deaths_are_counted() -> None:
    figures = Figures()
    for outcome in Outcome:
        figures.ended(outcome, 0.02)
    figures.batch(3, 0.01)
    figures.died()
    figures.queue_items.set(5)
    registry = registered(figures)
    for outcome in Outcome:
        assert registry.get_sample_value("goldfold_online_requests_total", {"outcome": outcome.value}) == 1
    assert registry.get_sample_value("goldfold_online_request_seconds_count") == 1
    assert registry.get_sample_value("goldfold_online_batch_items_sum") == 3
    assert registry.get_sample_value("goldfold_online_batch_seconds_count") == 1
    assert registry.get_sample_value("goldfold_online_worker_deaths_total") == 1
    assert registry.get_sample_value("goldfold_online_queue_items") == 5
    assert b"goldfold_online_requests_total" in generate_latest(registry)


def test_the_quantiles_are_those_of_the_last_minute() -> None:
    clock = Clock()
    figures = Figures(clock)
    registry = registered(figures)
    assert registry.get_sample_value(RECENT, {"quantile": "0.5"}) is None
    for i in range(1, 201):
        figures.ended(Outcome.SCORED, i / 1000)
        figures.ended(Outcome.LATE, 9.0)
    assert registry.get_sample_value(RECENT, {"quantile": "0.5"}) == 0.1
    assert registry.get_sample_value(RECENT, {"quantile": "0.99"}) == 0.198
    clock.now = WINDOW_S / 2
    figures.ended(Outcome.SCORED, 0.5)
    clock.now = WINDOW_S + 1
    assert registry.get_sample_value(RECENT, {"quantile": "0.5"}) == 0.5
    clock.now *= 2
    assert registry.get_sample_value(RECENT, {"quantile": "0.5"}) is None
