from __future__ import annotations

from pathlib import Path

import pytest

from api.jobs.errors import JobError
from api.jobs.slots import ExecutorSlot
from api.service import Service
from labeling.errors import StoreError
from tests.api.site import WordGoldfold, settings


def test_it_starts_and_ends_jobs_and_sweep_together(tmp_path: Path) -> None:
    given = settings(tmp_path, studio_token="t", studio_url="http://127.0.0.1:1", sync_interval_s=3600)
    service = Service(given, WordGoldfold(given))
    with service:
        service.check()
        assert service.sweeps
        assert ExecutorSlot.claim(tmp_path / "executors", "test-0") is None
    with pytest.raises(JobError):
        service.check()
    slot = ExecutorSlot.claim(tmp_path / "executors", "test-0")
    assert slot is not None
    slot.release()


def test_without_a_token_nothing_is_swept(tmp_path: Path) -> None:
    given = settings(tmp_path)
    with Service(given, WordGoldfold(given)) as service:
        assert not service.sweeps
        service.check()


def test_one_that_cannot_start_leaves_nothing_behind(tmp_path: Path) -> None:
    given = settings(tmp_path, jobs_url="sqlite:////dev/null/jobs.db")
    with pytest.raises(StoreError, match="jobs_url"):
        Service(given, WordGoldfold(given)).__enter__()
    again = settings(tmp_path)
    with Service(again, WordGoldfold(again)) as service:
        service.check()
