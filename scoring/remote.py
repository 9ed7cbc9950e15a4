"""Models behind somebody's HTTP service: asked in batches, several at a time, patiently, and with an eye on the bill.

This room makes no connection: an ``Endpoint`` is handed in.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any, Protocol, TypeVar

from scoring.errors import RemoteRefused, RemoteUnreachable

AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504})  # statuses that another try may mend
TOO_MUCH = frozenset({400, 413, 422})  # what one bad item can bring upon its batch
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: ``body`` is its JSON, {} where it had none; ``retry_after_s``: how long the service asks to wait."""

    status: int
    body: Mapping[str, Any]
    retry_after_s: float | None = None


class Endpoint(Protocol):
    """An HTTP service; may be called by several threads."""

    @property
    def name(self) -> str:
        """Its address, without any secret."""

    def post(self, path: str, body: Mapping[str, Any]) -> Reply:
        """Send JSON to ``path`` below the address. Raises RemoteUnreachable when no answer comes in time."""


@dataclass(frozen=True, slots=True)
class Manners:
    """``attempts`` at one request; waits grow from ``first_wait_s`` by doubling up to ``longest_wait_s``, each drawn
    evenly below that ("full jitter", so that callers do not come back all at once); ``concurrency`` requests at a
    time, ``batch`` items in each."""

    attempts: int = 6
    first_wait_s: float = 0.5
    longest_wait_s: float = 30.0
    concurrency: int = 4
    batch: int = 32

    def __post_init__(self) -> None:
        if min(self.attempts, self.concurrency, self.batch) < 1 or not 0 <= self.first_wait_s <= self.longest_wait_s:
            raise ValueError(
                "attempts, concurrency and batch must be at least 1, and 0 <= first_wait_s <= longest_wait_s"
            )


@dataclass(frozen=True, slots=True)
class Usage:
    """What a scorer has asked for since it was made. ``tokens`` as the service counted them, 0 where it does not."""

    requests: int = 0
    retries: int = 0
    items: int = 0
    tokens: int = 0

    def cost(self, per_million_tokens: float, per_thousand_requests: float = 0.0) -> float:
        """In the currency of the prices; tries that failed count as requests, since most services count them."""
        return self.tokens / 1e6 * per_million_tokens + (self.requests + self.retries) / 1e3 * per_thousand_requests


@dataclass
class Caller:
    """Asks one endpoint with ``manners``. ``wait`` sleeps; it is handed in so that tests need not."""

    endpoint: Endpoint
    manners: Manners = Manners()
    wait: Callable[[float], None] = time.sleep
    usage: Usage = Usage()
    _lock: Lock = field(default_factory=Lock, repr=False)

    def ask(self, path: str, body: Mapping[str, Any], items: int) -> Reply:
        """The reply to one request, tried again where that may help; its status is 200 or one of ``TOO_MUCH``.

        Raises RemoteUnreachable when every try failed, RemoteRefused for any other answer.
        """
        last = ""
        for attempt in range(self.manners.attempts):
            if attempt:
                self._count(retries=1)
            asked_s: float | None = None
            try:
                reply = self.endpoint.post(path, body)
            except RemoteUnreachable as error:
                last = str(error)
            else:
                if reply.status not in AGAIN:
                    return self._taken(reply, items)
                last, asked_s = f"{self.endpoint.name} answers {reply.status}{reason(reply)}", reply.retry_after_s
            if attempt + 1 < self.manners.attempts:
                self.wait(self._pause(attempt, asked_s))
        raise RemoteUnreachable(f"{last}; tried {self.manners.attempts} times: run it again when the service is back")

    def each(self, batches: Sequence[T], work: Callable[[T], None]) -> None:
        """``work`` on every batch, some at a time; the first error stops the rest and is raised."""
        pool = ThreadPoolExecutor(self.manners.concurrency, thread_name_prefix="remote")
        try:
            for done in as_completed([pool.submit(work, batch) for batch in batches]):
                done.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _taken(self, reply: Reply, items: int) -> Reply:
        if reply.status == 200:
            usage = reply.body.get("usage")
            tokens = usage.get("total_tokens", 0) if isinstance(usage, Mapping) else 0
            self._count(requests=1, items=items, tokens=tokens if isinstance(tokens, int) else 0)
            return reply
        self._count(requests=1)
        if reply.status in TOO_MUCH:
            return reply
        cure = {401: "check its key", 403: "check its key", 404: "check its address and the model's name"}
        raise RemoteRefused(
            f"{self.endpoint.name} answers {reply.status}{reason(reply)}: {cure.get(reply.status, 'it refuses')}"
        )

    def _pause(self, attempt: int, asked_s: float | None) -> float:
        most = min(self.manners.longest_wait_s, self.manners.first_wait_s * 2**attempt)
        drawn = random.uniform(0, most)  # noqa: S311
        return drawn if asked_s is None else min(max(asked_s, drawn), self.manners.longest_wait_s)

    def _count(self, **more: int) -> None:
        with self._lock:
            self.usage = replace(self.usage, **{key: getattr(self.usage, key) + n for key, n in more.items()})


def reason(reply: Reply) -> str:
    """The kind of error that the body names, in brackets; never its message, which may repeat the content."""
    error = reply.body.get("error")
    if not isinstance(error, Mapping):
        return ""
    kind = error.get("code") or error.get("type")
    return f" ({str(kind)[:60]})" if kind else ""
