"""A disk that can be filled up: a small file system of its own where this account may mount one, else a limit on how
large this process may let a file grow."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SIZE_MB = 16


class Disk:
    """``folder`` lies on it."""

    def __init__(self, folder: Path, *, mounted: bool) -> None:
        self.folder = folder
        self._mounted = mounted
        self._limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(self) -> None:
        """Leave no room, to the last byte."""
        if not self._mounted:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1, self._limits[1]))
            return
        ballast = os.open(self.folder / "ballast", os.O_WRONLY | os.O_CREAT)
        for size in (2**16, 2**12, 1):
            try:
                while os.write(ballast, b"x" * size):
                    pass
            except OSError:
                continue
        os.close(ballast)

    def free(self) -> None:
        """Give the room back; doing so twice changes nothing."""
        if self._mounted:
            (self.folder / "ballast").unlink(missing_ok=True)
        else:
            resource.setrlimit(resource.RLIMIT_FSIZE, self._limits)


@contextmanager
def small_disk(folder: Path) -> Iterator[Disk]:
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "tmpfs", str(folder)]
    mounted = os.geteuid() == 0 and subprocess.run(mount, capture_output=True, check=False).returncode == 0
    disk = Disk(folder, mounted=mounted)
    try:
        yield disk
    finally:
        disk.free()
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=True)
