"""HTTP below the client: the token, what may be tried again, and what a failure means.

Only reads are tried again. A write whose answer did not come back is ``AnswerLost``: it may have happened, or be
happening still, so whoever made it looks before writing again. Tokens, cookies and bodies never enter a message.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import httpx
from label_studio_sdk.core.api_error import ApiError

from labeling.errors import (
    InvalidInput,
    StudioError,
    StudioGone,
    StudioRefused,
    StudioUnauthorized,
    StudioUnreachable,
)

READ_TRIES = 4
FIRST_WAIT_S = 0.5
DETAIL_CHARS = 300
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
T = TypeVar("T")


class AnswerLost(StudioUnreachable):
    """A write got no answer: it may have happened, or may still be running in Label Studio."""


class ServerFailed(StudioUnreachable):
    """A write was answered with an error of the server's own: it is over, but whether it happened must be looked up."""


class TokenAuth(httpx.Auth):
    """Puts the token on each request. A personal access token (a JWT) is a refresh token: it is exchanged for
    access tokens (valid 300 s), again whenever one is refused."""

    requires_response_body = True

    def __init__(self, base_url: str, token: str) -> None:
        self._base_url = base_url
        self._token = token
        self._access = ""

    @property
    def personal(self) -> bool:
        return self._token.count(".") == 2

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if not self.personal:
            request.headers["Authorization"] = f"Token {self._token}"
            yield request
            return
        if not self._access:
            self._access = _access_of((yield self._refresh()))
        response = yield self._with_access(request)
        if response.status_code == httpx.codes.UNAUTHORIZED:  # refused, so not carried out: safe to send again
            self._access = _access_of((yield self._refresh()))
            yield self._with_access(request)

    def _with_access(self, request: httpx.Request) -> httpx.Request:
        """Without access the server is asked all the same: it refuses, which tells more than an empty header."""
        if self._access:
            request.headers["Authorization"] = f"Bearer {self._access}"
        return request

    def _refresh(self) -> httpx.Request:
        return httpx.Request("POST", f"{self._base_url}/api/token/refresh/", json={"refresh": self._token})


def _access_of(response: httpx.Response) -> str:
    if response.status_code != httpx.codes.OK:
        return ""
    access = response.json().get("access")
    return access if isinstance(access, str) else ""


@dataclass(frozen=True, slots=True)
class Way:
    """How a server is reached. ``ca_file``: PEM certificates of authorities that are trusted instead of the usual ones.
    ``proxy``: the address of an HTTP proxy; "": what the environment says (HTTPS_PROXY, NO_PROXY, ...)."""

    ca_file: Path | None = None
    proxy: str = ""

    def verify(self) -> ssl.SSLContext | bool:
        """What httpx checks certificates by. Raises InvalidInput (studio_ca_file)."""
        if self.ca_file is None:
            return True
        try:
            return ssl.create_default_context(cafile=self.ca_file)
        except (OSError, ssl.SSLError) as error:
            why = getattr(error, "strerror", None) or "it holds no certificate"
            raise InvalidInput(f"studio_ca_file: {self.ca_file} cannot be used ({why}); give a PEM file") from error


def open_http(
    base_url: str,
    token: str,
    timeout_s: float,
    transport: httpx.BaseTransport | None = None,
    way: Way | None = None,
) -> tuple[str, httpx.Client]:
    """The address without its last slash, and a client for it. Raises InvalidInput (studio_url, studio_token,
    studio_ca_file, studio_proxy)."""
    way = way or Way()
    base = base_url.rstrip("/")
    parts = urlsplit(base)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise InvalidInput(f"studio_url: {base_url!r} is not an http(s) address")
    if not token or not token.isascii() or any(ch.isspace() or not ch.isprintable() for ch in token):
        raise InvalidInput("studio_token: empty, or it holds characters that no token has; copy it again")
    if way.proxy and urlsplit(way.proxy).scheme not in {"http", "https"}:
        raise InvalidInput("studio_proxy: not an http(s) address")  # it may hold a password
    http = httpx.Client(
        base_url=base,
        verify=way.verify(),
        proxy=way.proxy or None,
        auth=TokenAuth(base, token),
        timeout=httpx.Timeout(timeout_s, connect=min(10.0, timeout_s)),
        transport=transport,
        trust_env=parts.hostname not in LOOPBACK,  # a corporate proxy cannot reach this machine's own server
    )
    return base, http


class Caller:
    """Makes calls and says what went wrong in the room's own errors."""

    def __init__(self, base_url: str, http: httpx.Client, sleep: Callable[[float], None] = time.sleep) -> None:
        self.base_url = base_url
        self._http = http
        self._sleep = sleep

    def read(self, path: str, params: Mapping[str, str | int] | None = None) -> httpx.Response:
        """GET; tried again a few times when the server does not answer or is in trouble."""
        for attempt in range(READ_TRIES):
            try:
                response = self._http.get(path, params=dict(params or {}))
            except httpx.TransportError as error:
                failure: StudioError = StudioUnreachable(self._silent(error))
            else:
                if response.status_code < 300:
                    return response
                failure = self.failure(response.status_code, _json(response), path, write=False)
            if not isinstance(failure, StudioUnreachable) or attempt == READ_TRIES - 1:
                raise failure
            self._sleep(FIRST_WAIT_S * 2**attempt)
        raise StudioUnreachable(f"Label Studio at {self.base_url} does not answer")

    def write(self, call: Callable[[], T], what: str) -> T:
        """Run one call of the SDK (or of httpx) once. Raises AnswerLost or ServerFailed when its outcome is unknown."""
        try:
            return call()
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise StudioUnreachable(self._silent(error)) from None
        except httpx.TransportError as error:
            raise AnswerLost(self._silent(error)) from None
        except ApiError as error:
            raise self.failure(error.status_code or 0, error.body, what, write=True) from None

    def post(self, path: str, body: object) -> httpx.Response:
        """POST once, for what the SDK has no call for."""
        response = self.write(lambda: self._http.post(path, json=body), path)
        if response.status_code >= 300:
            raise self.failure(response.status_code, _json(response), path, write=True)
        return response

    def failure(self, status: int, body: object, what: str, *, write: bool) -> StudioError:
        """What a status means. ``what`` names the request in the message."""
        detail = detail_of(body)
        if status == httpx.codes.UNAUTHORIZED:
            return StudioUnauthorized(self._unauthorized(detail))
        if status == httpx.codes.NOT_FOUND:
            return StudioGone(f"Label Studio at {self.base_url} has no {what} any more ({detail or 'not found'})")
        if status == httpx.codes.TOO_MANY_REQUESTS:
            return StudioUnreachable(f"Label Studio at {self.base_url} asks to slow down (429); try again later")
        if status in {502, 503, 504} or status < 300:
            kind = AnswerLost if write else StudioUnreachable
            return kind(f"Label Studio at {self.base_url} answered {status} to {what}; it is starting or in trouble")
        if status >= 500:
            kind = ServerFailed if write else StudioUnreachable
            return kind(f"Label Studio at {self.base_url} failed on {what} ({status}: {detail or 'see its log'})")
        if status < 400:
            return StudioRefused(f"studio_url: {self.base_url} only redirects; use the address it leads to")
        return StudioRefused(
            f"Label Studio at {self.base_url} refused {what} ({status}): {detail or 'no reason given'}"
        )

    def _silent(self, error: httpx.TransportError) -> str:
        kind = type(error).__name__
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return (
                f"the certificate of Label Studio at {self.base_url} is not trusted; give the file of the authority "
                "that signed it (setting studio_ca_file)"
            )
        return f"Label Studio at {self.base_url} does not answer ({kind}); start it, or correct the setting studio_url"

    def _unauthorized(self, detail: str) -> str:
        auth = self._http.auth
        if isinstance(auth, TokenAuth) and auth.personal:
            kind, cure = "a personal access token", "it was revoked or belongs to another server; make a new one there"
        else:
            kind = "a legacy token"
            cure = (
                "copy it from Account & Settings, and see that legacy tokens are enabled under "
                "Organization > API Tokens Settings"
            )
        return f"Label Studio at {self.base_url} refuses the setting studio_token, {kind} ({detail}): {cure}"


def detail_of(body: object) -> str:
    """The reason in an error's body, one line, without the task content that Label Studio appends to it."""
    if not isinstance(body, Mapping):
        return ""
    said = body.get("validation_errors") or body.get("detail") or ""
    text = "; ".join(_flat(said)).split(" :: ")[0]
    return " ".join(text.split())[:DETAIL_CHARS]


def _flat(said: object) -> list[str]:
    if isinstance(said, Mapping):
        return [line for key, value in said.items() for line in _named(str(key), value)]
    if isinstance(said, list):
        return [line for value in said for line in _flat(value)]
    return [str(said)] if said else []


def _named(key: str, value: object) -> list[str]:
    return _flat(value) if key == "non_field_errors" else [f"{key}: {line}" for line in _flat(value)]


def _json(response: httpx.Response) -> object:
    try:
        return response.json()
    except ValueError:
        return None
