"""The online benchmark counts what it says, without a server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from benchmarks import online
from benchmarks.online import Callers, Load


class Process:
    returncode = None

    def poll(self) -> int | None:
        return self.returncode


def callers(statuses: Iterator[int], made: list[httpx.AsyncClient]) -> Callers:
    async def handle(_request: httpx.Request) -> httpx.Response:
        status = next(statuses, 200)
        await asyncio.sleep(0)
        if not status:
            raise httpx.ReadError("gone")
        return httpx.Response(status)

    def connect() -> httpx.AsyncClient:
        made.append(httpx.AsyncClient(transport=httpx.MockTransport(handle), base_url="http://x"))
        return made[-1]

    return Callers(connect)


def test_arrivals_are_counted_by_status_and_only_the_scored_have_a_latency() -> None:
    async def work() -> Load:
        asked = callers(iter([429, 0, 503]), [])
        load = await online._arrive(asked, ["a", "b"], rate=1000.0, seconds=0.02, seed=0)
        await asked.close()
        return load

    load = asyncio.run(work())
    assert load.statuses == {429: 1, 0: 1, 503: 1, 200: 17}
    assert len(load.latencies_ms) == 17
    assert min(load.latencies_ms) >= 0
    assert load.share(429) == pytest.approx(1 / 20)
    assert len(load.lags_ms) == 20
    assert 0 <= load.lag_ms() <= max(load.lags_ms)


def test_a_connection_serves_one_request_at_a_time_and_then_the_next() -> None:
    made: list[httpx.AsyncClient] = []

    async def work() -> None:
        asked = callers(iter([]), made)
        for _ in range(3):
            await asked.ask("a")
        assert len(made) == 1
        await asyncio.gather(*(asked.ask("a") for _ in range(4)))
        assert len(made) == 4
        await asked.close()
        assert all(client.is_closed for client in made)

    asyncio.run(work())


def test_quantiles_are_in_order() -> None:
    load = Load((1.0, 2.0, 3.0), {200: 3})
    assert (load.quantile(0.5), load.quantile(1.0)) == (2.0, 3.0)
    assert load.share(429) == 0


def test_a_request_without_an_answer_fails_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def server() -> Iterator[Any]:
        yield Process(), "http://x", "key"

    async def measure(*_: object) -> tuple[float, list[Load], Load]:
        return 10.0, [Load((1.0, 4.0), {200: 2})], Load((8.0,), {200: 1, 429: 3, **lost})

    monkeypatch.setattr(online, "_server", server)
    monkeypatch.setattr(online, "_measure", measure)
    lost: dict[int, int] = {}
    rows = {row.name: row.value for row in online.rows()}
    assert tuple(rows) == online.NAMES
    assert rows["online_overload_rejected"] == 0.75
    lost[0] = 2
    with pytest.raises(RuntimeError, match="2 requests were never answered"):
        online.rows()
