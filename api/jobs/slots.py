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
from labeling.errors import StoreError

SLOTS = 32


class ExecutorSlot:
    """The lock on one executor id, held until ``release`` or the end of the process."""

    def __init__(self, executor_id: str, file: IO[str]) -> None:
        self.executor_id = executor_id
        self._file = file

    @classmethod
    def take(cls, folder: Path, base: str) -> Self:
        """Take the first free slot. Raises JobError when all are taken, StoreError when the folder cannot be used."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            return cls._first_free(folder, base)
        except OSError as error:
            raise StoreError(
                f"{folder}: cannot be written ({error.strerror}); free the disk or allow writing"
            ) from error

    @classmethod
    def _first_free(cls, folder: Path, base: str) -> Self:
        for number in range(SLOTS):
            slot = cls.claim(folder, f"{base}-{number}")
            if slot is not None:
                return slot
        raise JobError(f"all {SLOTS} executor slots of {folder} are taken: stop a goldfold process that is not needed")

    @classmethod
    def claim(cls, folder: Path, executor_id: str) -> Self | None:
        """Take this very slot; None while a process holds it."""
        file = (folder / f"{executor_id}.lock").open("a+", encoding="ascii")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return None
        file.seek(0)
        file.truncate()
        file.write(str(os.getpid()))  # for people who look
        file.flush()
        return cls(executor_id, file)

    def release(self) -> None:
        """Give the slot back; doing so twice changes nothing."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
