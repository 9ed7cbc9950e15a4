from __future__ import annotations

from api.auth import Role
from tests.api.routes.conftest import Site

PATH = "/v1/leads/agreement"


def test_agreement_is_told_to_leads(site: Site) -> None:
    told = site.get(PATH, Role.LEAD)
    assert (told["agreed"]["n"], told["by_policy"], told["open"], told["causes"]) == (0, {}, 0, {})
    site.refused("GET", PATH, Role.LEAD)
