"""The HTTP connection to a remote model: what ``scoring.remote`` calls an endpoint."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from time import time
from typing import Any

import httpx

from configs.errors import SettingsError
from scoring.errors import RemoteUnreachable
from scoring.remote import Reply

MOST_BYTES = 64_000_000  # of one answer


class HttpEndpoint:
    """JSON over one pooled connection, for all threads. The key goes into one header and never into a message."""

    def __init__(self, url: str, key_env: str | None, timeout_s: float, connections: int) -> None:
        """``key_env``: the environment variable with the key. Raises SettingsError when it is not set."""
        self.name = url
        headers = {"Authorization": f"Bearer {_key(key_env)}"} if key_env else {}
        limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
        self._client = httpx.Client(base_url=url, headers=headers, timeout=timeout_s, limits=limits)

    def post(self, path: str, body: Mapping[str, Any]) -> Reply:
        """As ``Endpoint.post``. A redirect is not followed: it would take the key along."""
        try:
            with self._client.stream("POST", path, json=body) as response:
                content = _whole(response)
        except httpx.HTTPError as error:
            raise RemoteUnreachable(f"{self.name} does not answer: {type(error).__name__}") from error
        return Reply(response.status_code, _json(content), _retry_after_s(response.headers))

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()


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
