"""An OpenAI-compatible chat service on this machine, for tests: it judges by the content alone, and misbehaves when it
is told to."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PROBE = "weather"


def verdict(outcome: str, **more: object) -> str:
    return json.dumps({"outcome": outcome, **more})


def by_word(content: str, _number: int) -> str:
    return verdict("violates" if "cheat" in content or "vermin" in content else "allowed", confidence=0.9)


def slowly(seconds: float) -> Callable[[str, int], str]:
    """The same, after a while."""

    def answer(content: str, number: int) -> str:
        time.sleep(seconds)
        return by_word(content, number)

    return answer


@dataclass
class ChatService:
    """``answer``: (content, how many requests about it came before) to the text of the answer; ``faults``: what to do
    instead of the next answers: (status, headers), or seconds to sleep before a good one."""

    answer: Callable[[str, int], str] = by_word
    faults: list[tuple[int, Mapping[str, str]] | float] = field(default_factory=list)
    model: str = "served-1"
    choice: Mapping[str, object] = field(default_factory=dict)  # what every choice says besides
    seen: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    most: int = 0  # requests at once, at the most
    _now: int = 0

    @property
    def contents(self) -> list[str]:
        """What was asked about, probes left out."""
        told = [str(json.loads(body["messages"][1]["content"])["content"]) for body in self.seen]
        return [content for content in told if PROBE not in content]

    def reply(self, body: dict[str, Any], key: str) -> tuple[int, Mapping[str, str], dict[str, Any]]:
        content = str(json.loads(body["messages"][1]["content"])["content"])
        with self.lock:
            before = self.contents.count(content)
            self.seen.append(body)
            self.keys.append(key)
            self._now += 1
            self.most = max(self.most, self._now)
            fault = self.faults.pop(0) if self.faults and PROBE not in content else None
        try:
            if isinstance(fault, tuple):
                return *fault, {"error": {"code": "trouble", "message": content}}
            time.sleep(fault or 0.0)
            message = {"role": "assistant", "content": self.answer(content, before)}
            choice = {"index": 0, "message": message, "finish_reason": "stop", **self.choice}
            usage = {"prompt_tokens": 100, "completion_tokens": 10}
            return 200, {}, {"model": self.model, "choices": [choice], "usage": usage}
        finally:
            with self.lock:
                self._now -= 1


@contextmanager
def chat_service(**given: Any) -> Iterator[tuple[str, ChatService]]:
    """(address, service), as long as the block runs."""
    service = ChatService(**given)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, headers, told = service.reply(body, self.headers.get("Authorization", ""))
            content = json.dumps(told).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
