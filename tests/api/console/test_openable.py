from __future__ import annotations

import pytest

from api.auth import Role
from api.console.openable import may_open
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
    assert may_open(role, address) is (bare.get(address, role, JSON).status_code != 403)
