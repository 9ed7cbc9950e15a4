"""An OpenID Connect provider on this machine, for tests: discovery, authorisation code with PKCE, tokens, keys. It lets
everybody in as the person it is told of, and lies in its ID tokens where a test says so."""

from __future__ import annotations

import base64
import hmac
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "goldfold", "s3cret-of-a-client"
Json = dict[str, Any]


def made_key(kid: str) -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": kid, "use": "sig"})


@dataclass
class OidcProvider:
    """``person``: claims of whoever comes. ``lies``: claims of the next ID tokens in place of the true ones (None: left
    out); ``forge`` makes a token of the true claims in place of an honest signature. ``asked``: paths, in order."""

    issuer: str = ""
    person: Json = field(default_factory=lambda: {"sub": "u-1"})
    lies: Json = field(default_factory=dict)
    forge: str = ""
    key: RSAKey = field(default_factory=lambda: made_key("k1"))
    is_down: bool = False
    tells: Json = field(default_factory=dict)  # what discovery says otherwise
    asked: list[str] = field(default_factory=list)
    codes: dict[str, Json] = field(default_factory=dict)

    def describe(self) -> Json:
        paths = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "jwks"}
        return {
            "issuer": self.issuer,
            **{name: f"{self.issuer}/{path}" for name, path in paths.items()},
            "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
            "scopes_supported": ["openid", "email", "profile", "groups"],
            **self.tells,
        }

    def authorize(self, query: dict[str, str]) -> str:
        """Where the browser goes on to."""
        assert query["response_type"] == "code"
        assert query["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(8)
        self.codes[code] = query
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state'], 'iss': self.issuer})}"

    def token(self, form: dict[str, str], authorization: str) -> tuple[int, Json]:
        if authorization != "Basic " + base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode():
            return 401, {"error": "invalid_client"}
        query = self.codes.pop(form["code"], None)  # a code buys once
        challenge = _packed(sha256(form["code_verifier"].encode()).digest())
        if query is None or (challenge, form["redirect_uri"]) != (query["code_challenge"], query["redirect_uri"]):
            return 400, {"error": "invalid_grant"}
        return 200, {"access_token": "a", "token_type": "Bearer", "id_token": self._id_token(query["nonce"])}

    def _id_token(self, nonce: str) -> str:
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": nonce, **self.person}
        claims = {name: value for name, value in (claims | self.lies).items() if value is not None}
        if self.forge in ("none", "HS256"):
            body = ".".join(_packed(json.dumps(x).encode()) for x in ({"alg": self.forge, "kid": self.key.kid}, claims))
            shared = self.key.as_pem(private=False)  # known to everybody, as if it were a shared secret
            return f"{body}.{'' if self.forge == 'none' else _packed(hmac.digest(shared, body.encode(), 'sha256'))}"
        key = made_key(str(self.key.kid)) if self.forge == "stranger" else self.key
        return jwt.encode({"alg": "RS256", "kid": key.kid}, claims, key)


def _packed(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


@contextmanager
def oidc_provider(**given: Any) -> Iterator[OidcProvider]:
    """A provider, as long as the block runs."""
    provider = OidcProvider(**given)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            provider.asked.append(parts.path)
            if parts.path == "/authorize":
                self.send_response(302)
                self.send_header("Location", provider.authorize({n: v[0] for n, v in parse_qs(parts.query).items()}))
                self.end_headers()
            elif parts.path == "/jwks":
                self._say(200, {"keys": [provider.key.as_dict(private=False)]})
            else:
                self._say(200, provider.describe())

        def do_POST(self) -> None:
            provider.asked.append(self.path)
            if provider.is_down:
                self._say(503, {})
                return
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self._say(*provider.token({n: v[0] for n, v in form.items()}, self.headers.get("Authorization", "")))

        def _say(self, status: int, told: Json) -> None:
            content = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    provider.issuer = f"http://127.0.0.1:{server.server_port}"
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
