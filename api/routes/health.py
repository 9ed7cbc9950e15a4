"""Is it alive, is it ready, how is it doing: /healthz, /readyz, /metrics."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import anyio
import anyio.to_thread
import structlog
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict

from api.errors import NotReady
from api.metrics import CONTENT_TYPE
from api.problems import documented

CHECK_TIMEOUT_S = 5.0
FRESH_S = 2.0  # /readyz is open: however often it is asked, the checks run this seldom

log = structlog.get_logger("api")


@dataclass(frozen=True, slots=True)
class Check:
    """Something the service needs. ``run`` raises when it is missing; ``cure`` tells anybody what to do about it,
    in words without secrets, paths or addresses, since /readyz is open."""

    name: str
    run: Callable[[], object]
    cure: str


class Readiness:
    """Runs the checks side by side, each under a time limit, at most once every ``FRESH_S`` seconds."""

    def __init__(
        self, checks: Sequence[Check], *, timeout_s: float = CHECK_TIMEOUT_S, fresh_s: float = FRESH_S
    ) -> None:
        self.checks = tuple(checks)
        self._timeout_s = timeout_s
        self._fresh_s = fresh_s
        self._lock = anyio.Lock()
        self._asked_at = float("-inf")
        self._failing: tuple[Check, ...] = ()

    async def failing(self) -> tuple[Check, ...]:
        """The checks that fail, in their order."""
        async with self._lock:
            if time.monotonic() - self._asked_at >= self._fresh_s:
                self._failing = await self._run()
                self._asked_at = time.monotonic()
            return self._failing

    async def _run(self) -> tuple[Check, ...]:
        failed: set[str] = set()

        async def run(check: Check) -> None:
            try:
                with anyio.fail_after(self._timeout_s):
                    await anyio.to_thread.run_sync(check.run, abandon_on_cancel=True)
            except Exception as error:  # whatever goes wrong in a check is its answer; the log keeps the reason
                failed.add(check.name)
                log.warning("not ready", check=check.name, error=type(error).__name__, detail=str(error))

        async with anyio.create_task_group() as group:
            for check in self.checks:
                group.start_soon(run, check)
        return tuple(check for check in self.checks if check.name in failed)


class Alive(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": {"status": "alive"}})

    status: str = "alive"


class Ready(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": {"status": "ready", "checks": ["ledger", "lake"]}})

    status: str = "ready"
    checks: list[str]


open_router = APIRouter(tags=["health"])
router = APIRouter(tags=["health"])


@open_router.get("/healthz", summary="Is the process alive?")
async def healthz() -> Alive:
    """Answers as long as the process does; asks nobody else."""
    return Alive()


@open_router.get("/readyz", summary="Is everything there that the service needs?", responses=documented(503))
async def readyz(request: Request) -> Ready:
    """503 names each thing that is missing, and its cure."""
    readiness: Readiness = request.app.state.readiness
    failing = await readiness.failing()
    if failing:
        names = ", ".join(check.name for check in failing)
        raise NotReady(f"not ready: {names}", tuple(f"{check.name}: {check.cure}" for check in failing))
    return Ready(checks=[check.name for check in readiness.checks])


@router.get(
    "/metrics",
    summary="Figures for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"example": "goldfold_http_requests_total{...} 1.0"}}}},
)
def metrics(request: Request) -> Response:
    """Prometheus' text format."""
    return Response(request.app.state.metrics.render(), media_type=CONTENT_TYPE)
