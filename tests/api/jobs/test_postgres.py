"""The jobs and the ledger on a real PostgreSQL, as in production."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.jobs.errors import JobFailed
from tests.api.site import WordGoldfold, running, settings, stock
from tests.postgres import PostgresServer

pytestmark = pytest.mark.postgres


def test_jobs_run_once_and_go_on_in_the_next_process(tmp_path: Path, postgres: PostgresServer) -> None:
    with postgres.database() as ledger_url, postgres.database() as jobs_url:
        given = settings(tmp_path, ledger_url=ledger_url, jobs_url=jobs_url)
        goldfold = WordGoldfold(given)
        stock(goldfold, 12)
        with running(goldfold) as jobs:
            jobs.submit("score", "score-1", {})
            assert jobs.result("score-1")["scored"] == 12
            jobs.submit("train", "model-1", {"model_id": "model-1", "golden_version": "1.0.0", "seed": 0})
            with pytest.raises(JobFailed, match=r"1\.0\.0"):
                jobs.result("model-1")
        goldfold.close()
        again = WordGoldfold(given)
        with running(again) as jobs:
            assert jobs.submit("score", "score-1", {}).state == "done"
            assert jobs.result("score-1")["scored"] == 12
            assert {job.job_id: job.state for job in jobs.all()} == {"score-1": "done", "model-1": "failed"}
        again.close()
