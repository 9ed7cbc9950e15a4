"""The HTTP server of a running service: its routes, its readiness checks, and uvicorn in front or in a thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from api.app import create_app
from api.routes import golden, items, jobs, models, rounds, tasks, webhooks
from api.routes.health import Check
from api.service import Service

ROUTERS = (items.router, rounds.router, tasks.router, golden.router, models.router, jobs.router)
OPEN_ROUTERS = (webhooks.router,)  # has a secret of its own
STARTUP_S = 30.0


def build_app(service: Service) -> FastAPI:
    """The app of a service."""
    app = create_app(service.goldfold, routers=ROUTERS, open_routers=OPEN_ROUTERS, checks=readiness(service))
    app.state.service = service
    return app


def readiness(service: Service) -> list[Check]:
    """What /readyz asks."""
    goldfold = service.goldfold
    return [
        Check("ledger", goldfold.ledger.items.count, "check ledger_url, and that its server runs"),
        Check("lake", goldfold.lake.snapshot, "check lake_uri and its rights"),
        Check("label studio", goldfold.studio_version, "check studio_url and studio_token, and that the server runs"),
    ]


def serve(service: Service) -> None:
    """Answer requests until the process is told to end."""
    settings = service.settings
    uvicorn.Server(_config(service, settings.host, settings.port)).run()


@contextmanager
def serving(service: Service) -> Iterator[None]:
    """Answer requests from a thread while the block runs. Raises RuntimeError when the server does not come up."""
    settings = service.settings
    server = uvicorn.Server(_config(service, settings.host, settings.port))
    thread = threading.Thread(target=server.run, name="goldfold-http", daemon=True)
    thread.start()
    waited = threading.Event()
    for _ in range(int(STARTUP_S / 0.05)):
        if server.started or not thread.is_alive():
            break
        waited.wait(0.05)
    if not server.started:
        raise RuntimeError(f"the service did not come up on {settings.host}:{settings.port}")
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(timeout=STARTUP_S)


def _config(service: Service, host: str, port: int) -> uvicorn.Config:
    return uvicorn.Config(
        build_app(service), host=host, port=port, log_config=None, access_log=False, server_header=False
    )
