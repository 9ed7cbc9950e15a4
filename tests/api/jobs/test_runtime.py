"""The runtime with real DBOS on SQLite. The steps are replaced where a test must hold or break one."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from api.jobs import runtime as runtime_module
from api.jobs import steps, workflows
from api.jobs.errors import JobCancelled, JobConflict, JobError, JobFailed, JobUnknown
from api.jobs.progress import tick
from api.jobs.records import Job
from api.jobs.running import RUNS, STEPS
from api.jobs.runtime import JobRuntime
from api.jobs.slots import ExecutorSlot
from labeling.errors import InvalidInput, StoreError, StudioUnreachable
from labeling.settle import SettleReport
from tests.api.site import WordGoldfold, running, settings, stock
from tests.postgres import PostgresServer

LIMIT_S = 20.0
SETTLED = asdict(SettleReport())


@pytest.fixture
def goldfold(tmp_path: Path) -> Iterator[WordGoldfold]:
    made = WordGoldfold(settings(tmp_path))
    yield made
    made.close()


@pytest.fixture
def jobs(goldfold: WordGoldfold) -> Iterator[JobRuntime]:
    with running(goldfold) as runtime:
        yield runtime


class Gate:
    """A step that says it has begun, and ends when it is let go."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.go = threading.Event()
        self.times = 0
        self.at_once = 0
        self.most_at_once = 0

    def __call__(self, *_: object, **__: object) -> list[dict[str, Any]]:
        self.times += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.begun.set()
        held = self.go.wait(LIMIT_S)
        self.at_once -= 1
        if not held:
            raise TimeoutError("nobody let the step go")
        return []


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """The first step of ``sync`` waits; its others do nothing."""
    made = Gate()
    monkeypatch.setattr(steps, "projects", made)
    monkeypatch.setattr(steps, "settle", lambda _goldfold: SETTLED)
    yield made
    made.go.set()


def ended(jobs: JobRuntime, job_id: str) -> Job:
    """The job's last form."""
    return list(jobs.follow(job_id))[-1]


def until(true: Callable[[], bool]) -> None:
    """Wait for something that another thread does."""
    for _ in range(int(LIMIT_S / 0.05)):
        if true():
            return
        threading.Event().wait(0.05)
    raise AssertionError("it did not come to be")


def test_a_job_runs_and_says_how_far_it_is(goldfold: WordGoldfold, jobs: JobRuntime) -> None:
    stock(goldfold, 5)
    seen: list[Job] = []
    submitted = jobs.submit("score", "score-1", {})
    assert (submitted.job_id, submitted.kind) == ("score-1", "score")
    result = jobs.result("score-1", seen.append)
    assert (result["scored"], result["failed"]) == (5, 0)
    assert seen[-1].state == "done"
    assert seen[-1].progress == {"stage": "score", "done": 5, "total": 5}
    assert seen[-1].result == result
    assert seen[-1].updated_at_s >= seen[-1].created_at_s > 1.7e9
    assert [job.job_id for job in jobs.all()] == ["score-1"]


def test_the_same_id_twice_is_one_job(jobs: JobRuntime, gate: Gate) -> None:
    gate.go.set()
    for _ in range(2):
        jobs.submit("sync", "sync-1", {"full": False})
        assert jobs.result("sync-1")["events"] == 0
    assert gate.times == 1


def test_many_threads_submit_one_job(jobs: JobRuntime, gate: Gate) -> None:
    said: list[object] = []

    def submit(full: bool) -> None:
        try:
            said.append(jobs.submit("sync", "sync-1", {"full": full}))
        except JobConflict as error:
            said.append(error)

    threads = [threading.Thread(target=submit, args=(n % 2 == 0,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gate.go.set()
    jobs.result("sync-1")
    assert gate.times == 1
    assert sum(isinstance(one, Job) for one in said) == 4
    assert sum(isinstance(one, JobConflict) for one in said) == 4


@pytest.mark.parametrize(("kind", "request_"), [("sync", {"full": True}), ("score", {"full": False})])
def test_an_id_that_means_something_else_is_a_conflict(
    jobs: JobRuntime, gate: Gate, kind: str, request_: dict[str, Any]
) -> None:
    gate.go.set()
    jobs.submit("sync", "sync-1", {"full": False})
    with pytest.raises(JobConflict, match="'sync-1' is taken by another job"):
        jobs.submit(kind, "sync-1", request_)


@pytest.mark.parametrize("job_id", ["", "ab", "../../etc", "a b c", "x" * 101, "-abc"])
def test_an_id_that_is_none_is_refused(jobs: JobRuntime, job_id: str) -> None:
    with pytest.raises(InvalidInput, match=r"^id: "):
        jobs.submit("score", job_id, {})
    assert jobs.all() == []


def test_an_unknown_job_is_named(jobs: JobRuntime) -> None:
    for ask in (jobs.get, jobs.cancel, jobs.again, jobs.forget, jobs.result, lambda job_id: list(jobs.follow(job_id))):
        with pytest.raises(JobUnknown, match="no job has the id 'nobody'"):
            ask("nobody")


def test_a_failed_job_started_again_goes_on_at_the_step_that_failed(
    jobs: JobRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []
    broken = True

    def projects(_goldfold: object) -> list[dict[str, Any]]:
        ran.append("projects")
        return []

    def settle(_goldfold: object) -> dict[str, Any]:
        ran.append("settle")
        if broken:
            raise StoreError("the ledger is away")
        return SETTLED

    monkeypatch.setattr(steps, "projects", projects)
    monkeypatch.setattr(steps, "settle", settle)
    jobs.submit("sync", "sync-1", {"full": False})
    with pytest.raises(JobFailed, match=r"^the ledger is away$") as failed:
        jobs.result("sync-1")
    assert failed.value.cause == "StoreError"
    assert jobs.get("sync-1").state == "failed"
    assert "the ledger is away" in str(jobs.get("sync-1").error)
    broken = False
    jobs.again("sync-1")  # as it was asked
    assert jobs.result("sync-1")["settled"] == 0
    assert ran == ["projects", "settle", "settle"]
    with pytest.raises(JobConflict, match="nothing to go on with"):
        jobs.again("sync-1")
    assert jobs.get("sync-1").error is None


def test_a_step_that_was_tried_in_vain_fails_with_its_own_cause(
    jobs: JobRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    times: list[int] = []

    def away(*_: object, **__: object) -> None:
        times.append(1)
        raise StudioUnreachable("http://127.0.0.1:1 does not answer; start Label Studio")

    monkeypatch.setattr(steps, "projects", lambda _goldfold: [{"project_id": 1, "policy_id": "x"}])
    monkeypatch.setattr(steps, "pull", away)
    monkeypatch.setattr(workflows, "WAITS_S", (0.1, 0.1, 0.1))
    jobs.submit("sync", "sync-1", {"full": False})
    with pytest.raises(JobFailed, match=r"^http://127.0.0.1:1 does not answer; start Label Studio$") as failed:
        jobs.result("sync-1")
    assert failed.value.cause == "StudioUnreachable"
    assert len(times) == 4


def test_a_cancelled_job_goes_on_when_it_is_started_again(jobs: JobRuntime, gate: Gate) -> None:
    jobs.submit("sync", "sync-1", {"full": False})
    assert gate.begun.wait(LIMIT_S)
    assert jobs.cancel("sync-1").state == "cancelled"
    gate.go.set()
    with pytest.raises(JobCancelled, match="'sync-1' was cancelled; start it again"):
        jobs.result("sync-1")
    jobs.submit("sync", "sync-1", {"full": False})
    assert jobs.result("sync-1")["settled"] == 0
    assert jobs.cancel("sync-1").state == "done"


def test_a_job_started_again_never_meets_its_own_old_step(jobs: JobRuntime, gate: Gate) -> None:
    jobs.submit("sync", "sync-1", {"full": False})
    assert gate.begun.wait(LIMIT_S)
    jobs.cancel("sync-1")
    jobs.submit("sync", "sync-1", {"full": False})
    until(lambda: jobs.get("sync-1").state == "running")
    threading.Event().wait(0.5)
    gate.go.set()
    jobs.result("sync-1")
    assert gate.most_at_once == 1


def test_ticks_of_a_running_step_are_its_progress(jobs: JobRuntime, gate: Gate) -> None:
    jobs.submit("sync", "sync-1", {"full": False})
    assert gate.begun.wait(LIMIT_S)
    tick("sync-1", "pull", 3, 9)
    assert jobs.get("sync-1").progress == {"stage": "pull", "done": 3, "total": 9}


def test_waiting_can_be_stopped_and_the_job_goes_on(jobs: JobRuntime, gate: Gate) -> None:
    stop = threading.Event()
    jobs.submit("sync", "sync-1", {"full": False})
    assert gate.begun.wait(LIMIT_S)
    threading.Timer(0.3, stop.set).start()
    with pytest.raises(JobError, match="stopped waiting for job 'sync-1', which goes on"):
        jobs.result("sync-1", stop=stop)
    gate.go.set()
    assert ended(jobs, "sync-1").state == "done"


def test_only_a_job_that_ended_is_forgotten(jobs: JobRuntime, gate: Gate) -> None:
    jobs.submit("sync", "sync-1", {"full": False})
    assert gate.begun.wait(LIMIT_S)
    jobs.forget("sync-1")
    assert jobs.get("sync-1").state == "running"
    gate.go.set()
    ended(jobs, "sync-1")
    jobs.forget("sync-1")
    with pytest.raises(JobUnknown):
        jobs.get("sync-1")


def test_nothing_in_the_jobs_database_is_a_pickle(
    goldfold: WordGoldfold, jobs: JobRuntime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stock(goldfold, 2)
    jobs.submit("score", "score-1", {})
    jobs.result("score-1")
    jobs.submit("round", "round-1", {"budget": "none of ours"})  # fails at its first step
    with pytest.raises(JobFailed):
        jobs.result("round-1")
    with sqlite3.connect(tmp_path / "jobs.db") as database:
        tables = [name for (name,) in database.execute("select name from sqlite_master where type = 'table'")]
        kinds = set()
        for table in tables:
            if "serialization" in [row[1] for row in database.execute(f"pragma table_info({table})")]:
                kinds |= set(database.execute(f"select serialization from {table} where serialization > ''"))  # noqa: S608 - names it told
        stored = list(database.execute("select inputs, output, error from workflow_status"))
        stored += list(database.execute("select output, error, null from operation_outputs"))
    database.close()
    assert kinds == {("portable_json",)}
    assert all(cell is None or cell[0] in '{["0123456789n' for row in stored for cell in row)
    assert {cell for row in stored for cell in row}


def test_closing_lets_the_step_end_and_the_job_goes_on_in_the_next_process(goldfold: WordGoldfold, gate: Gate) -> None:
    first = JobRuntime(goldfold)
    first.start()
    first.submit("sync", "sync-1", {"full": False})
    assert gate.begun.wait(LIMIT_S)
    threading.Timer(0.3, gate.go.set).start()
    first.close()
    assert STEPS.idle()
    with running(goldfold) as second:
        assert second.result("sync-1")["settled"] == 0
    assert gate.times == 1


def test_a_step_that_outlives_its_grace_keeps_its_slot_and_its_job(
    goldfold: WordGoldfold, gate: Gate, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(runtime_module, "GRACE_S", 1)
    first = JobRuntime(goldfold)
    first.start()
    first.submit("sync", "sync-1", {"full": False})
    assert gate.begun.wait(LIMIT_S)
    first.close()
    assert not STEPS.idle()
    assert ExecutorSlot.claim(tmp_path / "executors", "test-0") is None
    gate.go.set()
    assert STEPS.idle(LIMIT_S)
    first.close()
    with running(goldfold) as second:  # the job was left as it was: it goes on
        assert second.result("sync-1")["settled"] == 0
    assert gate.times == 2


def test_a_dead_process_is_taken_over_and_a_live_one_is_not(
    goldfold: WordGoldfold, gate: Gate, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(runtime_module, "BEAT_S", 0.1)
    monkeypatch.setattr(runtime_module, "DEAD_AFTER_S", 0.2)
    first = JobRuntime(goldfold)
    first.start()
    first.submit("sync", "sync-1", {"full": False})
    assert gate.begun.wait(LIMIT_S)
    threading.Timer(0.3, gate.go.set).start()
    first.close()
    held = ExecutorSlot.claim(tmp_path / "executors", "test-0")  # as if that process still lived, only silent
    assert held is not None
    with running(goldfold) as second:
        threading.Event().wait(1.0)
        assert second.get("sync-1").state == "running"
        held.release()
        assert second.result("sync-1")["settled"] == 0
        until(lambda: not goldfold.ledger.executors.dead(0.5))


def test_the_heartbeat_survives_whatever_goes_wrong(goldfold: WordGoldfold, monkeypatch: pytest.MonkeyPatch) -> None:
    beats: list[str] = []

    def beat(executor_id: str) -> None:
        beats.append(executor_id)
        if len(beats) == 2:
            raise ZeroDivisionError("not foreseen")

    monkeypatch.setattr(runtime_module, "BEAT_S", 0.05)
    monkeypatch.setattr(goldfold.ledger.executors, "beat", beat)
    with running(goldfold) as jobs:
        until(lambda: len(beats) > 4)
        jobs.check()
    assert set(beats) == {"test-0"}
    with pytest.raises(JobError, match="have ended"):
        jobs.check()


def test_a_job_whose_end_cannot_be_written_fails_and_goes_on_by_itself_when_it_can(
    jobs: JobRuntime, gate: Gate, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(runtime_module, "UNRECORDED_S", 0.2)
    gate.go.set()
    jobs_db = sqlite3.connect(tmp_path / "jobs.db", isolation_level=None)
    full = "begin select raise(abort, 'database or disk is full'); end"
    jobs_db.execute(f"create trigger full before update on workflow_status when new.status = 'SUCCESS' {full}")
    jobs.submit("sync", "sync-1", {"full": False})
    with pytest.raises(JobFailed, match="did not take this job's end") as failed:
        jobs.result("sync-1")
    assert failed.value.cause == "StoreError"
    assert [job.state for job in jobs.all()] == ["failed"]
    jobs_db.execute("drop trigger full")
    jobs_db.close()
    jobs._go_on()  # what the heartbeat does
    assert jobs.result("sync-1")["settled"] == 0
    assert gate.times == 1
    jobs._go_on()
    assert RUNS.all() == []


def test_a_step_that_cannot_be_written_says_why_and_the_same_id_goes_on(
    jobs: JobRuntime, gate: Gate, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(runtime_module, "UNRECORDED_S", 0.2)
    gate.go.set()
    jobs_db = sqlite3.connect(tmp_path / "jobs.db", isolation_level=None)
    full = "begin select raise(abort, 'database or disk is full'); end"
    jobs_db.execute(f"create trigger full before insert on operation_outputs {full}")
    jobs_db.execute(f"create trigger full_too before update on workflow_status when new.status = 'ERROR' {full}")
    jobs.submit("sync", "sync-1", {"full": False})
    with pytest.raises(JobFailed, match=r"^jobs_url: .*jobs\.db cannot be used: .*disk is full; free some space"):
        jobs.result("sync-1")
    for name in ("full", "full_too"):
        jobs_db.execute(f"drop trigger {name}")
    jobs_db.close()
    jobs.submit("sync", "sync-1", {"full": False})
    assert jobs.result("sync-1")["settled"] == 0


@pytest.mark.parametrize("url", ["sqlite:////dev/null/jobs.db", "postgresql+psycopg://u:secret@127.0.0.1:1/x", "x"])
def test_a_jobs_database_that_cannot_be_used_is_named_without_its_password(tmp_path: Path, url: str) -> None:
    goldfold = WordGoldfold(settings(tmp_path, jobs_url=url))
    jobs = JobRuntime(goldfold)
    with pytest.raises(StoreError, match=r"^jobs_url: ") as refused:
        jobs.start()
    assert "secret" not in str(refused.value)
    ExecutorSlot.take(tmp_path / "executors", "test").release()
    goldfold.close()


@pytest.mark.postgres
def test_jobs_run_on_postgresql(tmp_path: Path, postgres: PostgresServer) -> None:
    with postgres.database() as url:
        goldfold = WordGoldfold(settings(tmp_path, jobs_url=url))
        stock(goldfold, 3)
        with running(goldfold) as jobs:
            jobs.submit("score", "score-1", {})
            assert jobs.result("score-1")["scored"] == 3
        goldfold.close()
