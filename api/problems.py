"""The one shape of every failure: RFC 9457 problem+json, and the handlers that make it.

Nobody gets a traceback or the text of an unexpected exception: those are logged under the request id that the
answer carries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from functools import cache
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from api.errors import ROOTS, ApiError, Unauthenticated, slug, status_of

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:goldfold:problem:"
INVALID_REQUEST = "invalid-request"
EXAMPLE: dict[str, Any] = {
    "type": f"{TYPE_PREFIX}budget-too-large",
    "title": "Budget too large",
    "status": 422,
    "detail": "budget: 500 picks were asked for, but the frame holds 312 pairs",
    "instance": "/v1/rounds",
    "request_id": "0d9c0a2f4f0f4e1b8a0f3c2d1e0b9a87",
    "problems": [],
}

log = structlog.get_logger("api")


class Problem(BaseModel):
    """A failure as every route tells it (RFC 9457)."""

    model_config = ConfigDict(json_schema_extra={"example": EXAMPLE})

    type: str = Field(description="What kind of problem; docs/errors.md lists them. about:blank: the status says it.")
    title: str = Field(description="The kind, in words; the same for each occurrence.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="One sentence about this occurrence that the reader can act on.")
    instance: str = Field(description="Path of the request.")
    request_id: str = Field(description="Also in the header X-Request-ID and in the service's log.")
    problems: list[str] = Field(
        default_factory=list, description="Every single thing found wrong, naming field or row."
    )


class ProblemResponse(JSONResponse):
    media_type = MEDIA_TYPE


def problem(
    path: str,
    request_id: str,
    status: int,
    detail: str,
    *,
    kind: str | None = None,
    problems: Sequence[str] = (),
    headers: Mapping[str, str] | None = None,
) -> ProblemResponse:
    """A problem as a response. Without a ``kind`` its type is about:blank and its title the status' own phrase."""
    body = Problem(
        type=TYPE_PREFIX + kind if kind else "about:blank",
        title=kind.replace("-", " ").capitalize() if kind else HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        instance=path,
        request_id=request_id,
        problems=list(problems),
    )
    return ProblemResponse(body.model_dump(), status_code=status, headers=dict(headers or {}))


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI's ``responses`` for these statuses, each a problem."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": deepcopy(_schema())}},
        }
        for status in statuses
    }


@cache
def _schema() -> dict[str, Any]:
    return Problem.model_json_schema()


def install(app: FastAPI) -> None:
    """Make every failure of the app a problem."""
    for root in ROOTS:
        app.add_exception_handler(root, _known)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


def request_id(request: Request) -> str:
    """The id under which this request is logged."""
    return str(getattr(request.state, "request_id", ""))


def known(path: str, request_id: str, error: Exception) -> ProblemResponse:
    """An error of a room as a problem: its message is meant for the reader."""
    return problem(
        path,
        request_id,
        status_of(type(error)),
        str(error),
        kind=slug(type(error)),
        problems=getattr(error, "problems", ()),
        headers=_headers(error),
    )


async def _known(request: Request, error: Exception) -> ProblemResponse:
    if status_of(type(error)) >= 500:
        log.warning("request failed", error=type(error).__name__, detail=str(error))
    return known(request.url.path, request_id(request), error)


def _headers(error: Exception) -> dict[str, str]:
    headers = {"WWW-Authenticate": "Bearer"} if isinstance(error, Unauthenticated) else {}
    if isinstance(error, ApiError) and error.retry_after_s is not None:
        headers["Retry-After"] = str(error.retry_after_s)
    return headers


async def _invalid(request: Request, error: Exception) -> ProblemResponse:
    """A request that does not fit its route: name each field, never repeat its value."""
    found = error.errors() if isinstance(error, RequestValidationError) else []
    problems = [f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in found]
    detail = "; ".join(problems[:5]) + (f"; and {len(problems) - 5} more" if len(problems) > 5 else "")
    return problem(request.url.path, request_id(request), 422, detail, kind=INVALID_REQUEST, problems=problems)


async def _http(request: Request, error: Exception) -> ProblemResponse:
    """An HTTP failure of the framework: no such route, wrong method, body too large."""
    if not isinstance(error, HTTPException):  # the handler is installed for this class only
        raise error
    path = request.url.path
    detail = {
        404: f"there is no {path}; /openapi.json lists the routes",
        405: f"{path} does not take {request.method}",
    }.get(error.status_code, "")
    if not detail or error.detail != HTTPStatus(error.status_code).phrase:
        detail = error.detail
    return problem(path, request_id(request), error.status_code, detail, headers=error.headers)
