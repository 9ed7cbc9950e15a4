"""Sign-in by an OpenID Connect provider: authorisation code with PKCE (OpenID Connect Core 1.0, RFC 7636).

What a sign-in must come back with (state, nonce, the code's verifier) lies in a cookie of its own for ten minutes,
signed under a key made of the client secret. The ID token counts when its signature is that of a key of the provider,
by an asymmetric algorithm, and its issuer, audience, times and nonce are the ones expected. A key that is not known is
looked for once at the provider. No token is kept or logged: a session of the console is all that remains.
"""

from __future__ import annotations

import hmac
import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import ClaimError, ExpiredTokenError, InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet, OctKey
from joserfc.jws import JWSRegistry

from api.auth import RANK, Role
from api.console import nav
from api.console.sessions import Person
from api.errors import Forbidden, ProviderDown, SignInRefused
from configs.settings import LOOPBACK, Settings

COOKIE = "goldfold_oidc"
PATH = "/console/oidc"
CALLBACK = f"{PATH}/callback"
PENDING_S = 600  # for which somebody may stay at the provider
FRESH_S = 3600.0  # for which the provider's description is kept
DOWN_S = 5.0  # for which nobody asks again who did not answer
TIMEOUT_S = 10.0
LEEWAY_S = 60  # between the two clocks
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519")
SCOPES = ("openid", "email", "profile")
KEY_TYPES = ("RSA", "EC", "OKP")
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_ERROR = re.compile(r"[a-z_]{1,40}")
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Pending:
    """What a sign-in that has begun must come back with, and the path it leads to."""

    state: str
    nonce: str
    verifier: str
    path: str


class Provider:
    """The provider that the settings name. Safe for threads: what it keeps is replaced whole."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        secret = settings.oidc_client_secret.get_secret_value()
        self._issuer = settings.oidc_issuer or ""
        self._client_id, self._secret = settings.oidc_client_id, secret
        self._claim, self._roles = settings.oidc_claim, settings.oidc_roles
        self._default = settings.oidc_default_role
        self._callback = settings.public_url + CALLBACK
        self._key = OctKey.import_key(hmac.digest(secret.encode(), b"goldfold console sign-in", "sha256"))
        self._clock = clock
        self._described: tuple[float, Json] | None = None
        self._down: tuple[float, str] | None = None
        self._keys: Json | None = None

    def start(self, path: str) -> tuple[str, str]:
        """Where to send the browser, and what its cookie holds meanwhile. Raises ProviderDown."""
        told = self._description()
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        begun = Pending(state, nonce, verifier, nav.safe(path))
        known = told.get("scopes_supported")
        extra = [self._claim] if isinstance(known, list) and self._claim in known else []
        address = prepare_grant_uri(
            told["authorization_endpoint"],
            self._client_id,
            "code",
            redirect_uri=self._callback,
            scope=" ".join((*SCOPES, *extra)),
            state=begun.state,
            nonce=begun.nonce,
            code_challenge=create_s256_code_challenge(begun.verifier),
            code_challenge_method="S256",
        )
        return str(address), self._sealed(begun)

    def finish(self, query: Mapping[str, str], cookie: str) -> tuple[Person, str]:
        """Whom the provider vouches for, and where they were going. Raises SignInRefused, ProviderDown, Forbidden for
        somebody without a role."""
        begun = self._opened(cookie)
        if not hmac.compare_digest(begun.state.encode(), query.get("state", "").encode()):
            raise SignInRefused("the sign-in that came back is not the one that this browser began: begin again")
        if query.get("iss", self._issuer) != self._issuer:
            raise SignInRefused("the answer names another issuer than oidc_issuer: check it, and begin again")
        if "code" not in query:
            raise SignInRefused(f"the identity provider let nobody in ({_code(query.get('error'))}): begin again")
        token = self._token(query["code"], begun.verifier)
        claims = self._claims(token, begun.nonce)
        return Person(str(claims["sub"]), name_of(claims), self._role(claims)), nav.safe(begun.path)

    def _sealed(self, begun: Pending) -> str:
        claims = {name: getattr(begun, name) for name in ("state", "nonce", "verifier", "path")}
        return jwt.encode({"alg": "HS256"}, {**claims, "exp": int(time.time()) + PENDING_S}, self._key)

    def _opened(self, cookie: str) -> Pending:
        try:
            claims = jwt.decode(cookie, self._key, algorithms=["HS256"]).claims
            if claims["exp"] < time.time():
                raise SignInRefused("the sign-in took longer than ten minutes: begin again")
            return Pending(*(str(claims[name]) for name in ("state", "nonce", "verifier", "path")))
        except (JoseError, KeyError, ValueError) as error:
            raise SignInRefused("this browser has begun no sign-in, or its cookie is lost: begin again") from error

    def _description(self) -> Json:
        """The provider's own (OpenID Connect Discovery 1.0, section 4), kept for an hour."""
        now = self._clock()
        if self._described is not None and now - self._described[0] < FRESH_S:
            return self._described[1]
        if self._down is not None and now - self._down[0] < DOWN_S:
            raise ProviderDown(self._down[1], round(DOWN_S))
        try:
            told = self._get(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
            self._check(told)
        except ProviderDown as error:
            self._down = (now, str(error))
            raise
        self._described = (now, told)
        return told

    def _check(self, told: Json) -> None:
        if told.get("issuer") != self._issuer:
            raise ProviderDown(
                "the identity provider calls itself otherwise than oidc_issuer says: write it as it does"
            )
        for name in ENDPOINTS:
            parts = urlsplit(str(told.get(name, "")))
            if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
                raise ProviderDown(f"the identity provider tells no safe {name}: it must be an https address")

    def _get(self, address: str) -> Json:
        try:
            answer = httpx.get(address, timeout=TIMEOUT_S, headers={"Accept": "application/json"})
        except httpx.HTTPError as error:
            raise _down(type(error).__name__) from error
        return _object(answer)

    def _token(self, code: str, verifier: str) -> str:
        """The ID token that the code buys."""
        told = self._description()
        body = prepare_token_request(
            "authorization_code", redirect_uri=self._callback, code=code, code_verifier=verifier
        )
        headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
        ways = told.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        way = "client_secret_basic" if "client_secret_basic" in ways else "client_secret_post"
        address, headers, body = ClientAuth(self._client_id, self._secret, way).prepare(
            "POST", told["token_endpoint"], headers, body
        )
        try:
            answer = httpx.post(address, content=body, headers=headers, timeout=TIMEOUT_S)
        except httpx.HTTPError as error:
            raise _down(type(error).__name__) from error
        if answer.is_client_error:
            said = _code(_json(answer).get("error"))
            cure = "check oidc_client_id and oidc_client_secret" if said == "invalid_client" else "begin again"
            raise SignInRefused(f"the identity provider refused the sign-in's code ({said}): {cure}")
        found = _object(answer).get("id_token")
        if not isinstance(found, str):
            raise SignInRefused("the identity provider gave no ID token: let the client ask for the scope openid")
        return found

    def _claims(self, token: str, nonce: str) -> Json:
        """What an ID token says, once all of it holds (OpenID Connect Core 1.0, section 3.1.3.7)."""
        try:
            read = self._read(token)
            options = {
                "iss": {"essential": True, "value": self._issuer},
                "aud": {"essential": True, "value": self._client_id},
            }
            params = {"nonce": nonce, "client_id": self._client_id}
            claims = CodeIDToken(read.claims, read.header, options, params)
            claims.validate(leeway=LEEWAY_S)
        except ExpiredTokenError as error:
            raise SignInRefused("the ID token has expired: check both machines' clocks, and begin again") from error
        except ClaimError as error:
            raise SignInRefused(f"the ID token's {error.claim} is not the one expected: begin again") from error
        except (JoseError, ValueError) as error:
            raise SignInRefused(
                "the ID token's signature is of no key of the identity provider: begin again"
            ) from error
        return dict(claims)

    def _read(self, token: str) -> jwt.Token:
        """An ID token under a key of the provider's; one that is unknown is looked for once."""
        said = self._description().get("id_token_signing_alg_values_supported") or ["RS256"]
        registry = JWSRegistry(algorithms=[name for name in ALGORITHMS if name in said], strict_check_header=False)
        try:
            return jwt.decode(token, self._key_set(), registry=registry)
        except InvalidKeyIdError:
            self._keys = None
            return jwt.decode(token, self._key_set(), registry=registry)

    def _key_set(self) -> KeySet:
        """The provider's public keys; a secret among them is no key to us."""
        if self._keys is None:
            found = self._get(self._description()["jwks_uri"]).get("keys")
            keys = found if isinstance(found, list) else []
            self._keys = {"keys": [key for key in keys if isinstance(key, dict) and key.get("kty") in KEY_TYPES]}
        return KeySet.import_key_set(self._keys)  # type: ignore[arg-type]

    def _role(self, claims: Mapping[str, Any]) -> Role:
        """The highest that a value of the claim gives."""
        said = _within(claims, self._claim)
        values = said if isinstance(said, list) else [said]
        known = [self._roles[value] for value in values if isinstance(value, str) and value in self._roles]
        if found := max(known, key=RANK.__getitem__, default=self._default):
            return Role(found)
        raise Forbidden(
            f"you are known, as {name_of(claims)}, but have no role here: ask whoever runs Goldfold to give a role to "
            f"one of your {self._claim} (oidc_roles)"
        )


def name_of(claims: Mapping[str, Any]) -> str:
    """How somebody is called: by their e-mail address where the provider has verified it. Results are told by address,
    so that no other name may look like one."""
    email = claims.get("email")
    if isinstance(email, str) and claims.get("email_verified") is True:
        return email.strip().casefold()
    names = (claims.get("name"), claims.get("preferred_username"))
    known = (name.strip() for name in names if isinstance(name, str) and name.strip() and "@" not in name)
    return next(known, "somebody without a verified address")[:80]


def _within(claims: Mapping[str, Any], name: str) -> object:
    if name in claims:
        return claims[name]
    found: object = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _code(said: object) -> str:
    """An error code of OAuth; nothing else of a foreign answer is shown."""
    return said if isinstance(said, str) and _ERROR.fullmatch(said) else "no reason given"


def _down(why: str) -> ProviderDown:
    return ProviderDown(
        f"the identity provider does not answer ({why}): sign in with an API key meanwhile, or check oidc_issuer",
        round(DOWN_S),
    )


def _json(answer: httpx.Response) -> Json:
    try:
        told = answer.json()
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _object(answer: httpx.Response) -> Json:
    if answer.status_code != httpx.codes.OK:
        raise _down(f"status {answer.status_code}")
    if not (told := _json(answer)):
        raise _down("its answer is no JSON object")
    return told
