from __future__ import annotations

import pytest
from starlette.datastructures import URL

from api.console import nav


def test_the_longest_address_is_the_current_one() -> None:
    tabs = ["/console/quality", "/console/quality/causes"]
    for path, found in (
        ("/console/quality", tabs[0]),
        ("/console/quality/sample", tabs[0]),
        ("/console/quality/causes/new", tabs[1]),
        ("/console/qualityish", ""),
    ):
        assert nav.current(path, tabs) == found


@pytest.mark.parametrize(
    ("address", "room"),
    [
        ("/console/rounds/7/picks", "/console/rounds"),
        ("/console/map?round=7", "/console/rounds"),
        ("/console/list?of=/v1/rounds/7/picks", "/console/rounds"),
        ("/console/list?of=/v1/qa%3Fday=1", "/console/quality"),
        ("/console/list?of=/v1/unheard", ""),
        ("/console/list", ""),
        ("/console/items/a", ""),
    ],
)
def test_a_page_belongs_to_a_room(address: str, room: str) -> None:
    assert nav.room(URL(address)) == room
