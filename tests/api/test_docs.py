"""docs/api.md is held against the app: each route with its role, and an example for each group that reaches a route."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI

from api.auth import Role, make_key
from api.server import build_app
from api.service import Service
from tests.api.client import OPEN, call, routes
from tests.api.rooms import ROOT
from tests.api.site import WordGoldfold, settings

PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `([A-Z]+) (/[^`]*)` \| (\w+) \| .+ \|$", re.MULTILINE)


@pytest.fixture
def app(tmp_path: Path) -> Iterator[FastAPI]:
    given = settings(tmp_path)
    with Service(given, WordGoldfold(given)) as service:
        yield build_app(service)


def test_each_route_is_named_and_each_route_named_exists(app: FastAPI) -> None:
    named = [(method, path) for method, path, _ in ROW.findall(PAGE)]
    assert sorted(named) == routes(app)


def test_each_route_asks_for_the_role_that_the_page_names(app: FastAPI) -> None:
    ledger = app.state.goldfold.ledger
    keys = {}
    for role in Role:
        key, keys[role] = make_key(f"test {role}", role)
        ledger.keys.add(key)
    roles = list(Role)
    for method, path, role in ROW.findall(PAGE):
        concrete = re.sub(r"\{[^}]*\}", "nobody", path)
        if role in ("open", "secret"):
            assert path in OPEN
            continue
        below = roles[: roles.index(Role(role))]
        for other in below:
            assert call(app, method, concrete, key=keys[other], json={}).status_code == 403, (method, path, other)
        assert call(app, method, concrete, key=keys[Role(role)], json={}).status_code != 403, (method, path)


def test_each_group_has_an_example_that_reaches_a_route_of_its_own(app: FastAPI) -> None:
    groups = re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]
    assert len(groups) == 13
    for group in groups:
        paths = [re.sub(r"\{[^}]*\}", "[^/]+", path) for _, path, _ in ROW.findall(group)]
        examples = re.findall(r"\$URL(/[^\s\"?]*)", group)
        assert examples, group[:20]
        for example in examples:
            assert any(re.fullmatch(path, example) for path in paths), example
