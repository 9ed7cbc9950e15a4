"""The job that scores every item with a new champion.

Ledger and jobs' database share no transaction, so whoever crowns a champion may die before its job is known. The
transaction that crowns therefore owes the job by its id (``Models.promote``); whoever runs jobs begins it, under that
id, and then it is owed no more. Done twice, it is one job.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog

from api.composition import Goldfold
from api.jobs.records import Job, Json
from api.requests import score_request
from labeling.model_records import owed_rescore

log = structlog.get_logger(__name__)

Submit = Callable[[str, str, Json], Job]  # kind, id and request, as JobRuntime.submit


def begin_rescore(goldfold: Goldfold, submit: Submit, model_id: str, job_id: str) -> Job:
    """Begin the job that a promotion or a rollback owes. Raises what ``submit`` does; then it stays owed."""
    job = submit("score", job_id, score_request(None))
    goldfold.ledger.models.rescore_begun(model_id, job_id)
    return job


def begin_owed(goldfold: Goldfold, submit: Submit) -> None:
    """Begin what a process owed that died before it could. Cheap where nothing is owed."""
    champion = goldfold.ledger.models.champion()
    job_id = "" if champion is None else owed_rescore(champion)
    if champion is not None and job_id:
        begin_rescore(goldfold, submit, champion.model_id, job_id)
        log.info("owed_rescore_begun", job=job_id, model=champion.model_id)
