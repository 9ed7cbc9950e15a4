"""Scores at once, nothing kept: /v1/score."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from api.auth import Role, require
from api.middleware import CLIENT_CLOSED
from api.online.rows import Given, ItemIn, ItemScores, answer, read, refused
from api.online.served import Served
from api.online.tickets import Verdict
from api.problems import documented
from api.routes.state import TheService
from configs.settings import Settings
from labeling.errors import InvalidInput
from labeling.judging.operating import under
from labeling.policies import Policies

PATH = "/v1/score"
router = APIRouter(prefix=PATH, tags=["score"], responses=documented(429, 503, 504))

EXAMPLE = {"items": [{"id": "comment-7", "text": "You people are vermin."}], "deadline_ms": 2000}
Rows = Annotated[list[Any], Field(min_length=1, json_schema_extra={"items": ItemIn.model_json_schema()})]


class ScoreRequest(BaseModel):
    """Texts to score. A bad one gets its own error and the others are scored."""

    model_config = ConfigDict(extra="forbid")

    items: Rows = Field(description="One object a text; the setting online_max_items bounds how many.")
    deadline_ms: int | None = Field(
        None, ge=1, description="Left out: the setting online_deadline_ms; online_max_deadline_ms bounds it."
    )


class Scored(BaseModel):
    """The model that scored all items. ``golden_version``: what it was trained on; null for a model that Goldfold did
    not train, such as the cold start's prototypes, whose figures are a ranking and no calibrated probability."""

    name: str
    version: str
    model_id: str | None
    golden_version: str | None


class PolicyUsed(BaseModel):
    """A policy as it was when the items were scored."""

    version: str
    threshold: float


class ScoreAnswer(BaseModel):
    """Items in the order of the request. ``model`` is null when no item could be given to one."""

    model: Scored | None
    policies: dict[str, PolicyUsed]
    items: list[ItemScores]


class _ClientGone(Exception):
    """Nobody waits for the answer any more."""


@router.post("", dependencies=[Depends(require(Role.VIEWER))], response_model=ScoreAnswer)
async def score(
    service: TheService, request: Request, given: Annotated[ScoreRequest, Body(examples=[EXAMPLE])]
) -> ScoreAnswer | Response:
    """Score texts now, with the scorer of the next round. Nothing is written."""
    settings, shelf = service.settings, service.goldfold.shelf.kept  # the worker looks for news, not the event loop
    deadline_s = request.state.began_s + _deadline_s(settings, given) - time.perf_counter()
    rows = [read(i, raw, shelf.now, settings.max_text_chars) for i, raw in enumerate(given.items)]
    texts = [row.item.text for row in rows if row.item is not None]
    try:
        verdict = await _unless_gone(request, service.online.score(texts, deadline_s)) if texts else None
    except _ClientGone:
        return Response(status_code=CLIENT_CLOSED)
    return _answer(verdict, rows, shelf.known)


def _deadline_s(settings: Settings, given: ScoreRequest) -> float:
    if len(given.items) > settings.online_max_items:
        raise InvalidInput(
            f"items: {len(given.items)} are more than {settings.online_max_items} (setting online_max_items); "
            "send them in parts"
        )
    deadline_ms = given.deadline_ms or settings.online_deadline_ms
    if deadline_ms > settings.online_max_deadline_ms:
        raise InvalidInput(
            f"deadline_ms: must be at most {settings.online_max_deadline_ms} (setting online_max_deadline_ms)"
        )
    return deadline_ms / 1000


async def _unless_gone(request: Request, work: Coroutine[Any, Any, Verdict[Served]]) -> Verdict[Served]:
    """The result of ``work``. Raises _ClientGone, the work cancelled, when the client goes away first."""
    task, gone = asyncio.ensure_future(work), asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise _ClientGone
    finally:
        for one in (task, gone):
            one.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


async def _gone(request: Request) -> None:
    """Returns when the client has closed the connection; its body has been read."""
    while (await request.receive())["type"] != "http.disconnect":
        continue


def _answer(verdict: Verdict[Served] | None, rows: list[Given], policies: Policies) -> ScoreAnswer:
    policies = under(verdict.judge.model if verdict else None, policies)
    found = iter(verdict.rows if verdict else ())
    items = [
        refused(row.id, row.error or "") if row.item is None else answer(number, row.item, next(found), policies)
        for number, row in enumerate(rows)
    ]
    if verdict is None:
        return ScoreAnswer(model=None, policies={}, items=items)
    scorer, model = verdict.judge.scorer, verdict.judge.model
    return ScoreAnswer(
        model=Scored(
            name=scorer.name,
            version=scorer.version,
            model_id=model.model_id if model else None,
            golden_version=model.golden_version if model else None,
        ),
        policies={p: PolicyUsed(version=policies[p].version, threshold=policies[p].threshold) for p in scorer.policies},
        items=items,
    )
