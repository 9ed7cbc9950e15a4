"""A small Goldfold for the app's shell: a real SQLite ledger in the test's folder, and one key a role."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from api.auth import Role
from configs.settings import Settings
from labeling.store.ledger import open_ledger
from tests.api.client import Shell
from tests.api.gold import build_gilded


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    settings = Settings(data_dir=tmp_path)
    ledger = open_ledger(settings.ledger_url)
    shell = Shell(settings, ledger)
    for role in Role:
        shell.give_key(role)
    yield shell
    ledger.close()


@pytest.fixture(scope="session")
def gilded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a site with gold; not to be written to."""
    return build_gilded(tmp_path_factory.mktemp("gilded") / "data")
