"""Where the real labelled sets lie, for the tests that need them; they are never part of the repository."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ENV = "GOLDFOLD_TEST_DATA_DIR"  # GOLDFOLD_DATA_DIR is a setting of the service


def data_dir() -> Path:
    """The folder of the real sets: the environment's, else ``../shared/data`` beside the repository."""
    named = os.environ.get(ENV)
    return Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "data"


def real_set(name: str) -> Path:
    """Path of one real set (such as ``tweets.jsonl.gz``); skips the calling test where it is absent."""
    path = data_dir() / name
    if not path.is_file():
        pytest.skip(f"{name} is not there; point {ENV} at the folder of the real sets to run this test")
    return path
