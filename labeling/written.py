"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from labeling.errors import StoreError

PRIVATE, SHARED = 0o600, 0o666  # the latter less what the process' umask takes away


def write_whole(path: Path, content: bytes, *, private: bool = False) -> Path:
    """Write a file aside and put it in its place; its folder is made. ``private``: its owner alone may read it. Raises
    StoreError naming the path."""
    aside = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE if private else SHARED)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        aside.replace(path)
    except OSError as error:
        with suppress(OSError):
            aside.unlink(missing_ok=True)
        raise StoreError(f"{path}: cannot be written: {error.strerror or error}") from error
    return path
