"""The weekly pack over HTTP: for leads, signed by its hash, and pages to download."""

from __future__ import annotations

from api.auth import Role
from tests.api.client import assert_problem
from tests.api.routes.conftest import Site

PATH = "/v1/weekly"
WEEK = "2026-W09"


def test_from_a_draft_to_a_signed_pack(site: Site) -> None:
    made = site.ask("POST", PATH, Role.LEAD, json={"week": WEEK, "coverage": False}).json()
    assert (made["revision"], made["signed_by"]) == (1, None)
    for kind, start in (("md", b"# Quality"), ("html", b"<!doctype html>"), ("pdf", b"%PDF-")):
        page = site.ask("GET", f"{PATH}/{WEEK}/pages/{kind}", Role.LEAD)
        assert page.content.startswith(start)
        assert page.headers["content-disposition"] == f'attachment; filename="quality-{WEEK}-r1.{kind}"'
        assert made["content_hash"].encode() in page.content
    sign = f"{PATH}/{WEEK}/sign"
    wrong = site.ask("POST", sign, Role.LEAD, json={"by": "Ana", "content_hash": "0" * 8})
    assert_problem(wrong, 409, "read and sign that one")
    given = {"by": "Ana", "content_hash": made["content_hash"]}
    assert site.ask("POST", sign, Role.LEAD, json=given).json()["signed_by"] == "Ana"
    assert_problem(site.ask("POST", sign, Role.LEAD, json=given), 409, "revision 1 is signed by Ana")
    again = site.ask("POST", PATH, Role.LEAD, json={"week": WEEK, "coverage": False}).json()
    assert (again["revision"], again["signed_by"]) == (2, None)
    assert [(one["revision"], one["signed_by"]) for one in site.get(PATH, Role.LEAD)] == [(2, None), (1, "Ana")]
    assert site.get(f"{PATH}/{WEEK}?revision=1", Role.LEAD)["document"] == made["document"]


def test_others_than_leads_are_refused_and_bad_input_is_named(site: Site) -> None:
    site.refused("GET", PATH, Role.LEAD)
    site.refused("POST", f"{PATH}/{WEEK}/sign", Role.LEAD, json={"by": "Ana", "content_hash": "0" * 8})
    assert_problem(site.ask("GET", f"{PATH}/{WEEK}", Role.LEAD), 404, "has no draft")
    assert_problem(site.ask("GET", f"{PATH}/{WEEK}/pages/doc", Role.LEAD), 404, "not one of md, html, pdf")
    assert_problem(site.ask("POST", PATH, Role.LEAD, json={"week": "nothing"}), 422, "write it as 2026-W48")
