from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest
from fastapi import APIRouter, Depends
from hypothesis import given
from hypothesis import strategies as st

from api.app import create_app
from api.auth import (
    FRESH_S,
    STRANGERS,
    Admin,
    Annotator,
    Engineer,
    KeyRing,
    Lead,
    Role,
    Viewer,
    ensure_first_key,
    hash_key,
    make_key,
    require,
    verify,
)
from labeling.records import ApiKey
from tests.api.client import OPEN, Shell, answers_without_key, assert_problem, call, routes


class Ring:
    """Keys kept in a dictionary, for what needs no ledger."""

    def __init__(self) -> None:
        self.kept: dict[str, ApiKey] = {}
        self.revocations = 0
        self.asked = 0
        self.during: Callable[[], None] = lambda: None  # what happens while a look-up runs

    def add(self, key: ApiKey) -> None:
        self.kept[key.key_id] = key

    def by_hash(self, key_hash: str) -> ApiKey | None:
        self.asked += 1
        found = next((key for key in self.kept.values() if key.key_hash == key_hash), None)
        self.during()
        return found

    def all(self) -> list[ApiKey]:
        return list(self.kept.values())

    def revoke(self, key_id: str) -> None:
        self.revoke_elsewhere(key_id)
        self.revocations += 1

    def revoke_elsewhere(self, key_id: str) -> None:
        """As another process does it."""
        self.kept[key_id] = replace(self.kept[key_id], revoked_at=datetime.now(UTC))


def test_a_key_is_random_shown_once_and_kept_as_a_hash() -> None:
    key, plaintext = make_key("ci", Role.LEAD)
    assert re.fullmatch(r"gf_[0-9a-f]{12}_[\w-]{43}", plaintext)
    assert plaintext.startswith(f"gf_{key.key_id}_")
    assert key.key_hash == hash_key(plaintext)
    assert plaintext not in repr(key)
    assert len({make_key("ci", Role.LEAD)[1] for _ in range(100)}) == 100


def test_the_first_key_is_an_admins_and_made_once() -> None:
    ring = Ring()
    plaintext = ensure_first_key(ring)
    assert plaintext is not None
    found = verify(ring, plaintext)
    assert found is not None
    assert found.role == "admin"
    assert ensure_first_key(ring) is None
    assert len(ring.all()) == 1


def test_a_revoked_key_opens_nothing() -> None:
    ring = Ring()
    key, plaintext = make_key("ci", Role.VIEWER)
    ring.add(key)
    assert verify(ring, plaintext) == key
    ring.revoke(key.key_id)
    assert verify(ring, plaintext) is None


@dataclass
class Clock:
    now_s: float = 100.0

    def __call__(self) -> float:
        return self.now_s


def found(ring: KeyRing, plaintext: str) -> ApiKey | None:
    return asyncio.run(ring.find(plaintext))


def ring_of_one() -> tuple[Ring, Clock, KeyRing, ApiKey, str]:
    kept, clock = Ring(), Clock()
    key, plaintext = make_key("ci", Role.VIEWER)
    kept.add(key)
    return kept, clock, KeyRing(kept, clock), key, plaintext


def test_a_key_found_live_is_not_looked_up_again_for_a_while() -> None:
    kept, clock, ring, key, plaintext = ring_of_one()
    for _ in range(5):
        assert found(ring, plaintext) == key
        clock.now_s += FRESH_S / 10
    assert kept.asked == 1
    clock.now_s += FRESH_S
    assert found(ring, plaintext) == key
    assert kept.asked == 2


def test_a_key_revoked_here_opens_nothing_at_once_and_elsewhere_soon() -> None:
    for elsewhere in (False, True):
        kept, clock, ring, key, plaintext = ring_of_one()
        assert found(ring, plaintext) == key
        (kept.revoke_elsewhere if elsewhere else kept.revoke)(key.key_id)
        assert (found(ring, plaintext) == key) is elsewhere
        clock.now_s += FRESH_S
        assert found(ring, plaintext) is None
        assert not ring._seen


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_key_revoked_while_it_is_looked_up_is_not_remembered_past_its_time(elsewhere: bool) -> None:
    kept, clock, ring, key, plaintext = ring_of_one()

    def during() -> None:
        clock.now_s += FRESH_S  # a slow ledger: what it says was so when it was asked
        (kept.revoke_elsewhere if elsewhere else kept.revoke)(key.key_id)
        kept.during = lambda: None

    kept.during = during
    assert found(ring, plaintext) == key
    assert found(ring, plaintext) is None


def test_what_is_no_live_key_is_never_remembered() -> None:
    kept, _clock, ring, _key, plaintext = ring_of_one()
    wrong = [plaintext[:-1] + ("a" if plaintext[-1] != "a" else "b"), make_key("x", Role.ADMIN)[1]]
    assert [found(ring, each) for each in wrong * 2] == [None] * 4
    assert kept.asked == 4
    assert [found(ring, each) for each in ("", "gf_typo", "\u00e9" * 60)] == [None] * 3
    assert kept.asked == 4  # nothing that looks otherwise is looked up
    assert not ring._seen


def test_whoever_guesses_keys_does_not_stand_in_the_way_of_one_that_was_live() -> None:
    kept, clock, ring, key, plaintext = ring_of_one()
    go = threading.Event()

    def held() -> None:
        go.wait(20)

    async def work() -> None:
        assert await ring.find(plaintext) == key
        clock.now_s += FRESH_S
        kept.during = held
        guesses = [asyncio.create_task(ring.find(make_key("x", Role.ADMIN)[1])) for _ in range(200)]
        while kept.asked < 1 + STRANGERS:
            await asyncio.sleep(0.01)
        kept.during = lambda: None
        assert await asyncio.wait_for(ring.find(plaintext), 10) == key
        assert kept.asked == 2 + STRANGERS
        go.set()
        assert await asyncio.gather(*guesses) == [None] * 200

    asyncio.run(work())


@given(st.data())
def test_a_key_changed_anywhere_opens_nothing(data: st.DataObject) -> None:
    ring = Ring()
    key, plaintext = make_key("ci", Role.ADMIN)
    ring.add(key)
    position = data.draw(st.integers(0, len(plaintext) - 1))
    other = data.draw(st.characters().filter(lambda c: c != plaintext[position]))
    assert verify(ring, plaintext[:position] + other + plaintext[position + 1 :]) is None
    assert verify(ring, plaintext[:position]) is None
    assert verify(ring, data.draw(st.text())) is None


def own_router() -> APIRouter:
    router = APIRouter(prefix="/v1/things")

    @router.get("/annotator")
    def annotator(key: Annotator) -> str:
        return key.role

    return router


def role_router() -> APIRouter:
    router = APIRouter(prefix="/v1/things")

    @router.get("/viewer")
    def viewer(key: Viewer) -> str:
        return key.role

    @router.get("/engineer")
    def engineer(key: Engineer) -> str:
        return key.role

    @router.get("/lead")
    def lead(key: Lead) -> str:
        return key.role

    @router.get("/admin")
    def admin(key: Admin) -> str:
        return key.role

    @router.get("/forgotten")
    def forgotten() -> str:
        return "a route that asks for no role"

    return router


@pytest.mark.parametrize("caller", Role)
@pytest.mark.parametrize("needed", Role)
def test_each_role_may_do_what_the_ones_below_it_may(shell: Shell, caller: Role, needed: Role) -> None:
    app = create_app(shell, routers=[role_router()], own_routers=[own_router()])
    response = call(app, "GET", f"/v1/things/{needed}", key=shell.keys[caller])
    if list(Role).index(caller) >= list(Role).index(needed):
        assert response.json() == caller
    else:
        named = Role.VIEWER if caller is Role.ANNOTATOR else needed  # what stands before every route but one's own
        problem = assert_problem(response, 403, f"needs the role {named} or above.*has the role {caller}")
        assert problem["type"] == "urn:goldfold:problem:forbidden"


def test_both_headers_work_and_the_refusal_says_how(shell: Shell) -> None:
    app = create_app(shell, routers=[role_router()])
    key = shell.keys[Role.VIEWER]
    assert call(app, "GET", "/v1/things/viewer", key=key).status_code == 200
    assert call(app, "GET", "/v1/things/viewer", headers={"X-API-Key": key}).status_code == 200
    response = call(app, "GET", "/v1/things/viewer")
    assert_problem(response, 401, "Authorization: Bearer")
    assert response.headers["www-authenticate"] == "Bearer"
    assert_problem(call(app, "GET", "/v1/things/viewer", headers={"Authorization": f"Basic {key}"}), 401)
    assert_problem(call(app, "GET", "/v1/things/viewer", key="gf_typo"), 401, "not valid")


def test_a_role_this_version_does_not_know_may_do_nothing(shell: Shell) -> None:
    app = create_app(shell, routers=[role_router()])
    key, plaintext = make_key("from tomorrow", Role.ADMIN)
    shell.ledger.keys.add(replace(key, role="owner"))
    assert_problem(call(app, "GET", "/v1/things/viewer", key=plaintext), 403)


def test_a_revoked_key_is_refused_by_the_real_ledger(shell: Shell) -> None:
    app = create_app(shell, routers=[role_router()])
    key, plaintext = make_key("ci", Role.VIEWER)
    shell.ledger.keys.add(key)
    assert call(app, "GET", "/v1/things/viewer", key=plaintext).status_code == 200
    shell.ledger.keys.revoke(key.key_id)
    assert_problem(call(app, "GET", "/v1/things/viewer", key=plaintext), 401)


def test_every_route_is_closed_but_the_ones_that_are_open_on_purpose(shell: Shell) -> None:
    app = create_app(shell, routers=[role_router()])
    open_routes = {line.split()[1] for line in answers_without_key(app)}
    assert open_routes <= OPEN
    assert ("GET", "/openapi.json") in routes(app)
    assert ("DELETE", "/v1/keys/{key_id}") in routes(app)


def test_the_walk_finds_an_open_route_and_a_mount(shell: Shell) -> None:
    router = APIRouter()
    router.add_api_route("/v1/hole/{name}", lambda: "open")
    app = create_app(shell, open_routers=[router])
    app.mount("/static", app=create_app(shell))
    assert {"GET /v1/hole/{name}", "? /static"} <= set(answers_without_key(app))


def test_openapi_is_open_on_a_setting_only(shell: Shell) -> None:
    assert_problem(call(create_app(shell), "GET", "/openapi.json"), 401)
    shell.settings = shell.settings.model_copy(update={"openapi_open": True})
    assert call(create_app(shell), "GET", "/openapi.json").status_code == 200


def test_the_key_is_looked_up_once(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []
    real = shell.ledger.keys.by_hash

    def counting(key_hash: str) -> ApiKey | None:
        looked.append(key_hash)
        return real(key_hash)

    monkeypatch.setattr(shell.ledger.keys, "by_hash", counting)
    app = create_app(shell, routers=[role_router()])
    for _ in range(3):
        call(app, "GET", "/v1/things/admin", key=shell.keys[Role.ADMIN])
    assert len(looked) == 1
    assert require(Role.VIEWER) is require(Role.VIEWER)
    assert Depends(require(Role.VIEWER)).dependency is require(Role.VIEWER)
