"""People's accounts over plain HTTP: the free edition has no call that makes an account with a password."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import httpx

from labeling.errors import InvalidInput, StudioRefused, StudioUnauthorized, StudioUnreachable
from labeling.studio.client import StudioClient
from labeling.studio.transport import LOOPBACK

MIN_PASSWORD = 8
MAX_PASSWORD = 128
TIMEOUT_S = 60.0


def create_account(base_url: str, admin_token: str, email: str, password: str) -> str:
    """Sign somebody up through an invite link, or log in when the account is there; its legacy token.

    The password is 8..128 characters. Raises InvalidInput for one that is not, StudioUnauthorized when the account
    is there with another password, StudioRefused when the server will not have it.
    """
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise InvalidInput(f"password: {MIN_PASSWORD} to {MAX_PASSWORD} characters are needed")
    with StudioClient(base_url, admin_token, TIMEOUT_S) as admin:
        base_url = admin.base_url
        known = {address.casefold() for address in admin.people().values()}
        path = "/user/login/" if email.casefold() in known else admin.invite_path()
    local = urlsplit(base_url).hostname in LOOPBACK
    with httpx.Client(base_url=base_url, timeout=TIMEOUT_S, trust_env=not local) as browser:
        try:
            return _enter(browser, path, email, password)
        except httpx.TransportError as error:
            raise StudioUnreachable(f"Label Studio at {base_url} does not answer ({type(error).__name__})") from None


def _enter(browser: httpx.Client, path: str, email: str, password: str) -> str:
    """Fill in the login or sign-up form and read the account's token in the session it opens."""
    browser.get(path)
    form = {
        "email": email,
        "password": password,
        "allow_newsletters": "false",
        "csrfmiddlewaretoken": browser.cookies.get("csrftoken", ""),
    }
    answer = browser.post(path, data=form, headers={"Referer": str(browser.base_url.join(path))})
    if answer.status_code != httpx.codes.FOUND:  # both forms answer 200 and show themselves again when they refuse
        if "token" in parse_qs(urlsplit(path).query):
            raise StudioRefused(f"Label Studio refuses to make an account for {email!r}: is that an e-mail address?")
        raise StudioUnauthorized(f"Label Studio has an account {email!r} with another password")
    token = browser.get("/api/current-user/token")
    value = token.json().get("token") if token.status_code == httpx.codes.OK else None
    if not isinstance(value, str):
        raise StudioUnauthorized(
            f"Label Studio gives {email!r} no legacy token: enable them under Organization > API Tokens Settings"
        )
    return value
