from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.labeling.school import build_labelled
from tests.labeling.shop import Shop, open_shop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    opened = open_shop(tmp_path)
    yield opened
    opened.ledger.close()


@pytest.fixture(scope="session")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("labelled")
    build_labelled(folder)
    return folder


@pytest.fixture
def school(labelled: Path, tmp_path: Path) -> Iterator[Shop]:
    """A copy of the labelled folder to work in."""
    shutil.copytree(labelled, tmp_path, dirs_exist_ok=True)
    opened = open_shop(tmp_path)
    yield opened
    opened.ledger.close()
