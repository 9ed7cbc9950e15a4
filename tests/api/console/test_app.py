"""What holds on every page of the console, whoever built it."""

from __future__ import annotations

import re

import pytest
import structlog
from fastapi import FastAPI
from fastapi.routing import APIRoute

from api.auth import Role
from api.console import nav
from api.console.app import CSP, PAGES
from api.console.page import asking
from tests.api.client import assert_problem, call
from tests.api.console.conftest import HTML, JSON, Console

OPEN = {"/sign-in", "/static/{sha256}/{name}", "/oidc/start", "/oidc/callback"}


def _is(route: APIRoute, method: str) -> bool:
    return method in (route.methods or ())


ROUTES = [route for page in PAGES for route in page.router.routes if isinstance(route, APIRoute)]
PLAIN = sorted(route.path for route in ROUTES if _is(route, "GET") and "{" not in route.path and route.path not in OPEN)
NO_PAGES = ("/", "/list", "/file", "/golden/change", "/map/events", "/map/item", "/map/names", "/map/points")
SCRIPT = re.compile(r"<script(?P<attributes>[^>]*)>")


def _role(route: APIRoute) -> Role | None:
    """The role that a route asks for."""
    asked = {asking(role): role for role in Role}
    return next((asked[d.call] for d in route.dependant.dependencies if d.call in asked), None)


def test_each_route_asks_for_a_role_but_for_those_that_open_a_session() -> None:
    assert {route.path for route in ROUTES if _role(route) is None} <= OPEN


def test_a_page_wants_a_session_and_leads_to_where_one_is_opened(bare: Console) -> None:
    answer = bare.get("/console/rounds?x=1", None)
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/sign-in?next=/console/rounds%3Fx%3D1")
    assert_problem(bare.get("/console/rounds", None, JSON), 401, "sign in with an API key")


@pytest.mark.parametrize("path", [p for p in PLAIN if p not in NO_PAGES])
def test_a_page_is_closed_told_as_json_and_holds_no_script_of_its_own(bare: Console, path: str) -> None:
    page = bare.get(f"/console{path}", Role.ADMIN)
    if page.status_code == 303:  # a design is given its round's name first
        path = page.headers["location"].removeprefix("/console")
        page = bare.get(f"/console{path}", Role.ADMIN)
    assert page.status_code == 200, page.text
    assert page.headers["content-security-policy"] == CSP
    for script in SCRIPT.finditer(page.text):
        assert "src=" in script["attributes"] or 'type="application/json"' in script["attributes"]
    assert not re.search(r"<[^>]+\s(style|on[a-z]+)=", page.text)
    assert not re.search(r"(src|href|action)=\"(https?:)?//", page.text)
    assert page.text.count("<h1") == 1
    told = bare.json(f"/console{path}", Role.ADMIN)
    assert told["title"] in page.text.replace("&#39;", "'")


@pytest.mark.parametrize("route", [r for r in ROUTES if _role(r) is not None], ids=lambda r: f"{r.methods} {r.path}")
def test_who_has_a_lower_role_is_told_so(bare: Console, route: APIRoute) -> None:
    needed, path = _role(route), re.sub(r"\{[^}]*\}", "nobody", route.path)
    for role in list(Role)[: list(Role).index(needed or Role.ANNOTATOR)]:
        answer = call(
            bare.app, "GET" if _is(route, "GET") else "POST", f"/console{path}", key=bare.keys[role], headers=HTML
        )
        assert answer.status_code == 403
        assert f"needs the role {needed}" in answer.text


@pytest.mark.parametrize("route", [r for r in ROUTES if _is(r, "POST") and _role(r)], ids=lambda r: r.path)
def test_a_form_without_the_token_of_its_session_changes_nothing(bare: Console, route: APIRoute) -> None:
    path = "/console" + re.sub(r"\{[^}]*\}", "nobody", route.path)
    for token in ("", "x" * 43):
        answer = bare.post(path, {}, Role.ADMIN, csrf=token)
        assert answer.status_code == 403
        assert "older than your session" in answer.text


def test_the_menu_shows_what_a_role_may_see(bare: Console) -> None:
    for role in list(Role)[1:]:
        text = bare.get("/console/rounds", role).text
        assert {place.path for place in nav.MENU if f'href="{place.path}"' in text} == {p.path for p in nav.menu(role)}
    assert [place.path for place in nav.menu(Role.ANNOTATOR)] == ["/console/me"]
    assert [nav.home(role) for role in (Role.ANNOTATOR, Role.VIEWER, Role.LEAD)] == [
        "/console/me",
        "/console/rounds",
        "/console/today",
    ]


def test_what_is_not_there_is_a_page_for_people_and_a_problem_for_programs(bare: Console) -> None:
    page = bare.get("/console/nothing-here")
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "there is no /console/nothing-here" in page.text
    assert_problem(bare.get("/console/nothing-here", headers=JSON), 404)


def test_an_error_of_a_room_is_told_as_it_is(bare: Console) -> None:
    page = bare.get("/console/items/nobody")
    assert page.status_code == 404
    assert "no item has the external_id &#39;nobody&#39;" in page.text


def test_what_nobody_expected_is_a_page_and_a_problem_and_is_logged_once(
    bare: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nav, "safe", lambda _path: 1 / 0)
    with structlog.testing.capture_logs() as logs:
        page = bare.get("/console/sign-in", None)
    assert (page.status_code, page.headers["content-type"]) == (500, "text/html; charset=utf-8")
    assert page.headers["content-security-policy"] == CSP
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["x-request-id"] in page.text
    assert "division" not in page.text
    (logged,) = [each for each in logs if each["log_level"] == "error"]
    assert (logged["event"], logged["path"]) == ("unexpected error", "/console/sign-in")
    told = assert_problem(bare.get("/console/sign-in", None, JSON), 500, "logged under")
    assert "division" not in str(told)


def test_what_was_typed_is_not_lost_with_the_session(bare: Console) -> None:
    form = {"note": "A long note <b>", "csrf": "old", "empty": ""}
    headers = {**HTML, "Cookie": "goldfold_session=gone", "Referer": "http://goldfold.test/console/me?x=1"}
    page = call(bare.app, "POST", "/console/sign-out", data=form, headers=headers)
    assert page.status_code == 401
    assert 'href="/console/sign-in?next=/console/me%3Fx%3D1"' in page.text
    assert re.search(r"<textarea[^>]+readonly>\nA long note &lt;b&gt;</textarea>", page.text)
    assert page.text.count("<textarea") == 1
    stale = bare.post("/console/sign-out", form, csrf="old")
    assert stale.status_code == 403
    assert "A long note" in stale.text
    foreign = {**headers, "Referer": "https://evil.test/console/me"}
    page = call(bare.app, "POST", "/console/sign-out", data=form, headers=foreign)
    assert 'href="/console/sign-in?next=/console/"' in page.text


def test_a_secret_that_was_typed_is_never_shown_again(bare: Console) -> None:
    form = {"key": bare.keys[Role.LEAD]}
    page = call(bare.app, "POST", "/console/sign-in", data=form, headers={**HTML, "Origin": "https://evil.test"})
    assert page.status_code == 403
    assert form["key"] not in page.text


def test_a_figure_that_is_not_to_be_had_is_named_to_a_program(bare: Console) -> None:
    answer = bare.get("/console/quality/people", headers=JSON)
    told = answer.json()
    assert answer.status_code == 409
    assert told["unavailable"] == {"found": told["found"]["error"]}
    assert f"not there yet: {told['found']['error'][:20]}" in bare.get("/console/quality/people").text


def test_the_field_for_an_item_is_for_who_may_see_one(bare: Console) -> None:
    for role in Role:
        shown = 'action="/console/items/find"' in bare.get("/console/me", role).text
        assert shown == (role in (Role.ENGINEER, Role.LEAD, Role.ADMIN))


def test_who_chooses_colours_gets_them_and_is_back_where_they_were(bare: Console) -> None:
    headers = {**HTML, "Cookie": f"goldfold_session={bare.session()}", "Referer": "http://goldfold.test/console/rounds"}
    form = {"scheme": "dark", "csrf": bare.csrf()}
    chosen = call(bare.app, "POST", "/console/scheme", data=form, headers=headers)
    assert (chosen.status_code, chosen.headers["location"]) == (303, "/console/rounds")
    cookie = chosen.headers["set-cookie"].split(";")[0]
    for sent, told in ((cookie, True), ("goldfold_scheme=<b>", False)):
        page = call(bare.app, "GET", "/console/rounds", headers={**headers, "Cookie": f"{headers['Cookie']}; {sent}"})
        assert ('data-scheme="dark"' in page.text) is told
    assert bare.post("/console/scheme", {"scheme": "pink"}).status_code == 422


def test_the_api_answers_no_session(bare: Console) -> None:
    app: FastAPI = bare.app
    cookie = {"Cookie": f"goldfold_session={bare.session(Role.ADMIN)}"}
    for method, path in (("GET", "/v1/rounds"), ("GET", "/v1/items/x"), ("GET", "/metrics"), ("POST", "/v1/jobs/sync")):
        assert_problem(call(app, method, path, headers=cookie), 401, "no API key")
