from __future__ import annotations

import pytest

from labeling.errors import InvalidInput, StudioRefused, StudioUnauthorized, StudioUnreachable
from labeling.studio.accounts import create_account
from labeling.studio.client import StudioClient
from labeling.studio.embedded import EmbeddedStudio

EMAIL = "newcomer@goldfold.example"


@pytest.mark.studio
def test_an_account_is_made_once(studio_server: EmbeddedStudio) -> None:
    admin = studio_server.account.token
    token = create_account(studio_server.base_url, admin, EMAIL, "a good password")
    assert create_account(studio_server.base_url + "/", admin, EMAIL.upper(), "a good password") == token
    with StudioClient(studio_server.base_url, token) as client:
        assert client.whoami() == EMAIL
    with pytest.raises(StudioUnauthorized, match="another password"):
        create_account(studio_server.base_url, admin, EMAIL, "another password")


@pytest.mark.studio
def test_what_the_server_will_not_have(studio_server: EmbeddedStudio) -> None:
    with pytest.raises(StudioRefused, match="is that an e-mail address"):
        create_account(studio_server.base_url, studio_server.account.token, "nobody", "a good password")
    with pytest.raises(StudioUnauthorized):
        create_account(studio_server.base_url, "0" * 40, "somebody@goldfold.example", "a good password")


@pytest.mark.parametrize("password", ["short", "x" * 129])
def test_a_password_has_a_length(password: str) -> None:
    with pytest.raises(InvalidInput, match=r"^password:"):
        create_account("http://127.0.0.1:9", "x", EMAIL, password)


def test_a_server_that_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labeling.studio.transport.FIRST_WAIT_S", 0.001)
    with pytest.raises(StudioUnreachable):
        create_account("http://127.0.0.1:9", "x", EMAIL, "a good password")
