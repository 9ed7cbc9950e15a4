"""The bytes behind an item's ``media``: a file below the media folder, a data: URI, or a URL of an allowed host.

Nothing that comes from outside is trusted: a path may not leave the folder, an address must pass ``labeling.addresses``
and is the very one that is connected to, redirects are followed by hand under the same rules, bytes are counted as they
come, and what the server says about them is ignored.
"""

from __future__ import annotations

import base64
import binascii
import os
import socket
import stat
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote_to_bytes

import httpx

from labeling.addresses import Host, Resolve, allowed, look_up, parse_host, refusal
from labeling.errors import BadMedia, InvalidInput

MAX_REDIRECTS = 3
CHUNK_BYTES = 65_536
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_BUSY = frozenset({408, 425, 429})
_HEADERS = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "goldfold"}


class MediaReader:
    """Reads media of at most ``max_bytes``, each within ``timeout_s`` in all. Safe for threads.

    ``root``: the folder of local files; None: there is none. ``allowed_hosts``: ``cdn.example.org``, with a port
    ``cdn.example.org:8443``, or ``private:files.internal:9000`` for one host and port on a private network. Raises
    InvalidInput (media_dir, media_hosts)."""

    def __init__(
        self,
        root: Path | None,
        allowed_hosts: Collection[str] = (),
        max_bytes: int = 32 * 2**20,
        timeout_s: float = 30.0,
        *,
        resolve: Resolve = look_up,
    ) -> None:
        if root is not None and not root.is_dir():
            raise InvalidInput(f"media_dir: {root} is no folder; make it, or leave the setting out")
        try:
            self._hosts: tuple[Host, ...] = tuple(parse_host(entry) for entry in allowed_hosts)
        except ValueError as error:
            raise InvalidInput(f"media_hosts: {error}") from error
        self._root = None if root is None else root.resolve()
        self._max_bytes = max_bytes
        self._timeout_s = timeout_s
        self._resolve = resolve
        # Below httpx' client: no proxy, no cookie, no redirect of its own; and no kept connection, since each goes to
        # the address that was checked for it.
        self._http = httpx.HTTPTransport(trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))

    def read(self, media: str) -> bytes:
        """The bytes. Raises BadMedia, whose message says what is wrong and the cure."""
        if media.startswith("data:"):
            return self._data(media)
        if media.lower().startswith(("http://", "https://")):
            return self._fetch(media)
        with self._local(media) as file:
            try:
                return self._counted(file.read(self._max_bytes + 1))
            except OSError as error:
                raise BadMedia(
                    f"cannot be read ({error.strerror}); check the file and the disk", passing=True
                ) from error

    @contextmanager
    def open(self, media: str) -> Iterator[BinaryIO | bytes]:
        """An open file that can seek for one below the media folder, of any size; the bytes for anything else. Raises
        BadMedia."""
        if "://" in media or media.startswith("data:"):
            yield self.read(media)
            return
        with self._local(media) as file:
            yield file

    def close(self) -> None:
        self._http.close()

    def _counted(self, content: bytes) -> bytes:
        self._check_size(len(content))
        return content

    def _check_size(self, size: int) -> None:
        if size > self._max_bytes:
            raise BadMedia(
                f"holds more than media_max_bytes = {self._max_bytes}; make it smaller, or raise the setting"
            )

    def _data(self, uri: str) -> bytes:
        head, comma, body = uri.removeprefix("data:").partition(",")
        if not comma:
            raise BadMedia("is no data: URI; write data:image/png;base64,...")
        if not head.endswith(";base64"):
            return self._counted(unquote_to_bytes(body))
        self._check_size(3 * len(body) // 4 - 2)  # at least: the padding counts for nothing
        try:
            return self._counted(base64.b64decode(body, validate=True))
        except (binascii.Error, ValueError) as error:
            raise BadMedia(f"is no base64 ({error}); encode it again") from error

    @contextmanager
    def _local(self, media: str) -> Iterator[BinaryIO]:
        if self._root is None:
            raise BadMedia("is a local file, but no folder is allowed; name one in the setting media_dir", passing=True)
        if "://" in media:
            raise BadMedia("is of a kind that is not read; use a path below media_dir, a data: URI or an http(s) URL")
        try:
            path = (self._root / media).resolve(strict=True)
            inside = path.relative_to(self._root)
        except (ValueError, RuntimeError) as error:  # a loop of links, a NUL byte, or outside
            raise BadMedia("is not below media_dir; move the file there") from error
        except OSError as error:
            raise BadMedia(
                f"cannot be found below media_dir ({error.strerror}); put the file there", passing=True
            ) from error
        with ExitStack() as stack:
            try:
                file = stack.enter_context(_open_below(self._root, inside.parts))
            except OSError as error:
                raise BadMedia(
                    f"cannot be read ({error.strerror}); check the file and its permissions", passing=True
                ) from error
            yield file

    def _fetch(self, url: str) -> bytes:
        until = time.monotonic() + self._timeout_s
        at = _url(url)
        for _ in range(MAX_REDIRECTS + 1):
            answer = self._ask(at, until)
            if isinstance(answer, bytes):
                return answer
            if at.scheme == "https" and answer.scheme != "https":
                raise BadMedia(f"is redirected from https to {answer.scheme}; use the address it has now")
            at = answer
        raise BadMedia(f"is redirected more than {MAX_REDIRECTS} times; use the address it has now")

    def _ask(self, url: httpx.URL, until: float) -> bytes | httpx.URL:
        """One request to one checked address: the body, or where to ask instead."""
        port = url.port or {"http": 80, "https": 443}[url.scheme]
        host = url.raw_host.decode("ascii")  # one spelling for the list, the look-up, the header and the handshake
        address = self._checked(host, port)
        cut = _Cut(until)
        left = max(0.001, until - time.monotonic())
        request = httpx.Request(
            "GET",
            url.copy_with(host=address, port=port, fragment=None),
            headers={**_HEADERS, "Host": url.netloc.decode("ascii")},
            extensions={
                "sni_hostname": host,
                "timeout": dict.fromkeys(("connect", "read", "write", "pool"), left),
                "trace": cut.watch,
            },
        )
        try:
            with cut, ExitStack() as stack:
                response = self._http.handle_request(request)
                stack.callback(response.close)
                return self._answer(response, url, until)
        except httpx.TransportError as error:
            why = f"took longer than {self._timeout_s:g} s" if time.monotonic() >= until else str(error) or "no answer"
            raise BadMedia(
                f"cannot be fetched from {url.host} ({why}); check the address, or try again", passing=True
            ) from error

    def _answer(self, response: httpx.Response, url: httpx.URL, until: float) -> bytes | httpx.URL:
        if response.status_code in _REDIRECTS and "location" in response.headers:
            return _url(response.headers["location"], url)
        if response.status_code != httpx.codes.OK:
            passing = response.status_code >= 500 or response.status_code in _BUSY
            raise BadMedia(f"is answered with {response.status_code} by {url.host}; check the address", passing=passing)
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise BadMedia(f"comes compressed from {url.host}, unasked; serve it as it is")
        content = bytearray()
        for chunk in response.iter_raw(CHUNK_BYTES):
            content += chunk
            self._check_size(len(content))
            if time.monotonic() >= until:
                raise BadMedia(
                    f"takes longer than {self._timeout_s:g} s from {url.host}; use a faster server", passing=True
                )
        return bytes(content)

    def _checked(self, host: str, port: int) -> str:
        """An address of an allowed host, after all of its addresses passed."""
        entry = allowed(self._hosts, host, port)
        if entry is None:
            raise BadMedia(
                f"is at {host}:{port}, which is not allowed; add it to the setting media_hosts", passing=True
            )
        try:
            addresses = list(self._resolve(host, port))
        except (OSError, UnicodeError) as error:
            raise BadMedia(
                f"is at {host}, whose address cannot be found; check the name, or try again", passing=True
            ) from error
        for address in addresses:
            why = refusal(address, private=entry.private and entry.port is not None)
            if why:
                raise BadMedia(
                    f"is at {host}, whose address {address} {why}; for a server of your own network name "
                    f"private:{host}:{port} in the setting media_hosts",
                    passing=True,
                )
        if not addresses:
            raise BadMedia(f"is at {host}, which has no address; check the name", passing=True)
        return addresses[0]


class _Cut:
    """Cuts the connection at a time, whatever is being waited for then: a timeout of each read alone would let a slow
    server keep us for ever."""

    def __init__(self, until: float) -> None:
        self._until = until
        self._timer: threading.Timer | None = None
        self._socket: socket.socket | None = None

    def watch(self, event: str, info: dict[str, Any]) -> None:
        """httpx' trace: take hold of the socket when there is one."""
        if event == "connection.connect_tcp.complete" and self._socket is None:
            self._socket = info["return_value"].get_extra_info("socket").dup()
            self._timer = threading.Timer(max(0.0, self._until - time.monotonic()), self._cut)
            self._timer.daemon = True
            self._timer.start()

    def __enter__(self) -> None:
        """Nothing to cut yet."""

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer.join()
        if self._socket is not None:
            self._socket.close()

    def _cut(self) -> None:
        if self._socket is not None:
            try:
                self._socket.shutdown(socket.SHUT_RDWR)
            except OSError:  # it has ended by itself
                return


def _url(text: str, base: httpx.URL | None = None) -> httpx.URL:
    try:
        url = httpx.URL(text) if base is None else base.join(text)
        host, port = url.host, url.port  # a name in Punycode is decoded only now
    except (httpx.InvalidURL, ValueError) as error:
        raise BadMedia(f"is no URL ({error}); write one such as https://cdn.example.org/picture.jpg") from error
    if url.scheme not in ("http", "https") or not host or (port is not None and not 0 < port < 65536):
        raise BadMedia("leads to what is no http(s) URL; use the address it has now")
    if url.userinfo:
        raise BadMedia("is a URL with a password in it; use one without")
    return url


@contextmanager
def _open_below(root: Path, parts: tuple[str, ...]) -> Iterator[BinaryIO]:
    """Open a regular file, following no link: what was resolved may have been swapped since. Raises OSError."""
    with ExitStack() as stack:
        folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
        stack.callback(os.close, folder)
        for part in parts[:-1]:
            folder = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            stack.callback(os.close, folder)
        name = parts[-1] if parts else "."
        opened = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)  # never waits for a pipe
        file = stack.enter_context(os.fdopen(opened, "rb")) if stat.S_ISREG(os.fstat(opened).st_mode) else None
        if file is None:
            os.close(opened)
            raise OSError(0, "it is no plain file")
        yield file
