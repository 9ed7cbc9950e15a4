"""The door of online scoring: under overload a request is turned away before anything is done for it."""

from __future__ import annotations

from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from api import problems
from api.errors import QueueFull


class Door:
    """Answers a POST to ``path`` with 429 while ``turn_away`` gives a reason to; before its key is looked at and its
    body read, so that what is refused costs next to nothing. Who is let in may still be refused by the queue, which
    knows how much is asked. Strangers take no room in that queue, so that they turn away nobody."""

    def __init__(self, app: ASGIApp, path: str, turn_away: Callable[[], QueueFull | None]) -> None:
        self.app = app
        self.path = path
        self._turn_away = turn_away

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = scope["type"] == "http" and scope["method"] == "POST" and scope["path"] == self.path
        refusal = self._turn_away() if asked else None
        if refusal is None:
            await self.app(scope, receive, send)
            return
        scope["route"] = self  # by its path the log and the figures name the request
        await problems.known(self.path, scope["state"]["request_id"], refusal)(scope, receive, send)
