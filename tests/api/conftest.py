"""A small Goldfold for the app's shell: a real SQLite ledger in the test's folder, and one key a role."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from api.auth import Role
from configs.settings import Settings
from labeling.store.ledger import open_ledger
from tests.api.client import Shell


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    settings = Settings(data_dir=tmp_path)
    ledger = open_ledger(settings.ledger_url)
    shell = Shell(settings, ledger)
    for role in Role:
        shell.give_key(role)
    yield shell
    ledger.close()
