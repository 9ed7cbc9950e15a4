"""The wire to a Label Studio, which can be cut and mended: what a network or a server that goes away looks like."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from urllib.parse import urlsplit


class Wire:
    """Passes every connection on to a server. Cut, it drops those that are open and refuses new ones. It cuts itself
    when the server answers a request whose bytes hold ``lose``: the request was carried out, its answer is lost."""

    def __init__(self, base_url: str) -> None:
        parts = urlsplit(base_url)
        self._there = (str(parts.hostname), int(parts.port or 80))
        self._listener: socket.socket | None = None
        self.lose = b""
        self._losing = threading.Event()
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._port = 0
        self.mend()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def mend(self) -> None:
        """Listen, always at the same address."""
        listener = socket.create_server(("127.0.0.1", self._port))
        self._port = listener.getsockname()[1]
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def cut(self) -> None:
        """Drop everything; doing so twice changes nothing."""
        with self._lock:
            if self._listener is not None:
                _shut(self._listener)
            self._listener = None
            for end in self._open:
                _shut(end)
            self._open.clear()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                here, _ = listener.accept()
                there = socket.create_connection(self._there)
            except OSError:
                return
            with self._lock:
                self._open |= {here, there}
            threading.Thread(target=self._pass, args=(here, there, self._ask), daemon=True).start()
            threading.Thread(target=self._pass, args=(there, here, self._answer), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, look: Callable[[bytes], bool]) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if not look(data):
                    break
                target.sendall(data)
        _shut(target)

    def _ask(self, data: bytes) -> bool:
        if self.lose and self.lose in data:
            self._losing.set()
        return True

    def _answer(self, _data: bytes) -> bool:
        if not self._losing.is_set():
            return True
        self.lose = b""
        self._losing.clear()
        self.cut()
        return False


def _shut(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
