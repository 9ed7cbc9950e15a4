"""A proxy before a server that does to requests what networks and servers do: lose answers, cut them short, answer 502
after the work was done, stall, and refuse."""

from __future__ import annotations

import random
import socket
import ssl
import sys
import threading
import time
from collections import Counter
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import urlsplit

KINDS = ("lost", "bad gateway", "cut short", "refused", "unavailable", "late", "stalled")
HOP = {"connection", "transfer-encoding", "keep-alive", "content-length"}
TIMEOUT_S = 300.0


class FaultyProxy:
    """Passes requests on to ``base_url``; each meets a fault with probability ``rate`` until ``faults`` have happened.

    ``lost``: done, and the connection is closed. ``bad gateway``: done, and 502. ``cut short``: half of the answer.
    ``refused``: closed, and never passed on. ``unavailable``: 503, and never passed on. ``late``: closed at once, and
    passed on only after ``late_s``, as a request that goes on in a server whose client has left. ``stalled``: done,
    and answered only after ``late_s``. ``base_url`` may be changed while it runs. ``happened`` counts by kind.

    ``prefix``: the path below which it serves, which the server does not know. ``tls``: it serves HTTPS. Asked as a
    forward proxy (for a whole address) it passes on as well, and counts ``forwarded``.
    """

    def __init__(
        self,
        base_url: str,
        *,
        faults: int = 0,
        rate: float = 0.0,
        seed: int = 0,
        late_s: float = 1.0,
        prefix: str = "",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.base_url = base_url
        self.prefix = prefix
        self.forwarded = 0
        self._scheme = "https" if tls else "http"
        self.left = faults
        self.late_s = late_s
        self.happened: Counter[str] = Counter()
        self._rate = rate
        self._random = random.Random(seed)  # noqa: S311 - reproducible, and no secret
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def address(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._server.server_address[1]}{self.prefix}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def draw(self) -> str:
        """The fault that the next request meets; "" for none."""
        with self._lock:
            if self.left <= 0 or self._random.random() >= self._rate:
                return ""
            self.left -= 1
            kind = self._random.choice(KINDS)
            self.happened[kind] += 1
            return kind

    def pass_on(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        """The server's answer; 404 for what is not below the prefix."""
        if path.startswith("http://"):
            self.forwarded += 1
            asked = urlsplit(path)
            path = asked.path + (f"?{asked.query}" if asked.query else "")
        if not path.startswith(f"{self.prefix}/"):
            return 404, {}, b""
        path = path.removeprefix(self.prefix)
        parts = urlsplit(self.base_url)
        connection = HTTPConnection(str(parts.hostname), parts.port or 80, timeout=TIMEOUT_S)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up, or was killed, is what this proxy is for; anything else is told."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


def _handler(proxy: FaultyProxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def _pass(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP}
            fault = proxy.draw()
            if fault == "refused":
                self._close()
            elif fault == "unavailable":
                self._answer(503, {}, b"")
            elif fault == "late":
                self._close()
                time.sleep(proxy.late_s)
                self._forward(headers, body)
            else:
                answer = self._forward(headers, body)
                time.sleep(proxy.late_s if fault == "stalled" else 0.0)
                self._tell(fault, answer)

        def _forward(self, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes] | None:
            try:
                return proxy.pass_on(self.command, self.path, headers, body)
            except (OSError, HTTPException):  # the server is away, which is for the client to find out
                return None

        def _tell(self, fault: str, answer: tuple[int, dict[str, str], bytes] | None) -> None:
            if answer is None or fault == "lost":
                self._close()
            elif fault == "bad gateway":
                self._answer(502, {}, b"")
            else:
                self._answer(*answer, cut=fault == "cut short")

        def _answer(self, status: int, headers: dict[str, str], body: bytes, *, cut: bool = False) -> None:
            self.send_response_only(status)
            for name, value in headers.items():
                if name.lower() not in HOP:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body) + (100 if cut else 0)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if cut else body)
            if cut:
                self._close()

        def _close(self) -> None:
            self.close_connection = True
            self.wfile.flush()
            try:
                self.connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # the client was quicker

        do_GET = do_POST = do_PATCH = do_DELETE = _pass  # noqa: N815 - the base class' names

    return Handler
