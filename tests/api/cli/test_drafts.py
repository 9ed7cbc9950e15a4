"""Drafts by a chat service: marked, kept nowhere, and none while two people are to code blind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.api.cli.conftest import Terminal
from tests.judge_service import chat_service


def endpoint(folder: Path, url: str, **more: object) -> str:
    path = folder / "gpt.yaml"
    told = {"url": url, "model": "small", "private": True, "allow_content": True, "attempts": 1} | more
    path.write_text(json.dumps(told))  # JSON is YAML
    return str(path)


def opened(goldfold: Terminal, *, double: bool) -> str:
    """A finding that two people code, or one."""
    for _ in range(200):
        asked = ("causes", "open", "Quotes are removed", "--statement", "They quote.", "--by", "ann", "--json")
        finding: str = goldfold(*asked).json["finding_id"]
        told = goldfold("causes", "code", finding, "P.gap", "--by", "ann")
        if ("second" in told.out) is double:
            return finding
    raise AssertionError("no hash fell there")


def test_a_cause_is_drafted_and_marked(goldfold: Terminal, tmp_path: Path) -> None:
    finding = opened(goldfold, double=False)
    with chat_service(answer=lambda *_: json.dumps({"code": "G.no_example", "text": "No example shows it."})) as (
        url,
        service,
    ):
        told = goldfold("causes", "suggest", finding, "--endpoint", endpoint(tmp_path, url), "--json").json
        assert (told["status"], told["code"], told["about"]) == ("draft", "G.no_example", finding)
        assert "nobody has checked it" in told["warning"]
        assert "DRAFT by" in goldfold("causes", "suggest", finding, "--endpoint", endpoint(tmp_path, url)).out
        assert len(service.seen) == 2
    assert goldfold("causes", "show", finding, "--json").json["cause"] == "P.gap"  # a draft codes nothing


def test_nobody_who_codes_blind_can_have_a_draft(goldfold: Terminal, tmp_path: Path) -> None:
    finding = opened(goldfold, double=True)
    with chat_service(answer=lambda *_: json.dumps({"code": "P.gap", "text": "x"})) as (url, service):
        told = goldfold("causes", "suggest", finding, "--endpoint", endpoint(tmp_path, url))
        assert (told.code, "waits for a second code" in told.err, service.seen) == (1, True, [])
        goldfold("causes", "code", finding, "P.gap", "--by", "bob")
        assert goldfold("causes", "suggest", finding, "--endpoint", endpoint(tmp_path, url)).code == 0


@pytest.mark.parametrize("answer", ["no JSON", '{"code": "X.y", "text": "a"}', '{"code": "P.gap", "text": ""}', "[1]"])
def test_what_is_no_draft_is_refused(goldfold: Terminal, tmp_path: Path, answer: str) -> None:
    finding = opened(goldfold, double=False)
    with chat_service(answer=lambda *_: answer) as (url, _):
        told = goldfold("causes", "suggest", finding, "--endpoint", endpoint(tmp_path, url))
    assert (told.code, "there is no draft" in told.err) == (1, True)


def test_a_question_is_drafted_and_nothing_is_sent_without_leave(goldfold: Terminal, tmp_path: Path) -> None:
    with chat_service(answer=lambda *_: json.dumps({"code": None, "text": "Is a group named?"})) as (url, service):
        closed = goldfold(
            "sop", "suggest", "hate_speech", "group", "--endpoint", endpoint(tmp_path, url, allow_content=False)
        )
        assert (closed.code, "allow_content" in closed.err, service.seen) == (1, True, [])
        told = goldfold("sop", "suggest", "hate_speech", "group", "--endpoint", endpoint(tmp_path, url))
        assert "Is a group named?" in told.out
