from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
import structlog

from api.auth import COOKIE, Role, hash_key, make_key, session_of
from api.console import nav
from api.console.sessions import Person, admit, sign_in
from tests.api.client import call
from tests.api.console.conftest import HTML, Console


def test_a_key_opens_a_session_that_ends_with_a_sign_out(bare: Console) -> None:
    form = {"key": f" {bare.keys[Role.LEAD]} ", "next": "/console/rounds"}
    answer = call(bare.app, "POST", "/console/sign-in", data=form, headers=HTML)
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/rounds")
    told = answer.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(told.split("; "))
    cookie = re.search(rf"{COOKIE}=([^;]+)", told)
    assert cookie
    bare.cookies[Role.LEAD] = cookie[1]
    page = call(bare.app, "GET", "/console/rounds", headers={**HTML, "Cookie": f"{COOKIE}={cookie[1]}"})
    assert page.status_code == 200
    assert cookie[1] not in page.text
    assert bare.post("/console/sign-out", {}).status_code == 303
    assert session_of(bare.goldfold.ledger, cookie[1]) is None
    del bare.cookies[Role.LEAD]
    trail = [row["action"] for row in bare.goldfold.ledger.audit.latest(5)]
    assert trail[:2] == ["console.sign-out", "console.sign-in"]


def test_a_new_sign_in_in_the_same_browser_ends_the_one_before(bare: Console) -> None:
    ledger = bare.goldfold.ledger
    old = sign_in(ledger, bare.keys[Role.LEAD], 1)
    headers = {**HTML, "Cookie": f"{COOKIE}={old}"}
    wrong = call(bare.app, "POST", "/console/sign-in", data={"key": "gf_typo"}, headers=headers)
    assert wrong.status_code == 401
    assert session_of(ledger, old) is not None
    call(bare.app, "POST", "/console/sign-in", data={"key": bare.keys[Role.VIEWER]}, headers=headers)
    assert session_of(ledger, old) is None
    ended, opened = ledger.audit.latest(2)
    assert (ended["action"], opened["action"]) == ("console.sign-out", "console.sign-in")
    assert ended["actor"] != opened["actor"]


def test_who_is_not_let_in_is_in_the_log(bare: Console) -> None:
    wrong = "gf_" + "0" * 12 + "_" + "a" * 43
    with structlog.testing.capture_logs() as logs:
        call(bare.app, "POST", "/console/sign-in", data={"key": wrong}, headers=HTML)
    (told,) = [each for each in logs if each["event"] == "console sign-in refused"]
    assert told["key_id"] == "0" * 12
    assert "a" * 43 not in str(logs)


def test_over_tls_the_cookie_goes_over_nothing_else(bare: Console) -> None:
    answer = call(
        bare.app, "POST", "https://goldfold.test/console/sign-in", data={"key": bare.keys[Role.LEAD]}, headers=HTML
    )
    assert "Secure" in answer.headers["set-cookie"].split("; ")


@pytest.mark.parametrize("key", ["", "gf_typo", "gf_" + "0" * 12 + "_" + "a" * 43])
def test_a_wrong_key_opens_nothing(bare: Console, key: str) -> None:
    answer = call(bare.app, "POST", "/console/sign-in", data={"key": key}, headers=HTML)
    assert answer.status_code in (401, 422)
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("origin", ["https://evil.test", "null", "http://goldfold.test:81"])
def test_a_sign_in_from_another_sites_page_is_refused(bare: Console, origin: str) -> None:
    form = {"key": bare.keys[Role.LEAD]}
    answer = call(bare.app, "POST", "/console/sign-in", data=form, headers={**HTML, "Origin": origin})
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_a_session_ends_with_its_time_and_with_its_key(bare: Console) -> None:
    ledger = bare.goldfold.ledger
    key, plaintext = make_key("short", Role.VIEWER)
    ledger.keys.add(key)
    assert session_of(ledger, sign_in(ledger, plaintext, -1)) is None
    cookie = sign_in(ledger, plaintext, 1)
    found = session_of(ledger, cookie)
    assert found is not None
    assert (found.session_hash, found.name, found.role) == (hash_key(cookie), "short", "viewer")
    ledger.keys.revoke(key.key_id)
    assert session_of(ledger, cookie) is None


def test_whom_a_provider_vouches_for_acts_under_one_name_each_time(bare: Console) -> None:
    ledger = bare.goldfold.ledger
    person = Person("https://id.example.com|42", "ada@example.com", Role.LEAD)
    first, second = (session_of(ledger, admit(ledger, person, 1)) for _ in range(2))
    assert first is not None
    assert second is not None
    assert first.key_id == second.key_id
    assert first.csrf != second.csrf
    assert "42" not in first.key_id.removeprefix("oidc-") or len(first.key_id) == len("oidc-") + 12


def test_sessions_that_ended_are_swept(bare: Console) -> None:
    sessions = bare.goldfold.ledger.sessions
    sign_in(bare.goldfold.ledger, bare.keys[Role.LEAD], 0.5)
    assert sessions.sweep(datetime.now(UTC) - timedelta(days=2)) == 0
    assert sessions.sweep(datetime.now(UTC) + timedelta(hours=2)) >= 1
    bare.cookies.clear()


@pytest.mark.parametrize(
    ("path", "led"),
    [
        ("/console/rounds?a=1", "/console/rounds?a=1"),
        ("//evil.test/console/", ""),
        ("https://evil.test/console/", ""),
        ("/console//evil.test", ""),
        ("/console/\\evil.test", ""),
        ("/v1/rounds", ""),
        ("", ""),
    ],
)
def test_a_sign_in_leads_back_to_the_console_and_nowhere_else(path: str, led: str) -> None:
    assert nav.safe(path) == led
