"""The HTTP connection to a remote model: what ``scoring.remote`` calls an endpoint."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime
from queue import Empty, LifoQueue
from ssl import SSLContext
from threading import Lock, Timer
from time import time
from typing import Any
from urllib.parse import urlsplit

import httpx

from configs.errors import SettingsError
from labeling.addresses import Resolve, look_up, refusal
from scoring.errors import RemoteUnreachable
from scoring.remote import Reply

MOST_BYTES = 64_000_000  # of one answer


class HttpEndpoint:
    """JSON over ``connections`` connections that stay open, for all threads. The key goes into one header and never
    into a message. An answer must be whole within ``timeout_s`` seconds, however it trickles in."""

    def __init__(
        self, url: str, key_env: str | None, timeout_s: float, connections: int, address: str | None = None
    ) -> None:
        """``key_env``: the environment variable with the key. ``address``: the one to connect to, whatever the host's
        name means by then; no proxy is used. Raises SettingsError when the key is not set."""
        self.name = url
        headers = {"Authorization": f"Bearer {_key(key_env)}"} if key_env else {}
        self._timeout_s = timeout_s
        tls = httpx.create_ssl_context()  # one for all: each takes a while to make
        self._all = [_Connection(url, headers, timeout_s, tls, address) for _ in range(connections)]
        self._idle: LifoQueue[_Connection] = LifoQueue()
        for connection in self._all:
            self._idle.put(connection)

    def post(self, path: str, body: Mapping[str, Any]) -> Reply:
        """As ``Endpoint.post``. A redirect is not followed: it would take the key along."""
        try:
            connection = self._idle.get(timeout=self._timeout_s)
        except Empty:
            raise RemoteUnreachable(f"{self.name} keeps all connections busy for {self._timeout_s:g} s") from None
        try:
            return connection.post(path, body)
        except httpx.HTTPError as error:
            late = f"its answer is not whole after {self._timeout_s:g} s"
            why = late if connection.is_cut else type(error).__name__
            raise RemoteUnreachable(f"{self.name} does not answer: {why}") from error
        finally:
            self._idle.put(connection)

    def close(self) -> None:
        """Give the connections back."""
        for connection in self._all:
            connection.close()


class _Connection:
    """One connection, for one request at a time. At ``timeout_s`` it is cut, whatever is being waited for then: a
    timeout of each read alone would let a slow server keep us for ever."""

    def __init__(
        self, url: str, headers: Mapping[str, str], timeout_s: float, tls: SSLContext, address: str | None
    ) -> None:
        one = httpx.Limits(max_connections=1, max_keepalive_connections=1)
        base, self._extensions = httpx.URL(url), dict[str, Any](trace=self._watch)
        if address is not None:  # the certificate and the header are still those of the name
            self._extensions["sni_hostname"] = base.raw_host.decode("ascii")
            headers, base = {**headers, "Host": base.netloc.decode("ascii")}, base.copy_with(host=address)
        self._client = httpx.Client(
            base_url=base, headers=headers, timeout=timeout_s, limits=one, verify=tls, trust_env=address is None
        )
        self._timeout_s = timeout_s
        self._lock = Lock()  # guards what follows: a timer's thread cuts
        self._stream: Any = None  # as httpx' trace hands it out
        self.is_cut = False

    def post(self, path: str, body: Mapping[str, Any]) -> Reply:
        """Raises httpx.HTTPError, RemoteUnreachable."""
        with self._lock:
            self.is_cut = False
        timer = Timer(self._timeout_s, self._cut)
        timer.daemon = True
        timer.start()
        try:
            with self._client.stream("POST", path, json=body, extensions=self._extensions) as response:
                content = _whole(response)
        finally:
            timer.cancel()
            timer.join()
        if self.is_cut:  # where the end of the connection is that of the answer, it looks whole
            raise httpx.ReadTimeout("cut")
        return Reply(response.status_code, _json(content), _retry_after_s(response.headers))

    def close(self) -> None:
        self._client.close()

    def _watch(self, event: str, info: dict[str, Any]) -> None:
        """httpx' trace: take hold of each new stream."""
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            with self._lock:
                self._stream, late = info["return_value"], self.is_cut
            if late:
                self._cut()

    def _cut(self) -> None:
        with self._lock:
            self.is_cut = True
            if self._stream is not None:
                with suppress(OSError):  # it has ended by itself
                    socket.socket.shutdown(self._stream.get_extra_info("socket"), socket.SHUT_RDWR)


def checked_address(url: str, *, private: bool, resolve: Resolve = look_up) -> str:
    """The first address of a URL's host, after all of them passed (``labeling.addresses``); ``private``: those of a
    private network may be asked. Raises SettingsError for one that may not, RemoteUnreachable where there is none."""
    parts = urlsplit(url)
    host, port = str(parts.hostname), parts.port or {"http": 80, "https": 443}[parts.scheme]
    try:
        addresses = list(resolve(host, port))
    except (OSError, UnicodeError) as error:
        raise RemoteUnreachable(
            f"{url}: the address of {host} cannot be found; check the name, or try again"
        ) from error
    for address in addresses:
        if why := refusal(address, private=private):
            raise SettingsError(
                f"url: {host} is at {address}, which {why}; for a service of your own network set private: true"
            )
    if not addresses:
        raise RemoteUnreachable(f"{url}: {host} has no address; check the name")
    return addresses[0]


def _key(name: str) -> str:
    key = os.environ.get(name, "").strip()
    if not key:
        raise SettingsError(f"key_env: the environment variable {name} is not set; it should hold the service's key")
    if not (key.isascii() and key.isprintable()):  # an HTTP library would show it when it refuses it
        raise SettingsError(f"key_env: the environment variable {name} holds what is no key; look for a line break")
    return key


def _whole(response: httpx.Response) -> bytes:
    found = bytearray()
    for part in response.iter_bytes():
        found += part
        if len(found) > MOST_BYTES:
            raise RemoteUnreachable(f"{response.url.host} answers with more than {MOST_BYTES:,} bytes")
    return bytes(found)


def _json(content: bytes) -> Mapping[str, Any]:
    try:
        body = json.loads(content)
    except (RecursionError, ValueError):  # an error page; its status says enough
        return {}
    return body if isinstance(body, dict) else {}


def _retry_after_s(headers: httpx.Headers) -> float | None:
    """Seconds, from either form of the header (RFC 9110, 10.2.3)."""
    value = headers.get("retry-after", "").strip()
    try:
        return float(value) if value.isdigit() else max(0.0, parsedate_to_datetime(value).timestamp() - time())
    except (OverflowError, ValueError):
        return None
