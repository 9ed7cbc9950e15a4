"""Label Studio's webhooks as a hint: "something changed, pull now". They are sent at most once, so nothing may depend
on one; the shared secret in a header only keeps strangers from making Goldfold pull."""

from __future__ import annotations

import hmac

from labeling.errors import InvalidInput, StudioRefused
from labeling.studio.client import StudioClient
from labeling.studio.transport import ServerFailed

SECRET_HEADER = "X-Goldfold-Secret"  # noqa: S105 - the header's name
ACTIONS = (
    "ANNOTATION_CREATED",
    "ANNOTATIONS_CREATED",
    "ANNOTATION_UPDATED",
    "ANNOTATIONS_DELETED",
    "TASKS_DELETED",
)


def ensure_webhook(client: StudioClient, project_id: int, url: str, secret: str) -> str:
    """Point the project's webhook to ``url``; "" when it does, else why not (a sentence for the operator).

    A refusal is no error: the regular pull sees everything a webhook would have told. Stale hooks of ours (another
    address or secret) are corrected or removed; other people's are left alone. Unauthorized, gone and unreachable
    are raised as everywhere.
    """
    if not secret or not secret.isascii() or not secret.isprintable():
        raise InvalidInput("webhook_secret: must be printable ASCII, and not empty")
    ours = [hook for hook in client.hooks(project_id) if hook.url == url or SECRET_HEADER in hook.headers]
    headers = {SECRET_HEADER: secret}
    try:
        if not ours:
            client.create_hook(project_id, url, ACTIONS, headers)
        elif not (
            ours[0].url == url and ours[0].headers == headers and ours[0].actions == set(ACTIONS) and ours[0].active
        ):
            client.update_hook(ours[0].hook_id, url, ACTIONS, headers)
    except (StudioRefused, ServerFailed) as error:  # it answers 500 for a host it cannot resolve
        return (
            f"no webhook for project {project_id}, so answers arrive with the regular pull only: {error}. "
            "Label Studio blocks private addresses unless USER_ADDITIONAL_BANNED_SUBNETS says otherwise, and wants a "
            "host with a dot, localhost or an IP"
        )
    for hook in ours[1:]:
        client.delete_hook(hook.hook_id)
    return ""


def is_authentic(given: str | None, secret: str) -> bool:
    """Whether a request's ``SECRET_HEADER`` holds the shared secret; compares in constant time."""
    return given is not None and hmac.compare_digest(given.encode(), secret.encode())
