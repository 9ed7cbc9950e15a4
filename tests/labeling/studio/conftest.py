"""Fixtures of the bridge's tests: a ledger on SQLite, and clients of the session's Label Studio."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from labeling.policies import Policy
from labeling.store.ledger import SqlLedger, open_ledger
from labeling.studio.client import StudioClient
from labeling.studio.embedded import EmbeddedStudio
from tests.labeling.studio.build import Wire, make_policy
from tests.studio_server import annotators, studio_server

__all__ = ["annotators", "studio_server"]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqlLedger]:
    ledger = open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    yield ledger
    ledger.close()


@pytest.fixture
def policy() -> Policy:
    return make_policy()


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def client(studio_server: EmbeddedStudio, wire: Wire) -> Iterator[StudioClient]:
    """The administrator's client, over a wire that tests may cut."""
    token = studio_server.account.token
    with StudioClient(studio_server.base_url, token, 60.0, settle_s=1.0, transport=wire) as client:
        yield client


@pytest.fixture
def people(studio_server: EmbeddedStudio, annotators: dict[str, str]) -> Iterator[Callable[[int], StudioClient]]:
    """Annotator 0, 1 or 2's own client."""
    with ExitStack() as stack:

        def person(number: int) -> StudioClient:
            token = list(annotators.values())[number]
            return stack.enter_context(StudioClient(studio_server.base_url, token, 60.0))

        yield person
