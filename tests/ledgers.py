"""A fresh SQLite ledger as a copy of one that the migrations made: they take half a second, and thousands of tests open
one. A ledger that is there already, and any on PostgreSQL, is brought up to date as ever."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from labeling.store import ledger
from labeling.store.database import Database
from labeling.store.schema import upgrade


@pytest.fixture(scope="session", autouse=True)
def _ledgers_are_copied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Of this process alone; the commands that tests start run the migrations themselves."""
    made, one = tmp_path_factory.mktemp("ledger") / "made.db", threading.Lock()

    def copied(database: Database) -> None:
        if database.is_sqlite:
            with one:
                _copy(made, Path(str(database.url.database)))
        upgrade(database)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ledger, "upgrade", copied)
        yield


def _copy(made: Path, wanted: Path) -> None:
    if wanted.exists() or not os.access(wanted.parent, os.W_OK):
        return
    if not made.exists():
        database = Database(f"sqlite:///{made}")
        upgrade(database)
        database.close()
    part = wanted.with_name(f"{wanted.name}.{os.getpid()}.copy")
    shutil.copyfile(made, part)
    try:
        os.link(part, wanted)  # fails where another process was quicker
    except FileExistsError:
        pass
    finally:
        part.unlink()
