from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from api import sweep as sweep_module
from api.jobs import steps
from api.jobs.errors import JobError
from api.jobs.runtime import JobRuntime
from api.sweep import Sweep
from labeling.errors import StoreError
from labeling.settle import SettleReport
from tests.api.site import WordGoldfold, running, settings

LIMIT_S = 20.0
NOTHING = asdict(SettleReport())


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[JobRuntime]:
    """Jobs without a Label Studio: a sync reads no project and settles nothing."""
    monkeypatch.setattr(steps, "projects", lambda _goldfold: [])
    monkeypatch.setattr(steps, "settle", lambda _goldfold: NOTHING)
    monkeypatch.setattr(sweep_module, "SETTLE_DOWN_S", 0.01)
    goldfold = WordGoldfold(settings(tmp_path))
    with running(goldfold) as runtime:
        yield runtime
    goldfold.close()


@pytest.fixture
def ids(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The sweeps' ids, in their order."""
    made: list[str] = []

    def new_id(kind: str) -> str:
        made.append(f"{kind}-{len(made)}")
        return made[-1]

    monkeypatch.setattr(sweep_module, "new_id", new_id)
    return made


def until(true: Callable[[], bool]) -> None:
    for _ in range(int(LIMIT_S / 0.05)):
        if true():
            return
        threading.Event().wait(0.05)
    raise AssertionError("it did not come to be")


@pytest.fixture
def make(jobs: JobRuntime) -> Iterator[Callable[[float], Sweep]]:
    made: list[Sweep] = []

    def start(interval_s: float) -> Sweep:
        made.append(Sweep(jobs, interval_s))
        made[-1].start()
        return made[-1]

    yield start
    for one in made:
        one.close()


def test_it_comes_by_itself_and_leaves_no_row_when_it_found_nothing(
    jobs: JobRuntime, ids: list[str], make: Callable[[float], Sweep]
) -> None:
    make(0.05)
    until(lambda: len(ids) >= 3)
    assert len(jobs.all()) <= 1


def test_a_hint_brings_it_at_once_and_many_make_one(
    jobs: JobRuntime, ids: list[str], make: Callable[[float], Sweep], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep_module, "SETTLE_DOWN_S", 0.3)
    sweep = make(3600)
    for _ in range(5):
        sweep.hint()
    until(lambda: len(ids) == 1)
    threading.Event().wait(0.5)
    assert len(ids) == 1


def test_one_that_found_something_is_kept(
    jobs: JobRuntime, ids: list[str], make: Callable[[float], Sweep], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "settle", lambda _goldfold: {**NOTHING, "settled": 1})
    make(3600).hint()
    until(lambda: [job.state for job in jobs.all()] == ["done"])
    threading.Event().wait(0.3)
    assert jobs.get("sync-0").result is not None


def test_the_same_failure_again_and_again_is_kept_once(
    jobs: JobRuntime, ids: list[str], make: Callable[[float], Sweep], monkeypatch: pytest.MonkeyPatch
) -> None:
    def settle(_goldfold: object) -> dict[str, Any]:
        raise StoreError("the ledger is away")

    monkeypatch.setattr(steps, "settle", settle)
    with capture_logs() as lines:
        make(0.05)
        until(lambda: len(ids) >= 4)
    assert {job.state for job in jobs.all() if job.job_id == "sync-0"} == {"failed"}
    assert len(jobs.all()) <= 2
    assert any("the ledger is away" in line.get("error", "") for line in lines)


def test_whatever_goes_wrong_the_next_one_comes(
    jobs: JobRuntime, ids: list[str], make: Callable[[float], Sweep], monkeypatch: pytest.MonkeyPatch
) -> None:
    def submit(*_: object) -> None:
        raise ZeroDivisionError("not foreseen")

    monkeypatch.setattr(jobs, "submit", submit)
    sweep = make(0.05)
    until(lambda: len(ids) >= 3)
    sweep.check()


def test_closing_does_not_wait_for_a_sweep_under_way(
    jobs: JobRuntime, ids: list[str], make: Callable[[float], Sweep], monkeypatch: pytest.MonkeyPatch
) -> None:
    go = threading.Event()
    begun = threading.Event()

    def projects(_goldfold: object) -> list[dict[str, Any]]:
        begun.set()
        go.wait(LIMIT_S)
        return []

    monkeypatch.setattr(steps, "projects", projects)
    sweep = make(3600)
    sweep.check()
    sweep.hint()
    assert begun.wait(LIMIT_S)
    sweep.close()
    with pytest.raises(JobError, match="the sweep of Label Studio has ended"):
        sweep.check()
    assert jobs.get("sync-0").state == "running"
    go.set()
    assert list(jobs.follow("sync-0"))[-1].state == "done"


def test_one_that_never_started_closes_too(jobs: JobRuntime) -> None:
    Sweep(jobs, 1.0).close()
