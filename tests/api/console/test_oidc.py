from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from fastapi import FastAPI
from pydantic import ValidationError

from api import auth
from api.auth import Role
from api.console import oidc
from api.console.oidc import Provider, name_of
from api.console.sessions import Person
from api.errors import ProviderDown
from api.server import build_app
from api.service import Service
from configs.settings import Settings
from tests.api.client import call
from tests.api.site import WordGoldfold, settings
from tests.oidc_provider import CLIENT, SECRET, OidcProvider, made_key, oidc_provider

PERSON = {"sub": "u-1", "email": "Ana@Example.org", "email_verified": True, "name": "Ana", "groups": ["leads", "x"]}
START = "/console/oidc/start"


@pytest.fixture(scope="module")
def running() -> Iterator[OidcProvider]:
    with oidc_provider(person=PERSON) as provider:
        yield provider


@pytest.fixture(autouse=True)
def provider(running: OidcProvider) -> OidcProvider:
    """Honest again."""
    running.lies, running.tells, running.forge, running.is_down = {}, {}, "", False
    running.asked.clear()
    return running


@pytest.fixture(scope="module")
def app(running: OidcProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    given = {**as_client(running), "oidc_name": "Umbrella"}
    goldfold = WordGoldfold(settings(tmp_path_factory.mktemp("oidc"), **given))
    with Service(goldfold.settings, goldfold) as service:
        yield build_app(service)
    goldfold.close()


def as_client(provider: OidcProvider) -> dict[str, Any]:
    return {
        "public_url": "http://goldfold.test",
        "oidc_issuer": provider.issuer,
        "oidc_client_id": CLIENT,
        "oidc_client_secret": SECRET,
        "oidc_roles": {"leads": "lead", "makers": "engineer"},
    }


def begin(app: FastAPI, path: str = "/console/rounds") -> tuple[str, str]:
    """(where the browser is sent, its cookie)."""
    answer = call(app, "GET", f"{START}?next={path}")
    assert answer.status_code == 303, answer.text
    held = answer.headers["set-cookie"]
    assert "HttpOnly" in held
    assert "SameSite=lax" in held
    assert "Path=/console/oidc" in held
    return answer.headers["location"], answer.cookies[oidc.COOKIE]


def back(address: str) -> str:
    """The callback's address that the provider sends the browser to."""
    return str(httpx.get(address).headers["location"])


def land(app: FastAPI, address: str, cookie: str) -> httpx.Response:
    parts = urlsplit(address)
    return call(app, "GET", f"{parts.path}?{parts.query}", headers={"Cookie": f"{oidc.COOKIE}={cookie}"})


def signed_in(app: FastAPI) -> httpx.Response:
    address, cookie = begin(app)
    return land(app, back(address), cookie)


def test_somebody_signs_in_and_is_let_in_by_their_group(
    app: FastAPI, provider: OidcProvider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert "Sign in with Umbrella" in call(app, "GET", "/console/sign-in").text
    address, cookie = begin(app)
    query = parse_qs(urlsplit(address).query)
    assert query["scope"] == ["openid email profile groups"]
    answer = land(app, back(address), cookie)
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/rounds")
    session = answer.cookies[auth.COOKIE]
    page = call(app, "GET", "/console/rounds", headers={"Cookie": f"{auth.COOKIE}={session}"})
    assert "ana@example.org <small>lead</small>" in page.text
    assert sign_ins(app)[0] == {"name": "ana@example.org", "role": "lead"}
    told = " ".join(row.getMessage() for row in caplog.records if "http://goldfold.test" not in row.getMessage())
    assert provider.issuer in told
    for secret in (SECRET, cookie, session, "id_token", "code="):
        assert secret not in told


@pytest.mark.parametrize(
    ("lies", "said"),
    [
        ({"nonce": "of another"}, "nonce"),
        ({"nonce": None}, "nonce"),
        ({"aud": "somebody-else"}, "aud"),
        ({"aud": [CLIENT, "somebody-else"]}, "azp"),
        ({"iss": "http://127.0.0.1:1"}, "iss"),
        ({"exp": int(time.time()) - 300}, "expired"),
        ({"exp": None}, "exp"),
        ({"sub": None}, "sub"),
    ],
)
def test_an_id_token_that_lies_lets_nobody_in(
    app: FastAPI, provider: OidcProvider, lies: dict[str, Any], said: str
) -> None:
    provider.lies = lies
    refused(signed_in(app), 401, said)


@pytest.mark.parametrize("forge", ["none", "HS256", "stranger"])
def test_a_forged_signature_lets_nobody_in(app: FastAPI, provider: OidcProvider, forge: str) -> None:
    provider.forge = forge
    refused(signed_in(app), 401, "signature")


def test_a_new_key_of_the_provider_is_looked_for_once(app: FastAPI, provider: OidcProvider) -> None:
    assert signed_in(app).status_code == 303
    provider.asked.clear()
    assert signed_in(app).status_code == 303
    assert provider.asked.count("/jwks") == 0
    provider.key = made_key("k2")
    assert signed_in(app).status_code == 303
    assert provider.asked.count("/jwks") == 1
    provider.key, provider.forge = made_key("k3"), "stranger"
    refused(signed_in(app), 401, "signature")
    assert provider.asked.count("/jwks") == 2


def test_a_code_and_a_state_serve_once_and_one_browser(app: FastAPI) -> None:
    address, cookie = begin(app)
    landing = back(address)
    other = begin(app)[1]
    refused(land(app, landing, other), 401, "not the one that this browser began")
    refused(land(app, landing, ""), 401, "begun no sign-in")
    refused(land(app, landing, cookie[:-4] + "AAAA"), 401, "begun no sign-in")
    assert land(app, landing, cookie).status_code == 303
    refused(land(app, landing, cookie), 401, "invalid_grant")


def test_what_the_provider_refuses_is_said_and_nothing_else_of_it(app: FastAPI) -> None:
    address, cookie = begin(app)
    state = parse_qs(urlsplit(address).query)["state"][0]
    for error, said in (("access_denied", "access_denied"), ("<b>x</b>", "no reason given")):
        query = urlencode({"state": state, "error": error})
        answer = land(app, f"http://goldfold.test{oidc.CALLBACK}?{query}", cookie)
        refused(answer, 401, said)
        assert "<b>x" not in answer.text


def test_who_has_no_role_is_told_whom_to_ask(app: FastAPI, provider: OidcProvider) -> None:
    for groups in ([], ["others"], None, 7):
        provider.lies = {"groups": groups}
        refused(signed_in(app), 403, "no role here")
    provider.lies = {"groups": "makers"}
    assert signed_in(app).status_code == 303


def test_a_default_role_and_a_claim_within_another(provider: OidcProvider, tmp_path: Path) -> None:
    more = {"oidc_claim": "realm.roles", "oidc_default_role": "annotator", "oidc_roles": {"a": "lead", "b": "viewer"}}
    there = Provider(settings(tmp_path, **{**as_client(provider), **more}))
    for lies, role in (({"realm": {"roles": ["b", "a"]}}, Role.LEAD), ({}, Role.ANNOTATOR)):
        provider.lies = lies
        address, cookie = there.start("/console/me")
        query = {name: values[0] for name, values in parse_qs(urlsplit(back(address)).query).items()}
        assert there.finish(query, cookie) == (Person("u-1", "ana@example.org", role), "/console/me")
    assert there.start("https://else.test")[1].count(".") == 2
    address, cookie = there.start("//else.test")
    query = {name: values[0] for name, values in parse_qs(urlsplit(back(address)).query).items()}
    assert there.finish(query, cookie)[1] == ""  # nobody is sent to another site


def test_a_provider_that_is_down_is_said_with_the_cure(app: FastAPI, provider: OidcProvider) -> None:
    address, cookie = begin(app)
    landing = back(address)
    provider.is_down = True
    refused(land(app, landing, cookie), 503, "sign in with an API key meanwhile")


@pytest.mark.parametrize(
    ("tells", "said"),
    [
        ({"issuer": "https://else.test"}, "calls itself otherwise"),
        ({"token_endpoint": "http://else.test/token"}, "no safe token_endpoint"),
    ],
)
def test_a_provider_that_is_not_who_it_should_be_is_sent_nobody(
    provider: OidcProvider, tmp_path: Path, tells: dict[str, str], said: str
) -> None:
    provider.tells = tells
    clock = [0.0]
    there = Provider(settings(tmp_path, **as_client(provider)), lambda: clock[0])
    for asked in (1, 1, 2):
        with pytest.raises(ProviderDown, match=said):
            there.start("")
        assert len(provider.asked) == asked  # it is not asked again at once
        clock[0] += 3


def test_nobody_is_called_by_an_address_that_is_not_theirs() -> None:
    assert name_of({"email": " A@x.org", "email_verified": True, "name": "B"}) == "a@x.org"
    assert name_of({"email": "a@x.org", "name": "B"}) == "B"
    assert (
        name_of({"email": "a@x.org", "email_verified": "true", "name": "a@x.org"})
        == "somebody without a verified address"
    )


def test_settings_that_would_let_nobody_in_or_tell_secrets_are_refused(tmp_path: Path) -> None:
    whole: dict[str, Any] = {"oidc_client_id": "a", "oidc_client_secret": "b", "oidc_roles": {"x": "lead"}}
    assert Settings(oidc_issuer="https://id.test/", **whole).oidc_issuer == "https://id.test/"
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"oidc_issuer": "http://id.test", **whole}, "https"),
        ({"oidc_issuer": "https://id.test"}, "go together"),
        ({"oidc_issuer": "https://id.test", **whole, "oidc_roles": {}}, "oidc_roles"),
        ({"oidc_issuer": "https://id.test", **whole, "oidc_roles": {"x": "king"}}, "king"),
    ]
    for given, said in wrong:
        with pytest.raises(ValidationError, match=said):
            Settings(**given)


def refused(answer: httpx.Response, status: int, said: str) -> None:
    assert answer.status_code == status, answer.text
    assert "text/html" in answer.headers["content-type"]
    assert said in answer.text
    assert auth.COOKIE not in answer.cookies


def sign_ins(app: FastAPI) -> list[Any]:
    """What the audit trail says of them, the newest first."""
    rows = app.state.goldfold.ledger.audit.latest()
    return [row["detail"] for row in rows if row["action"] == "console.sign-in"]
