"""One seeded deployment for all tests of the console."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.api.console.seeded import seed


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its folder; not to be written to (``tests.api.console.seeded.copied``)."""
    folder = tmp_path_factory.mktemp("seeded") / "site"
    seed(folder)
    return folder
