"""What a route may use of the running service. These wait for nothing, so they are async and ask for no thread."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from api.composition import Goldfold
from api.jobs.runtime import JobRuntime
from api.service import Service


async def service(request: Request) -> Service:
    """The service this app was made for."""
    found = request.app.state.service
    if not isinstance(found, Service):
        raise TypeError("the app was made without a running service")
    return found


async def _goldfold(found: Annotated[Service, Depends(service)]) -> Goldfold:
    return found.goldfold


async def _jobs(found: Annotated[Service, Depends(service)]) -> JobRuntime:
    return found.jobs


TheService = Annotated[Service, Depends(service)]
TheGoldfold = Annotated[Goldfold, Depends(_goldfold)]
TheJobs = Annotated[JobRuntime, Depends(_jobs)]
