"""Online scoring over HTTP: a real server process with the default scorer, and callers in this one.

First the saturation (texts scored a second while ``CALLERS`` callers each wait for their answer before they ask again),
then open-loop Poisson arrivals of single texts: at 80 % of it, and at three times as much. A latency counts from the
moment at which the request was due, so that a slow server cannot hide behind a client that waits; how late the client
itself sent it is told beside it. Server and client share this machine's cores. ``GOLDFOLD_ONLINE_*`` variables reach
the server.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from statistics import median

import httpx
import numpy as np

from benchmarks.row import Row, hardware
from benchmarks.scoring import sample_texts

NAMES = ("online_saturation", "online_p99_over_p50", "online_overload_p99", "online_overload_rejected")
CALLERS = 8  # more would be refused on a slow machine, and then not saturate it
SATURATION_S = 6.0
STEADY_S = 10.0
REPEATS = 3
OVERLOAD_S = 6.0
BACK_OFF_S = 0.1
KEEP_S = 2.0  # an idle connection is dropped before the server does so, which could cross with a request
LOAD = 0.8
OVERLOAD = 3.0
START_S = 120.0
SERVE = "from api.cli.main import run; run()"


@dataclass(frozen=True, slots=True)
class Load:
    """What came of one run: ``latencies_ms`` of the scored requests; requests by status, 0 for no answer; ``lags_ms``:
    how long after each request was due the client sent it."""

    latencies_ms: tuple[float, ...]
    statuses: dict[int, int]
    lags_ms: tuple[float, ...] = (0.0,)

    def quantile(self, q: float) -> float:
        """Milliseconds."""
        return float(np.percentile(self.latencies_ms, 100 * q))

    def share(self, status: int) -> float:
        """Of all requests."""
        return self.statuses.get(status, 0) / sum(self.statuses.values())

    def lag_ms(self) -> float:
        """The client's own, p99."""
        return float(np.percentile(self.lags_ms, 99))


class Callers:
    """Connections to the server, each for one request at a time and used again. One pool for all of them would look
    through every one of its connections for each request: at three times the saturation that client was slower than
    the server."""

    def __init__(self, connect: Callable[[], httpx.AsyncClient]) -> None:
        self._connect = connect
        self._idle: list[httpx.AsyncClient] = []

    async def ask(self, text: str) -> int:
        """The status; 0 when there was no answer."""
        client = self._idle.pop() if self._idle else self._connect()
        try:
            return (await client.post("/v1/score", json={"items": [{"text": text}]})).status_code
        except httpx.HTTPError:
            return 0
        finally:
            self._idle.append(client)

    async def close(self) -> None:
        """Close those that are idle."""
        for client in self._idle:
            await client.aclose()


def rows() -> list[Row]:
    """One server, one after the other. Raises RuntimeError when the server ended, or left a request unanswered."""
    texts, kind = sample_texts()
    with _server() as (process, address, key):
        saturation, steady, overload = asyncio.run(_measure(address, key, texts))
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}")
    lost = sum(run.statuses.get(0, 0) for run in (*steady, overload))
    if lost:
        raise RuntimeError(f"{lost} requests were never answered")
    ratio, p50, p99 = (
        median(values)
        for values in zip(
            *((r.quantile(0.99) / r.quantile(0.5), r.quantile(0.5), r.quantile(0.99)) for r in steady), strict=True
        )
    )
    said = f"{hardware()}, shared by server and client; 1 model thread; {kind} texts, one a request"
    quiet = f"p50 {p50:.0f} ms, p99 {p99:.0f} ms, {median(r.share(429) for r in steady):.1%} answered 429"
    told = ", ".join(f"{status}: {count}" for status, count in sorted(overload.statuses.items()))
    lag = f"{said}; the client sent p99 {overload.lag_ms():.0f} ms after a request was due"
    return [
        Row(NAMES[0], saturation, "texts/s", hardware=f"{said}; {CALLERS} callers"),
        Row(NAMES[1], ratio, "p99 / p50 at 80 % of saturation", target="<= 3", hardware=f"{said}; {quiet}"),
        Row(NAMES[2], overload.quantile(0.99), "ms, p99 of the scored at 3x", target="bounded", hardware=lag),
        Row(NAMES[3], overload.share(429), "share of 429 at 3x", target="no crash", hardware=f"{said}; {told}"),
    ]


async def _measure(address: str, key: str, texts: list[str]) -> tuple[float, list[Load], Load]:
    async with _callers(address, key) as callers:
        await _until_loaded(callers)
        saturation = await _saturate(callers, texts)
        steady = [await _arrive(callers, texts, LOAD * saturation, STEADY_S, seed) for seed in range(REPEATS)]
        overload = await _arrive(callers, texts, OVERLOAD * saturation, OVERLOAD_S, REPEATS)
    return saturation, steady, overload


@asynccontextmanager
async def _callers(address: str, key: str) -> AsyncIterator[Callers]:
    tls = ssl.create_default_context()  # unused, but each client would make one of its own, which takes long

    def connect() -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {key}"}
        return httpx.AsyncClient(
            base_url=address,
            headers=headers,
            verify=tls,
            timeout=30.0,
            trust_env=False,
            limits=httpx.Limits(keepalive_expiry=KEEP_S),
        )

    callers = Callers(connect)
    try:
        yield callers
    finally:
        await callers.close()


async def _until_loaded(callers: Callers) -> None:
    given_up = time.monotonic() + START_S
    while await callers.ask("a text to load everything with") != httpx.codes.OK:
        if time.monotonic() > given_up:
            raise RuntimeError(f"the server scored nothing within {START_S:g} s")
        await asyncio.sleep(0.5)


async def _saturate(callers: Callers, texts: list[str]) -> float:
    scored, end = 0, time.monotonic() + SATURATION_S

    async def caller(seed: int) -> None:
        nonlocal scored
        draw = random.Random(seed)  # noqa: S311 - a choice of texts, not a secret
        while time.monotonic() < end:
            if await callers.ask(draw.choice(texts)) == httpx.codes.OK:
                scored += 1
            else:
                await asyncio.sleep(BACK_OFF_S)

    began = time.monotonic()
    await asyncio.gather(*(caller(seed) for seed in range(CALLERS)))
    return scored / (time.monotonic() - began)


async def _arrive(callers: Callers, texts: list[str], rate: float, seconds: float, seed: int) -> Load:
    """Requests at ``rate`` a second, whether or not the ones before are answered."""
    draw = np.random.default_rng(seed)
    due = np.cumsum(draw.exponential(1 / rate, int(rate * seconds)))
    chosen = draw.integers(0, len(texts), len(due))
    began, latencies, statuses = time.monotonic(), list[float](), dict[int, int]()
    lags = list[float]()

    async def request(due_s: float, text: str) -> None:
        lags.append((time.monotonic() - began - due_s) * 1000)
        status = await callers.ask(text)
        statuses[status] = statuses.get(status, 0) + 1
        if status == httpx.codes.OK:
            latencies.append((time.monotonic() - began - due_s) * 1000)

    async with asyncio.TaskGroup() as group:
        for due_s, place in zip(due.tolist(), chosen.tolist(), strict=True):
            await asyncio.sleep(max(0.0, began + due_s - time.monotonic()))
            group.create_task(request(due_s, texts[place]))
    return Load(tuple(latencies), statuses, tuple(lags))


@contextmanager
def _server() -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """``goldfold serve`` on a free port of this machine: its process, address and first key."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GOLDFOLD_ONLINE_PRELOAD": "true", "GOLDFOLD_DEVICE": "cpu"}
    environment["GOLDFOLD_LOG_LEVEL"] = "error"
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", SERVE, "--data-dir", folder, "serve", "--port", port, "--json"]
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        try:
            yield process, *_told(process)
        finally:
            process.terminate()
            process.communicate(timeout=START_S)


def _told(process: subprocess.Popen[str]) -> tuple[str, str]:
    said = ""
    for line in process.stdout or ():
        said += line
        if line.rstrip() == "}":
            found = json.loads(said)
            return found["address"], found["first_admin_key"]
    raise RuntimeError(f"the server did not start: {said}")
