"""Label Studio's webhook: it only says "pull now". What it claims is not believed, so its body is not read."""

from __future__ import annotations

from fastapi import APIRouter, Request, status
from pydantic import BaseModel

from api.errors import Unauthenticated
from api.problems import documented
from api.routes.state import TheService
from labeling.studio.webhooks import SECRET_HEADER, is_authentic

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"], responses=documented(401))


class Heard(BaseModel):
    """The hint was heard; the sweep comes by itself."""

    status: str = "heard"


@router.post("/label-studio", status_code=status.HTTP_202_ACCEPTED)
async def label_studio(request: Request, service: TheService) -> Heard:
    """Something changed in Label Studio. Needs the shared secret in its header; closed while none is set."""
    secret = service.settings.studio_webhook_secret.get_secret_value()
    if not secret or not is_authentic(request.headers.get(SECRET_HEADER), secret):
        raise Unauthenticated(f"the header {SECRET_HEADER} does not hold the webhook's secret")
    service.sweep.hint()
    return Heard()
