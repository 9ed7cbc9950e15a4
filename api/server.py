"""The HTTP server of a running service: its routes, its readiness checks, and uvicorn in front or in a thread."""

from __future__ import annotations

import gc
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from types import FrameType

import anyio.to_thread
import uvicorn
from fastapi import FastAPI
from fastapi.responses import RedirectResponse
from starlette.middleware import Middleware
from starlette.types import Lifespan

from api.app import create_app
from api.console import app as console
from api.console.kept import Answers
from api.errors import NotReady
from api.online.door import Door
from api.routes import (
    anchoring,
    causes,
    coverage,
    decisions,
    erasures,
    gates,
    golden,
    golden_items,
    golden_versions,
    injections,
    items,
    jobs,
    judgements,
    leads,
    media,
    ml,
    models,
    objections,
    patterns,
    people,
    policies,
    policy_effects,
    policy_proposals,
    qa,
    roster,
    rounds,
    score,
    signals,
    sops,
    stops,
    tasks,
    trends,
    webhooks,
    weekly,
    yields,
)
from api.routes.health import Check
from api.service import Service

ROUTERS = (
    items.router,
    score.router,
    rounds.router,
    trends.router,
    yields.router,
    gates.router,
    gates.population,
    tasks.router,
    stops.router,
    leads.router,
    people.router,
    objections.router,
    patterns.router,
    roster.router,
    injections.router,
    anchoring.router,
    decisions.router,
    qa.router,
    causes.router,
    causes.actions,
    coverage.router,
    weekly.router,
    signals.router,
    signals.interception,
    signals.kpi,
    golden.router,
    sops.router,
    golden_items.router,
    golden_versions.router,
    erasures.router,
    policies.router,
    policy_effects.router,
    policy_proposals.router,
    models.router,
    judgements.router,
    jobs.router,
)
OWN_ROUTERS = (people.own, objections.own)
OPEN_ROUTERS = (webhooks.router, media.router, ml.router)  # have secrets of their own
STARTUP_S = 30.0
DRAIN_S = 3  # how long the end waits for answers under way; streams of events end with it
BACKLOG = 2048
SWITCH_S = 0.0005  # the model's thread takes the interpreter back after each operation, and waits this long for it


def build_app(service: Service) -> FastAPI:
    """The app of a service, the console mounted."""
    answers = Answers()
    app = create_app(
        service.goldfold,
        routers=ROUTERS,
        own_routers=OWN_ROUTERS,
        open_routers=OPEN_ROUTERS,
        checks=readiness(service),
        gates=[Middleware(Door, path=score.PATH, turn_away=service.online.turn_away)],
        lifespan=_closing(answers),
    )
    app.state.service = service
    app.state.answers = answers
    app.mount(console.PATH, console.console_app(service, app, answers))
    app.add_api_route("/", _to_the_console, include_in_schema=False)
    app.state.metrics.registry.register(service.online.figures)
    return app


def _to_the_console() -> RedirectResponse:
    return RedirectResponse(f"{console.PATH}/", status_code=303)


def _closing(answers: Answers) -> Lifespan[FastAPI]:
    """The console computes nothing any more when the app ends."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await anyio.to_thread.run_sync(answers.close)

    return lifespan


def readiness(service: Service) -> list[Check]:
    """What /readyz asks."""
    goldfold = service.goldfold
    return [
        Check("ledger", goldfold.ledger.items.count, "check ledger_url, and that its server runs"),
        Check("lake", goldfold.lake.snapshot, "check lake_uri and its rights"),
        Check("jobs", service.check, "check jobs_url; if that is well, start the service again: its log says why"),
        Check("online scorer", service.online.check, "start the service again: its accelerator broke, or it stalled"),
        Check("label studio", goldfold.studio_version, "check studio_url and studio_token, and that the server runs"),
    ]


def serve(service: Service, ready: Callable[[], None]) -> None:
    """Answer requests until the process is told to end (SIGINT, SIGTERM); ``ready`` is called once it listens.

    Only for the main thread. Raises NotReady when it cannot listen; SystemExit(0) on SIGTERM, which uvicorn passes on
    when its own end is done, so that what surrounds this call is closed as well.
    """
    listener = _listen(service)
    before, switch_s = signal.signal(signal.SIGTERM, _end), sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_S)
    try:
        settle_heap()
        ready()
        uvicorn.Server(_config(service)).run([listener])
    finally:
        listener.close()
        gc.unfreeze()
        sys.setswitchinterval(switch_s)
        signal.signal(signal.SIGTERM, before)


def settle_heap() -> None:
    """Leave what is there by now, half a million objects of modules, out of every look for cycles. Whoever builds many
    objects is looked at often: reading 50,000 adjudications takes less than half as long."""
    gc.collect()
    gc.freeze()


@contextmanager
def serving(service: Service) -> Iterator[None]:
    """Answer requests from a thread while the block runs. Raises NotReady when the server does not come up."""
    listener = _listen(service)
    server = uvicorn.Server(_config(service))
    thread = threading.Thread(target=server.run, args=([listener],), name="goldfold-http", daemon=True)
    thread.start()
    waited = threading.Event()
    for _ in range(int(STARTUP_S / 0.05)):
        if server.started or not thread.is_alive():
            break
        waited.wait(0.05)
    try:
        if not server.started:
            raise NotReady(f"the service did not come up on {_where(service)}; its log says why")
        yield
    finally:
        server.should_exit = True
        thread.join(timeout=STARTUP_S)
        listener.close()


def _end(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


def _where(service: Service) -> str:
    return f"{service.settings.host}:{service.settings.port}"


def _listen(service: Service) -> socket.socket:
    """Taken before uvicorn starts: it would end the process instead of saying what is wrong."""
    host, port = service.settings.host, service.settings.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise NotReady(
            f"cannot listen on {_where(service)} ({error.strerror}); set host or port to another one"
        ) from error


def _config(service: Service) -> uvicorn.Config:
    return uvicorn.Config(
        build_app(service),
        log_config=None,  # api.logs does it, once, for everything
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_S,
    )
