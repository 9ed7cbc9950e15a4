from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from api.jobs import slots
from api.jobs.errors import JobError
from api.jobs.slots import ExecutorSlot
from labeling.errors import StoreError
from tests.api.rooms import ROOT

HOLDER = """
import sys, time
from pathlib import Path
from api.jobs.slots import ExecutorSlot
slot = ExecutorSlot.take(Path(sys.argv[1]), "host")
print(slot.executor_id, flush=True)
time.sleep(60)
"""


def holder(folder: Path) -> tuple[subprocess.Popen[str], str]:
    """A process that holds a slot, and which one."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, folder], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if process.stdout is None:
        raise TypeError("the pipe was asked for")
    return process, process.stdout.readline().strip()


def test_no_two_processes_share_a_slot_and_a_killed_one_frees_its(tmp_path: Path) -> None:
    first, first_id = holder(tmp_path)
    second, second_id = holder(tmp_path)
    try:
        assert (first_id, second_id) == ("host-0", "host-1")
        with ExecutorSlot.take(tmp_path, "host") as third:
            assert third.executor_id == "host-2"
            assert ExecutorSlot.claim(tmp_path, "host-0") is None
            os.kill(first.pid, signal.SIGKILL)
            first.wait()
            with ExecutorSlot.take(tmp_path, "host") as heir:
                assert heir.executor_id == "host-0"
                assert (tmp_path / "host-0.lock").read_text() == str(os.getpid())
    finally:
        for process in (first, second):
            process.kill()
            process.communicate()


def test_a_slot_is_free_again_after_its_release(tmp_path: Path) -> None:
    slot = ExecutorSlot.take(tmp_path, "host")
    slot.release()
    slot.release()
    with ExecutorSlot.take(tmp_path, "host") as again:
        assert again.executor_id == "host-0"


def test_names_do_not_meet(tmp_path: Path) -> None:
    with ExecutorSlot.take(tmp_path, "a") as one, ExecutorSlot.take(tmp_path, "b") as other:
        assert (one.executor_id, other.executor_id) == ("a-0", "b-0")


def test_when_every_slot_is_taken_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots, "SLOTS", 1)
    with ExecutorSlot.take(tmp_path, "host"), pytest.raises(JobError, match=r"all 1 executor slots of .* are taken"):
        ExecutorSlot.take(tmp_path, "host")


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="file/executors: cannot be written"):
        ExecutorSlot.take(tmp_path / "file" / "executors", "host")
