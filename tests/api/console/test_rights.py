"""A link is shown to whom the API does not refuse."""

from __future__ import annotations

import pytest
from fastapi import Depends, FastAPI

from api.auth import Role, require
from api.console import rights
from api.console.rights import Rights
from tests.api.console.conftest import JSON, Console
from tests.api.site import HARM

LISTS = (
    "/v1/golden/items?judging=true",
    "/v1/agreement/items",
    f"/v1/policies/{HARM}/bridge/items",
    f"/v1/policies/{HARM}/effects/items?what=flips&since=2026-01-01T00:00:00Z&until=2026-01-02T00:00:00Z",
    "/v1/qa/items?verdict=answered",
)


@pytest.mark.parametrize("address", LISTS)
@pytest.mark.parametrize("role", [Role.VIEWER, Role.ENGINEER, Role.LEAD])
def test_a_link_is_shown_to_whom_the_api_does_not_refuse(bare: Console, address: str, role: Role) -> None:
    assert Rights(bare.app).opens(address, role) is (bare.get(address, role, JSON).status_code != 403)


def test_where_there_is_nothing_no_link_leads(bare: Console) -> None:
    assert not Rights(bare.app).opens("/v1/nowhere", Role.ADMIN)


def test_many_addresses_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    main = FastAPI()
    main.get("/v1/things/{name}", dependencies=[Depends(require(Role.LEAD))])(lambda name: name)
    monkeypatch.setattr(rights, "MOST", 3)
    found = Rights(main)
    assert [found.opens(f"/v1/things/{n}", Role.LEAD) for n in range(10)] == [True] * 10
    assert not found.opens("/v1/things/1", Role.ENGINEER)
    assert len(found._known) <= 3
