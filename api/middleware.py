"""What surrounds every request: an id, a log line, figures, headers, a bound on its size, and the last resort."""

from __future__ import annotations

import re
import time
import uuid

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.metrics import Metrics
from api.problems import problem

LINKS = "/media/"
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
CLIENT_CLOSED = 499  # nobody was left to answer; the number that proxies log for it
UNMATCHED = "unmatched"
QUIET = frozenset({"/healthz", "/readyz", "/metrics"})

# A route may set its own; these stand where it says nothing.
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "Cache-Control": "no-store",
}

log = structlog.get_logger("api")


class Frame:
    """The outermost layer: gives the request its id, and the answer its headers, log line and figures.

    An exception nobody expected is logged under the id and answered with a problem that says nothing of it.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = _request_id(scope)
        begin = time.perf_counter()
        scope.setdefault("state", {}).update(request_id=request_id, began_s=begin)
        status = CLIENT_CLOSED
        started = False

        async def answer(message: Message) -> None:
            nonlocal status, started
            if message["type"] == "http.response.start":
                status, started = message["status"], True
                _dress(message, request_id)
            await send(message)

        with (
            structlog.contextvars.bound_contextvars(request_id=request_id),
            self.metrics.in_progress.track_inprogress(),
        ):
            try:
                await self.app(scope, receive, answer)
            except Exception:
                log.exception("unexpected error", path=_told(scope["path"]))
                if started:
                    raise  # too late for an answer: the server closes the connection
                detail = f"something went wrong on our side; it is logged under {request_id}"
                await problem(scope["path"], request_id, 500, detail)(scope, receive, answer)
            finally:
                self._note(scope, status, time.perf_counter() - begin)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", UNMATCHED)
        self.metrics.answered(scope["method"], route, status, seconds)
        # The query string stays out: it may hold content.
        (log.debug if route in QUIET else log.info)(
            "request",
            method=scope["method"],
            path=_told(scope["path"]),
            status=status,
            ms=round(seconds * 1000, 1),
            key_id=scope["state"].get("key_id"),
        )


def _told(path: str) -> str:
    """A path for the log: what comes after /media/ opens an image to whoever reads it."""
    return f"{LINKS}..." if path.startswith(LINKS) else path


def _request_id(scope: Scope) -> str:
    """The caller's X-Request-ID if it is a plain word, else a new one: it goes into logs and headers."""
    given = Headers(scope=scope).get("x-request-id", "")
    return given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


def _dress(message: Message, request_id: str) -> None:
    headers = MutableHeaders(scope=message)
    headers["X-Request-ID"] = request_id
    for name, value in HEADERS.items():
        headers.setdefault(name, value)


class BodyLimit:
    """Refuses a body over ``max_bytes`` with 413: at once when its length is announced, else when it gets there."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self.app = app
        self.max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "")
        detail = f"the body is larger than {self.max_bytes} bytes (setting max_body_bytes); send it in parts"
        if announced.isdecimal() and int(announced) > self.max_bytes:
            await problem(scope["path"], scope["state"]["request_id"], 413, detail)(scope, receive, send)
            return
        taken = 0

        async def bounded() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self.max_bytes:
                raise HTTPException(413, detail)
            return message

        await self.app(scope, bounded, send)
