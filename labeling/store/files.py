"""Files by URL: a local path, or an object in a store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.fs


def file_system(url: str) -> tuple[Any, str]:
    """The file system of a URL such as ``s3://bucket/prefix``, or of a local path, and the path in it."""
    if "://" not in url:
        return pyarrow.fs.LocalFileSystem(), str(Path(url).resolve())
    system, base = pyarrow.fs.FileSystem.from_uri(url)
    return system, base.rstrip("/")
