"""Who may do what: API keys, their roles, and the dependency that guards a route.

A key reads ``gf_<key id>_<secret>``. The secret is 256 random bits, so one SHA-256 is enough to keep it at rest:
slow hashes (bcrypt, argon2) protect secrets that can be guessed, and this one cannot be, while every request pays.
A key that was found live is taken as such for ``FRESH_S`` seconds without asking the ledger again.
"""

from __future__ import annotations

import hmac
import re
import secrets
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache, partial
from hashlib import sha256
from typing import Annotated, Any, Protocol

import anyio
import anyio.to_thread
from fastapi import Depends, Request
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from api.errors import Forbidden, Unauthenticated
from labeling.errors import InvalidInput
from labeling.records import ApiKey
from labeling.session_records import ConsoleSession
from labeling.store.audit_interface import Audit
from labeling.store.interfaces import Keys
from labeling.store.session_interface import Sessions

KEY_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,80}")
FRESH_S = 2.0
STRANGERS = 4  # look-ups at a time of keys that were not found live a moment ago
COOKIE = "goldfold_session"  # of who is signed in at the console (``api.console.sessions``)
INSIDE = "goldfold.caller"  # of a request's scope, which nobody outside writes to: as whom the console asks
KEY = re.compile(r"gf_(?P<key_id>[0-9a-f]{12})_[A-Za-z0-9_-]{43}", re.ASCII)


class Role(StrEnum):
    """Roles in rising order: each may do what the ones before it may. An annotator sees their own results, and nothing
    that tells of an item what a model or anybody else says."""

    ANNOTATOR = "annotator"
    VIEWER = "viewer"
    ENGINEER = "engineer"
    LEAD = "lead"
    ADMIN = "admin"


RANK = {str(role): rank for rank, role in enumerate(Role)}


class Access(Protocol):
    """The part of the ledger that access needs."""

    @property
    def keys(self) -> Keys: ...

    @property
    def sessions(self) -> Sessions: ...

    @property
    def audit(self) -> Audit: ...


def hash_key(plaintext: str) -> str:
    """What is kept of a key: SHA-256, hex."""
    return sha256(plaintext.encode()).hexdigest()


def make_key(name: str, role: Role) -> tuple[ApiKey, str]:
    """A new key: the row to keep, and the plaintext, which nobody can read again. Raises InvalidInput (name)."""
    if not KEY_NAME.fullmatch(name.strip()):
        raise InvalidInput("name: must be 1 to 80 printable characters that say what the key is for")
    key_id = secrets.token_hex(6)
    plaintext = f"gf_{key_id}_{secrets.token_urlsafe(32)}"
    return ApiKey(key_id, name.strip(), role.value, hash_key(plaintext), datetime.now(UTC)), plaintext


def ensure_first_key(keys: Keys) -> str | None:
    """Create the first admin key and return its plaintext, to be shown once; None when there is any key already."""
    if keys.all():
        return None
    key, plaintext = make_key("first admin", Role.ADMIN)
    keys.add(key)
    return plaintext


def verify(keys: Keys, plaintext: str) -> ApiKey | None:
    """The live key that ``plaintext`` is, or None.

    The look-up is by hash, which a caller cannot steer towards a stored one byte by byte; the comparison takes the
    same time wherever the two differ.
    """
    shape = KEY.fullmatch(plaintext)
    if shape is None:
        return None
    wanted = hash_key(plaintext)
    found = keys.by_hash(wanted)
    if found is None or found.revoked_at is not None or found.key_id != shape["key_id"]:
        return None
    return found if hmac.compare_digest(found.key_hash, wanted) else None


def session_of(ledger: Access, cookie: str) -> ConsoleSession | None:
    """The live session whose cookie this is; None when it has ended, or the key that it was opened with was revoked."""
    found = ledger.sessions.find(hash_key(cookie), datetime.now(UTC))
    if found is None or (found.key_hash and ledger.keys.by_hash(found.key_hash) is None):
        return None
    return found


def acting(session: ConsoleSession) -> ApiKey:
    """As whom the holder of a session acts."""
    return ApiKey(session.key_id, session.name, session.role, session.key_hash, session.created_at)


@dataclass(frozen=True, slots=True)
class _Seen:
    key: ApiKey
    at_s: float
    revocations: int


class KeyRing:
    """Finds keys in the ledger, and remembers the live ones, so that who asks often costs no look-up each time.

    A key that is revoked through the same ledger opens nothing from then on; one that another process revokes, nothing
    ``FRESH_S`` seconds later. The ring grows no larger than the number of keys. It is used on one event loop.
    """

    def __init__(self, keys: Keys, clock: Callable[[], float] = time.monotonic) -> None:
        self._keys = keys
        self._clock = clock
        self._seen: dict[str, _Seen] = {}
        self._strangers = anyio.CapacityLimiter(STRANGERS)

    async def find(self, plaintext: str) -> ApiKey | None:
        """The live key that ``plaintext`` is, or None."""
        if not KEY.fullmatch(plaintext):
            return None
        name = hash_key(plaintext)
        seen = self._seen.get(name)
        # Both are read before the look-up: what is revoked during it, its answer does not know.
        revocations, now_s = self._keys.revocations, self._clock()
        if seen is not None and seen.revocations == revocations and now_s - seen.at_s < FRESH_S:
            return seen.key
        # Whoever guesses keys waits for others who do, and keeps no key that was live just now from being looked up.
        limiter = None if seen is not None else self._strangers
        key = await anyio.to_thread.run_sync(partial(verify, self._keys, plaintext), limiter=limiter)
        if key is None:
            self._seen.pop(name, None)
        else:
            self._seen[name] = _Seen(key, now_s, revocations)
        return key


bearer = HTTPBearer(auto_error=False, description="An API key: gf_...")
header = APIKeyHeader(name="X-API-Key", auto_error=False, description="The same key, for clients without Bearer.")


async def access(request: Request) -> Access:
    """The app's keys and audit trail. Like all that waits for nothing it is async: no thread is asked for it."""
    ledger: Access = request.app.state.goldfold.ledger
    return ledger


async def authenticate(
    request: Request,
    authorization: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
    api_key: Annotated[str | None, Depends(header)],
) -> ApiKey:
    """The key of this request. A session of the console opens nothing here: what it may see, the console's own pages
    tell, without content that nobody asked for. Raises Unauthenticated."""
    inside: ApiKey | None = request.scope.get(INSIDE)
    if inside is not None:
        request.state.key_id = inside.key_id
        return inside
    plaintext = authorization.credentials if authorization else api_key
    if not plaintext:
        raise Unauthenticated("no API key: send it as Authorization: Bearer gf_... (or as X-API-Key)")
    ring: KeyRing = request.app.state.keyring
    key = await ring.find(plaintext)
    if key is None:
        raise Unauthenticated("the API key is not valid: it is mistyped, unknown or revoked")
    request.state.key_id = key.key_id
    return key


@cache
def require(role: Role) -> Callable[[ApiKey], Coroutine[Any, Any, ApiKey]]:
    """A dependency that answers with the caller's key when its role is ``role`` or above. Raises Forbidden."""

    async def allowed(key: Annotated[ApiKey, Depends(authenticate)]) -> ApiKey:
        if RANK.get(key.role, -1) < RANK[role]:
            raise Forbidden(f"this needs the role {role} or above; the key {key.key_id} has the role {key.role}")
        return key

    return allowed


Annotator = Annotated[ApiKey, Depends(require(Role.ANNOTATOR))]
Viewer = Annotated[ApiKey, Depends(require(Role.VIEWER))]
Engineer = Annotated[ApiKey, Depends(require(Role.ENGINEER))]
Lead = Annotated[ApiKey, Depends(require(Role.LEAD))]
Admin = Annotated[ApiKey, Depends(require(Role.ADMIN))]
