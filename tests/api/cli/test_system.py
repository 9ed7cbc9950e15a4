from __future__ import annotations

import socket

import pytest

from api.checks import Check
from api.cli import system
from tests.api.cli.conftest import Terminal


def test_keys_are_made_listed_and_revoked(goldfold: Terminal) -> None:
    made = goldfold("keys", "create", "nightly [/x]", "--role", "engineer", "--json").json
    assert (made["name"], made["role"], made["key"].startswith("gf_")) == ("nightly [/x]", "engineer", True)
    said = goldfold("keys", "create", "second")
    assert "shown this once: gf_" in said.out
    listed = goldfold("keys", "list", "--json")
    assert {row["role"] for row in listed.json} == {"engineer", "viewer"}
    assert "gf_" not in listed.out
    assert "nightly [/x]" in goldfold("keys", "list").out
    assert goldfold("keys", "revoke", made["key_id"], "--json").json == {"key_id": made["key_id"], "revoked": True}
    assert goldfold("keys", "revoke", made["key_id"]).out == f"Key {made['key_id']} is revoked\n"
    said = goldfold("keys", "revoke", "nobody")
    assert (said.code, "no key has the id 'nobody'" in said.err) == (1, True)
    with goldfold.opened() as site:
        actions = {row["action"] for row in site.ledger.audit.latest()}
        assert {action for action in actions if str(action).startswith("key.")} == {"key.create", "key.revoke"}


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 81])
def test_a_key_needs_a_name_that_can_be_read(goldfold: Terminal, name: str) -> None:
    said = goldfold("keys", "create", name)
    assert (said.code, "name" in said.err) == (1, True)
    assert goldfold("keys", "list", "--json").json == []


def test_the_doctor_says_the_cure_and_1_when_something_fails(goldfold: Terminal) -> None:
    said = goldfold("doctor", "--json")
    assert said.code == 1
    found = {row["name"]: row for row in said.json}
    assert found["label studio"]["state"] == "failed"
    assert found["label studio"]["cure"] == "set GOLDFOLD_STUDIO_TOKEN"
    said = goldfold("doctor")
    assert said.code == 1
    assert "GOLDFOLD_STUDIO_TOKEN" in said.out


def test_the_doctor_is_content_with_a_warning(goldfold: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    checks = [Check("disk", "ok", "[1] 5 GiB"), Check("port", "warning", "in use", "fine")]
    monkeypatch.setattr(system, "run_checks", lambda _settings: checks)
    said = goldfold("doctor")
    assert (said.code, "[1] 5 GiB" in said.out, "warning" in said.out) == (0, True, True)


def test_serving_on_a_taken_port_is_said(goldfold: Terminal) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = goldfold("serve", "--port", str(port))
    assert (said.code, f"cannot listen on 127.0.0.1:{port}" in said.err) == (1, True), said.err
    assert "listens" not in said.err
    assert goldfold("keys", "list", "--json").json == []  # a key that nobody saw would be lost
    assert "Traceback" not in said.err
