"""Signing in at the console: an API key opens a session, whose cookie no script can read.

The cookie holds 256 random bits; the ledger keeps their SHA-256, as it does of keys (``api.auth``). A session ends
with its time, with a sign-out, or with the key it was opened with. Cookies are ``HttpOnly`` and ``SameSite=Lax``, and
``Secure`` wherever the request, or ``public_url``, says TLS. Whatever changes something takes a POST with the
session's ``csrf``.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from urllib.parse import urlsplit

import anyio.to_thread
import structlog
from fastapi import Request
from fastapi.responses import Response

from api.auth import COOKIE, KEY, Access, Role, acting, hash_key, session_of, verify
from api.errors import Forbidden, Unauthenticated
from labeling.records import ApiKey
from labeling.session_records import ConsoleSession

log = structlog.get_logger("api")
CSRF = "csrf"
KEPT = timedelta(days=1)  # ended sessions are swept when somebody signs in


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks: acts as ``key``. ``csrf``: what a form of theirs must send along; "" for who came with a key in the
    header, whom no foreign page can send."""

    key: ApiKey
    csrf: str

    @property
    def role(self) -> Role:
        return Role(self.key.role)


@dataclass(frozen=True, slots=True)
class Person:
    """Whom an identity provider vouched for: ``subject`` is its own name for them, unique and never given again."""

    subject: str
    name: str
    role: Role


def sign_in(ledger: Access, plaintext: str, hours: float) -> str:
    """Open a session with a key; what its cookie holds. Raises Unauthenticated."""
    key = verify(ledger.keys, plaintext.strip())
    if key is None:
        shape = KEY.fullmatch(plaintext.strip())
        refused("the API key is not valid", shape["key_id"] if shape else "")
        raise Unauthenticated("the API key is not valid: it is mistyped, unknown or revoked")
    return _open(ledger, ConsoleSession("", key.key_hash, key.key_id, key.name, key.role, "", *_span(hours)))


def admit(ledger: Access, person: Person, hours: float) -> str:
    """Open a session for somebody whom the identity provider vouched for; what its cookie holds."""
    acts_as = f"oidc-{sha256(person.subject.encode()).hexdigest()[:12]}"
    return _open(ledger, ConsoleSession("", "", acts_as, person.name, person.role.value, "", *_span(hours)))


def sign_out(ledger: Access, request: Request) -> None:
    """End the session of this request's cookie, if there is one: also of who signs in anew in the same browser."""
    cookie = request.cookies.get(COOKIE)
    found = session_of(ledger, cookie) if cookie else None
    if found is not None:
        ledger.sessions.end(found.session_hash)
        ledger.audit.add(found.key_id, "console.sign-out", found.key_id, {"name": found.name, "role": found.role})


def refused(why: str, key_id: str = "") -> None:
    """Somebody was not let in. That goes into the log, as a key that opens nothing on the API does, and is counted with
    the requests: the audit trail is of those who are known, and a stranger could write into it without end."""
    log.warning("console sign-in refused", why=why, key_id=key_id)


async def visitor_of(ledger: Access, cookie: str) -> Visitor | None:
    """Who holds a session's cookie; None when it has ended, or its key was revoked."""
    return await anyio.to_thread.run_sync(_visitor, ledger, cookie)


def check_csrf(visitor: Visitor, given: str) -> None:
    """Raises Forbidden where a form does not carry its session's own token."""
    if visitor.csrf and not hmac.compare_digest(visitor.csrf, given):
        raise Forbidden("the form is older than your session: load the page again, and send it once more")


def check_origin(request: Request) -> None:
    """Raises Forbidden for a sign-in that another site's page sent."""
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.url.netloc:
        raise Forbidden(f"the form came from {origin}: sign in on this site's own page")


def set_cookie(response: Response, cookie: str, hours: float, *, secure: bool) -> None:
    """Hand the browser its session. ``secure``: it comes over TLS, and the cookie is to go over nothing else."""
    response.set_cookie(
        COOKIE, cookie, max_age=round(hours * 3600), path="/", secure=secure, httponly=True, samesite="lax"
    )


def _visitor(ledger: Access, cookie: str) -> Visitor | None:
    found = session_of(ledger, cookie)
    return None if found is None else Visitor(acting(found), found.csrf)


def _open(ledger: Access, session: ConsoleSession) -> str:
    cookie = secrets.token_urlsafe(32)
    ledger.sessions.sweep(session.created_at - KEPT)
    ledger.sessions.open(replace(session, session_hash=hash_key(cookie), csrf=secrets.token_urlsafe(32)))
    ledger.audit.add(session.key_id, "console.sign-in", session.key_id, {"name": session.name, "role": session.role})
    return cookie


def _span(hours: float) -> tuple[datetime, datetime]:
    now = datetime.now(UTC)
    return now, now + timedelta(hours=hours)
