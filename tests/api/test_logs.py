from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from api.auth import Role, make_key
from api.logs import HIDDEN, configure, redact


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_json_lines_carry_time_level_logger_and_fields() -> None:
    stream = io.StringIO()
    configure("info", as_json=True, stream=stream)
    structlog.get_logger("jobs").info("round selected", round_id="r1", picks=100)
    logging.getLogger("uvicorn.error").warning("port %d is busy", 8080)
    logging.getLogger("x").debug("not shown")
    ours, theirs = lines(stream)
    assert (ours["event"], ours["level"], ours["logger"], ours["picks"]) == ("round selected", "info", "jobs", 100)
    assert ours["timestamp"].endswith("Z")
    assert (theirs["event"], theirs["level"], theirs["logger"]) == ("port 8080 is busy", "warning", "uvicorn.error")


def test_text_lines_are_for_people() -> None:
    stream = io.StringIO()
    configure("debug", as_json=False, stream=stream)
    structlog.get_logger("jobs").debug("round selected", round_id="r1", studio_token="hush")
    assert "round selected" in stream.getvalue()
    assert "round_id=r1" in stream.getvalue()
    assert "hush" not in stream.getvalue()


def test_configuring_twice_does_not_log_twice() -> None:
    stream = io.StringIO()
    for _ in range(2):
        configure("info", as_json=True, stream=stream)
    structlog.get_logger("jobs").info("once")
    assert len(lines(stream)) == 1


@pytest.mark.parametrize("as_json", [True, False])
def test_a_traceback_shows_no_local_variable_and_no_secret(as_json: bool) -> None:
    stream = io.StringIO()
    configure("info", as_json=as_json, stream=stream)
    _, plaintext = make_key("ci", Role.ADMIN)
    whole_text = "some content of an item"
    try:
        raise RuntimeError(f"key {plaintext} refused {len(whole_text)}")
    except RuntimeError:
        structlog.get_logger("api").exception("unexpected error")
        logging.getLogger("other").exception("unexpected error")
    assert stream.getvalue().count("RuntimeError: key [redacted] refused") == 2
    assert whole_text not in stream.getvalue()


@pytest.mark.parametrize(
    "key",
    [
        *("token", "studio_token", "studio_webhook_secret", "Authorization", "X-API-Key", "api_key", "apikey"),
        *("password", "Cookie", "Set-Cookie", "key_hash", "plaintext"),
    ],
)
def test_secret_keys_are_hidden_at_any_depth(key: str) -> None:
    event = redact(None, "info", {"a": {"b": [{key: "hush"}]}, key: "hush", "headers": ({key: b"hush"},)})
    assert "hush" not in repr(event)
    assert HIDDEN in repr(event)


@pytest.mark.parametrize("key", ["text", "texts", "content", "prompt", "rationale", "body", "item_text"])
def test_content_is_told_by_its_length_only(key: str) -> None:
    assert redact(None, "info", {key: "vile words"}) == {key: "[content, 10 long]"}
    assert redact(None, "info", {key: 3}) == {key: "[content]"}
    assert redact(None, "info", {key: None}) == {key: None}


@pytest.mark.parametrize(
    "key", ["batch_tokens", "max_tokens", "key_id", "context", "event", "content_hash", "secrets_n"]
)
def test_other_keys_are_left_alone(key: str) -> None:
    assert redact(None, "info", {key: "plain"}) == {key: "plain"}


@given(st.text(alphabet="abcXYZ019-", min_size=8, max_size=30))
def test_secrets_inside_a_sentence_are_hidden(secret: str) -> None:
    _, plaintext = make_key("ci", Role.ADMIN)
    event = redact(
        None,
        "info",
        {
            "event": f"sent Authorization: Token {secret} to postgresql://gold:{secret}@db/gold",
            "detail": f"with {plaintext}, Bearer {secret}",
        },
    )
    assert secret not in repr(event)
    assert plaintext not in repr(event)
    assert "@db/gold" in event["event"]
