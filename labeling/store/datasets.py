"""A lake's Lance datasets, one a column group: where they lie, one writer at a time, and errors in plain words."""

from __future__ import annotations

import fcntl
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lance
import pyarrow as pa
import pyarrow.fs

from labeling.errors import StoreError
from labeling.store.groups import check_name

_SUFFIX = ".lance"
_LOCK = ".writer.lock"
_SOURCE_LINE = re.compile(r",?\s*(location:\s*)?/\S+\.rs:\d+:\d+")

_PASSWORD = re.compile(r"(?<=://)([^:/@\s]*):\S*@")

_ADVICE = {
    "No space left": "the disk is full; free some space and run it again, nothing was half-written",
    "File too large": "the disk or a quota is full; free some space and run it again, nothing was half-written",
    "Permission denied": "it may not be written or read; check the permissions",
    "Read-only file system": "it may not be written; check the permissions",
}


class Datasets:
    """The datasets under ``root``: a folder (made if missing) or a URI such as ``s3://bucket/prefix``.

    Raises StoreError whenever the storage cannot be used.
    """

    def __init__(self, root: str | Path) -> None:
        self._local = None if "://" in str(root) else Path(root).resolve()
        self.root = str(self._local or root).rstrip("/")
        with self.plain_errors():
            if self._local is not None:
                self._local.mkdir(parents=True, exist_ok=True)

    def names(self) -> list[str]:
        """The groups that hold something, sorted."""
        with self.plain_errors():
            self._check_root()
            system, base = self._file_system()
            found = system.get_file_info(pyarrow.fs.FileSelector(base, allow_not_found=True))
        names = [entry.base_name.removesuffix(_SUFFIX) for entry in found if entry.base_name.endswith(_SUFFIX)]
        return sorted(name for name in names if self.open(name) is not None)

    def open(self, group: str) -> Any:
        """The newest version of a group's dataset; None when there is none."""
        uri = self.uri(check_name(group))
        with self.plain_errors():
            self._check_root()
            try:
                return lance.dataset(uri)
            except ValueError as error:
                if "was not found" in str(error):  # also a first append that was killed before its commit
                    return None
                raise

    def add(self, group: str, dataset: Any, table: pa.Table) -> Any:
        """The dataset with the rows of ``table``, in one commit; none when there is nothing to add. ``dataset`` is what
        ``open`` gave; the caller is the one writer."""
        if table.num_rows == 0:
            return dataset
        return lance.write_dataset(table, self.uri(group), mode="create" if dataset is None else "append")

    @contextmanager
    def writing(self) -> Iterator[None]:
        """One writer at a time on this machine, other processes and threads included."""
        with self.plain_errors():
            if self._local is None:
                yield
                return
            self._check_root()
            with (self._local / _LOCK).open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)  # given back when the file is closed, or the process dies
                yield

    @contextmanager
    def plain_errors(self) -> Iterator[None]:
        """What the storage raises in the block comes out as a StoreError."""
        try:
            yield
        except (OSError, ValueError, RuntimeError, pa.ArrowException) as error:
            raise StoreError(self._say(error)) from error

    def uri(self, group: str) -> str:
        """Where a group's dataset lies."""
        return f"{self.root}/{group}{_SUFFIX}"

    def _file_system(self) -> tuple[Any, str]:
        if self._local is not None:
            return pyarrow.fs.LocalFileSystem(), str(self._local)
        system, base = pyarrow.fs.FileSystem.from_uri(self.root)
        return system, base

    def _check_root(self) -> None:
        if self._local is not None and not self._local.is_dir():
            raise StoreError(f"the lake {self.root}: the folder is gone or is no folder; bring it back")

    def _say(self, error: Exception) -> str:
        text = " ".join(_SOURCE_LINE.sub("", str(error)).split())
        advice = next((advice for sign, advice in _ADVICE.items() if sign in text), None)
        if advice is not None:
            said = f"the lake {self.root}: {advice} ({text})"
        else:
            said = (
                f"the lake {self.root} cannot be used; check the folder, or restore a backup if it is damaged ({text})"
            )
        return _PASSWORD.sub(r"\1:***@", said)
