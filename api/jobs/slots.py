"""A unique, stable executor id per process.

DBOS recovers the unfinished jobs of an executor id when a process with that id starts; two live processes with the
same id would run a step twice. So each process takes the first free slot ``<base>-0``, ``<base>-1``, ... by a file
lock, which the kernel frees when the process dies: the next process takes the slot over, and its unfinished jobs.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from api.jobs.errors import JobError

SLOTS = 32


class ExecutorSlot:
    """The lock on one executor id, held until ``release`` or the end of the process."""

    def __init__(self, executor_id: str, file: IO[str]) -> None:
        self.executor_id = executor_id
        self._file = file

    @classmethod
    def take(cls, folder: Path, base: str) -> Self:
        """Take the first free slot. Raises JobError when all are taken."""
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(SLOTS):
            executor_id = f"{base}-{number}"
            file = (folder / f"{executor_id}.lock").open("a+", encoding="ascii")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.close()
                continue
            file.seek(0)
            file.truncate()
            file.write(str(os.getpid()))
            file.flush()
            return cls(executor_id, file)
        raise JobError(f"all {SLOTS} executor slots of {folder} are taken: stop a goldfold process that is not needed")

    def release(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
