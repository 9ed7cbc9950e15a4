"""A promotion that dies before its rescore job is known: whoever runs jobs next begins it, once."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from api.jobs.records import Job
from api.jobs.rescoring import begin_rescore
from api.jobs.runtime import JobRuntime
from labeling.errors import StoreError
from labeling.model_records import Model, ModelState, owed_rescore
from labeling.scorebook import score_group
from labeling.store.models import SqlModels
from scoring.head import Head
from tests.api.site import NOW, WordGoldfold, running, score_all, settings, stock

COUNT = 12
LIMIT_S = 60.0
FORKSERVER = multiprocessing.get_context("forkserver")


def site(folder: Path) -> WordGoldfold:
    """Scored items, and two candidates: ``one``, which judges the other way round, and ``two``, which is cold again."""
    goldfold = WordGoldfold(settings(folder))
    stock(goldfold, COUNT)
    score_all(goldfold)
    cold = goldfold.prototypes
    turned = Head(cold.policies, -cold.weights, cold.bias, cold.platt, cold.sources, cold.encoder_version)
    for name, head in (("one", turned), ("two", cold)):
        head.save(goldfold.models_dir / name)
        path = str(goldfold.models_dir / name)
        goldfold.ledger.models.add(Model(name, head.version, "1.0.0", path, ModelState.CANDIDATE, {}, NOW))
    return goldfold


def promote_and_die(folder: str, point: str) -> None:
    """A process that promotes as the route does, and is killed at ``point``."""
    goldfold = WordGoldfold(settings(Path(folder)))  # in the same slot as who comes after it, which takes over at once
    with running(goldfold) as jobs:
        if point == "job begun":
            SqlModels.rescore_begun = lambda *_: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[method-assign]
        model = goldfold.promote("one", "lea", rescore="rescore-1")
        if point == "crowned":
            os.kill(os.getpid(), signal.SIGKILL)
        begin_rescore(goldfold, jobs.submit, model.model_id, "rescore-1")


@pytest.mark.slow
@pytest.mark.parametrize("point", ["crowned", "job begun"])
def test_a_promotion_that_was_killed_is_rescored_all_the_same(tmp_path: Path, point: str) -> None:
    site(tmp_path).close()
    process = FORKSERVER.Process(target=promote_and_die, args=(str(tmp_path), point))
    process.start()
    process.join(LIMIT_S)
    assert process.exitcode == -signal.SIGKILL
    goldfold = WordGoldfold(settings(tmp_path))
    champion = goldfold.ledger.models.get("one")
    assert (champion.state, owed_rescore(champion)) == (ModelState.CHAMPION, "rescore-1")
    with running(goldfold) as jobs:
        wait_for(jobs, "rescore-1")
        assert owed_rescore(goldfold.ledger.models.get("one")) == ""
    scorer = goldfold.scorer()
    assert goldfold.lake.count(score_group(scorer)) == COUNT
    with running(goldfold) as jobs:  # nothing is owed any more
        assert [job.job_id for job in jobs.all()] == ["rescore-1"]
    goldfold.close()


def wait_for(jobs: JobRuntime, job_id: str) -> None:
    """Until it is done, whoever began it."""
    until = time.monotonic() + LIMIT_S
    while jobs.get(job_id).state != "done":
        assert time.monotonic() < until, jobs.get(job_id)
        time.sleep(0.1)


def test_who_runs_jobs_beside_it_begins_what_another_process_owes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.jobs.runtime.BEAT_S", 0.05)
    goldfold = site(tmp_path)
    with running(goldfold) as jobs:
        goldfold.promote("one", "lea", rescore="rescore-1")  # and its process is gone
        until = time.monotonic() + LIMIT_S
        while owed_rescore(goldfold.ledger.models.get("one")):
            assert time.monotonic() < until
            time.sleep(0.05)
        assert jobs.result("rescore-1")["scored"] == COUNT
        goldfold.promote("two", "lea", "a try")  # which owes nothing
    assert [job.job_id for job in _jobs(goldfold)] == ["rescore-1"]
    goldfold.close()


def _jobs(goldfold: WordGoldfold) -> list[Job]:
    with running(goldfold) as jobs:
        return list(jobs.all())


def test_a_job_that_cannot_be_begun_stays_owed(tmp_path: Path) -> None:
    def full(*_: object) -> None:
        raise StoreError("disk full")

    goldfold = site(tmp_path)
    goldfold.promote("one", "lea", rescore="rescore-1")
    with pytest.raises(StoreError):
        begin_rescore(goldfold, full, "one", "rescore-1")  # type: ignore[arg-type]
    assert owed_rescore(goldfold.ledger.models.get("one")) == "rescore-1"
    goldfold.close()
