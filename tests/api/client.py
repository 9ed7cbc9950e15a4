"""How tests talk to an app: in process, over ASGI; and the assertions that hold for every route."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from typing import Any

import httpx
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from api.auth import Role, make_key
from api.problems import MEDIA_TYPE
from configs.settings import Settings
from labeling.store.interfaces import Ledger

OPEN = frozenset(
    {
        "/",
        "/healthz",
        "/readyz",
        "/v1/webhooks/label-studio",
        "/media/{token}",
        *(f"/ml/{name}" for name in ("health", "setup", "versions", "predict", "webhook")),
    }
)


def call(app: FastAPI, method: str, path: str, *, key: str | None = None, **more: Any) -> httpx.Response:
    """One request to the app, with ``key`` as its bearer token; exceptions that leave the app are raised here."""
    headers = dict(more.pop("headers", {}))
    if key is not None:
        headers["Authorization"] = f"Bearer {key}"

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://goldfold.test") as client:
            return await client.request(method, path, headers=headers, **more)

    return asyncio.run(send())


def assert_problem(response: httpx.Response, status: int, detail: str = "") -> dict[str, Any]:
    """The answer is a problem with that status whose detail matches the pattern; returns its body."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == MEDIA_TYPE
    body: dict[str, Any] = response.json()
    assert set(body) == {"type", "title", "status", "detail", "instance", "request_id", "problems"}
    assert body["status"] == status
    assert body["request_id"] == response.headers["x-request-id"]
    assert body["detail"]
    assert re.search(detail, body["detail"]), body["detail"]
    return body


def routes(app: FastAPI) -> list[tuple[str, str]]:
    """Every (method, path template) of the app; a mount or a websocket comes as method ``?``. Not the console's, which
    answers people and has tests of its own."""
    found = []
    for route in iter_route_contexts(app.routes):
        if route.path == "/console":
            continue
        methods = getattr(route, "methods", None) or {"?"}
        found += [(method, str(route.path)) for method in methods if method != "HEAD"]
    return sorted(found)


def answers_without_key(app: FastAPI) -> list[str]:
    """``METHOD /path`` of each route that does not refuse a request without a key, or with a wrong one."""
    bad = []
    for method, path in routes(app):
        concrete = re.sub(r"\{[^}]*\}", "1", path)
        for key in (None, "gf_" + "0" * 12 + "_" + "a" * 43):
            if method == "?" or call(app, method, concrete, key=key).status_code != 401:
                bad.append(f"{method} {path}")
                break
    return bad


@dataclass
class Shell:
    """What the app's shell needs of Goldfold, and a key's plaintext by role."""

    settings: Settings
    ledger: Ledger
    keys: dict[Role, str] = field(default_factory=dict)

    def give_key(self, role: Role) -> str:
        key, self.keys[role] = make_key(f"test {role}", role)
        self.ledger.keys.add(key)
        return self.keys[role]
