from __future__ import annotations

import pytest
from fastapi import FastAPI

from api.app import create_app
from api.auth import Role
from tests.api.client import Shell, assert_problem, call


@pytest.fixture
def app(shell: Shell) -> FastAPI:
    return create_app(shell)


def test_a_key_is_made_works_is_listed_and_is_revoked(app: FastAPI, shell: Shell) -> None:
    admin = shell.keys[Role.ADMIN]
    made = call(app, "POST", "/v1/keys", key=admin, json={"name": " nightly ", "role": "engineer"})
    assert made.status_code == 201
    body = made.json()
    assert (body["name"], body["role"], body["revoked_at"]) == ("nightly", "engineer", None)

    response = call(app, "GET", "/metrics", key=body["key"])
    assert response.status_code == 200
    assert_problem(call(app, "GET", "/v1/keys", key=body["key"]), 403, "needs the role admin")

    listed = call(app, "GET", "/v1/keys", key=admin)
    assert body["key_id"] in [one["key_id"] for one in listed.json()["keys"]]
    assert body["key"] not in listed.text
    assert "hash" not in listed.text

    for _ in range(2):
        assert call(app, "DELETE", f"/v1/keys/{body['key_id']}", key=admin).status_code == 204
    assert_problem(call(app, "GET", "/metrics", key=body["key"]), 401)
    listed = call(app, "GET", "/v1/keys", key=admin)
    assert [one["revoked_at"] is None for one in listed.json()["keys"]] == [True] * len(Role) + [False]


def test_who_made_and_revoked_a_key_is_kept(app: FastAPI, shell: Shell) -> None:
    admin = shell.keys[Role.ADMIN]
    body = call(app, "POST", "/v1/keys", key=admin, json={"name": "ci", "role": "viewer"}).json()
    call(app, "DELETE", f"/v1/keys/{body['key_id']}", key=admin)
    trail = [(row["actor"], row["action"], row["target"]) for row in shell.ledger.audit.latest()]
    actor = admin.split("_")[1]
    assert {(actor, "key.create", body["key_id"]), (actor, "key.revoke", body["key_id"])} <= set(trail)
    assert body["key"] not in repr(shell.ledger.audit.latest())


@pytest.mark.parametrize(
    ("new", "field"),
    [
        ({"name": "", "role": "viewer"}, "body.name"),
        ({"name": "x" * 81, "role": "viewer"}, "body.name"),
        ({"name": "a\nb", "role": "viewer"}, "body.name"),
        ({"name": "a", "role": "owner"}, "body.role"),
        ({"name": "a", "role": "viewer", "key": "mine"}, "body.key"),
        ({"role": "viewer"}, "body.name"),
    ],
)
def test_a_key_that_breaks_a_rule_is_refused(app: FastAPI, shell: Shell, new: dict[str, str], field: str) -> None:
    body = assert_problem(call(app, "POST", "/v1/keys", key=shell.keys[Role.ADMIN], json=new), 422, field)
    assert body["type"] == "urn:goldfold:problem:invalid-request"
    assert len(shell.ledger.keys.all()) == len(Role)


def test_an_unknown_key_cannot_be_revoked(app: FastAPI, shell: Shell) -> None:
    assert_problem(call(app, "DELETE", "/v1/keys/nobody", key=shell.keys[Role.ADMIN]), 404, "no key nobody")


def test_the_last_admin_key_stays(app: FastAPI, shell: Shell) -> None:
    admin = shell.keys[Role.ADMIN]
    own = f"/v1/keys/{admin.split('_')[1]}"
    assert_problem(call(app, "DELETE", own, key=admin), 409, "last live admin key: make another one first")
    second = shell.give_key(Role.ADMIN)
    assert call(app, "DELETE", own, key=admin).status_code == 204
    assert_problem(call(app, "GET", "/v1/keys", key=admin), 401)
    assert call(app, "GET", "/v1/keys", key=second).status_code == 200


@pytest.mark.parametrize("role", [Role.VIEWER, Role.ENGINEER, Role.LEAD])
def test_only_admins_handle_keys(app: FastAPI, shell: Shell, role: Role) -> None:
    for method, path in (("GET", "/v1/keys"), ("POST", "/v1/keys"), ("DELETE", "/v1/keys/1")):
        assert_problem(call(app, method, path, key=shell.keys[role], json={"name": "a", "role": "admin"}), 403)
