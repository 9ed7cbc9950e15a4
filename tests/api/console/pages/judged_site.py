"""A site whose decisions of two days ago were judged by gold: the gilded one, with production beside it."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from api.auth import COOKIE, Role
from api.daily_qa import sample_day, take_in
from tests.api.client import call
from tests.api.console.conftest import HTML, Console, opened
from tests.api.gold import gold_settings
from tests.api.site import HARM, WordGoldfold

DAY = (datetime.now(UTC) - timedelta(days=2)).date().isoformat()


def decisions(count: int = 100) -> list[dict[str, Any]]:
    """What speaks of vermin violates; every fifth decision is wrong, and those are by the team of the night."""
    told = []
    for n in range(count):
        bad = (n % 2 == 1) != (n % 5 == 0)
        told.append(
            {
                "decision_id": f"d-{n}",
                "source": "human",
                "who": f"mod-{n % 3}",
                "item": f"post-{n}",
                "policy": HARM,
                "outcome": "violates" if bad else "ok",
                "rule": "general" if bad else None,
                "decided_at": f"{DAY}T12:{n // 60:02}:{n % 60:02}Z",
                "project": "forum" if n % 4 else "chat",
                "team": "night" if n % 5 == 0 else "day",
            }
        )
    return told


@contextmanager
def judged(gilded: Path, folder: Path) -> Iterator[Console]:
    """A console on that site, its day not sampled yet."""
    shutil.copytree(gilded, folder / "data")
    (folder / "judges").mkdir()
    goldfold = WordGoldfold(gold_settings(folder / "data", judges_dir=folder / "judges"))
    with opened(goldfold) as console:
        take_in(goldfold, decisions())
        yield console


@contextmanager
def sampled(gilded: Path, folder: Path) -> Iterator[Console]:
    """The same, its day sampled."""
    with judged(gilded, folder) as console:
        sample_day(console.goldfold, DAY, budget=100)
        yield console


def page(console: Console, path: str, role: Role = Role.LEAD) -> str:
    """What a page says, once its figures are there."""
    for _ in range(30):
        answer = console.get(path, role)
        assert answer.status_code == 200, words(answer.text)
        if "data-pending" not in answer.text:
            break
    return words(answer.text)


def numbers(console: Console, path: str, role: Role = Role.LEAD) -> dict[str, Any]:
    """What a page tells a program, once its figures are there."""
    for _ in range(30):
        told = console.json(path, role)
        if not told["pending"] and not any(isinstance(one, dict) and one.get("late") for one in told.values()):
            break
        time.sleep(0.2)
    same: dict[str, Any] = timed(told)
    return same


def asked(console: Console, path: str, method: str = "GET", **more: Any) -> Any:
    """What the API answers a lead."""
    answer = call(console.app, method, path, key=console.keys[Role.LEAD], **more)
    assert answer.is_success, answer.text
    return timed(answer.json())


def timed(told: Any) -> Any:
    """With moments written in one way."""
    return json.loads(json.dumps(told).replace('+00:00"', 'Z"'))


def sent(console: Console, path: str, form: dict[str, str], role: Role = Role.LEAD, **more: Any) -> str:
    """Where a form that was taken leads; ``more``: its files."""
    answer = send(console, path, form, role, **more)
    assert answer.status_code == 303, words(answer.text)
    return answer.headers["location"]


def send(console: Console, path: str, form: dict[str, str], role: Role = Role.LEAD, **more: Any) -> httpx.Response:
    """A form of a session, with its files."""
    headers = {**HTML, "Cookie": f"{COOKIE}={console.session(role)}"}
    return call(console.app, "POST", path, data={**form, "csrf": console.csrf(role)}, headers=headers, **more)


def words(html: str) -> str:
    """A page without its tags, spaces made one."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))
