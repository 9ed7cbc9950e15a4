"""What the jobs on Label Studio itself do: put back what was edited there, and let go of screens that are lost."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import structlog

from api.composition import Goldfold
from api.jobs import steps
from labeling.errors import Conflict, InvalidInput, NotFound, StudioGone, StudioRefused
from labeling.studio.projects import ours
from labeling.studio.repair import repair_project

log = structlog.get_logger(__name__)

Json = dict[str, Any]


def repair(goldfold: Goldfold, project_id: int) -> Json:
    """Undo what was edited by hand in one project; what cannot be undone is its ``problem``."""
    found = steps.project_of(goldfold, project_id)
    try:
        policy = steps.policy_of(goldfold, found.policy_id, found.policy_version)
        done = repair_project(goldfold.studio, goldfold.ledger, found, policy, goldfold.links)
    except (StudioGone, StudioRefused, NotFound, InvalidInput) as error:
        log.warning("repair_problem", project=project_id, problem=str(error))
        return {"project_id": project_id, "form": False, "released": 0, "requeued": 0, "problem": str(error)}
    pulled = steps.told(done.pulled)
    return {**asdict(done), "pulled": pulled, "project_id": project_id, "problem": ""}


def forget_screens(goldfold: Goldfold, *, adopt: bool) -> Json:
    """Let go of every Label Studio project, so that what they held is sent anew. Raises Conflict where Label Studio
    holds projects of this installation, unless they are to be adopted."""
    there = ours(goldfold.studio, goldfold.settings.studio_owner)
    if there and not adopt:
        raise Conflict(
            f"Label Studio at {goldfold.studio.base_url} is not empty: it holds {len(there)} projects of "
            f"{goldfold.settings.studio_owner!r} (the first is {there[0].title!r}); delete them there, or adopt them, "
            "with the tasks and answers that are in them (goldfold studio rebuild --adopt)"
        )
    queued = goldfold.ledger.projects.forget_all()
    goldfold.ledger.audit.add("rebuild", "studio.rebuild", goldfold.studio.base_url, {"tasks": queued, "adopt": adopt})
    return {"queued": queued, "adopted": len(there)}
