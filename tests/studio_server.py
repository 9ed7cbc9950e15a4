"""One real Label Studio for a whole test session, whoever asks first.

Use it by importing the fixture: ``from tests.studio_server import studio_server`` (in a conftest), and mark the test
``studio``. The server's virtualenv is ``$GOLDFOLD_STUDIO_VENV``, else ``.venv-studio`` beside this repository's
``pyproject.toml``. The migrated, empty database is kept in ``build/`` so that only the very first session waits for it.
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from labeling.studio.accounts import create_account
from labeling.studio.embedded import EmbeddedStudio

ROOT = Path(__file__).resolve().parents[1]
PASSWORD = "a-test-password"


def studio_venv() -> Path:
    """Where Label Studio is installed; a missing one fails the test, it never skips it."""
    venv = Path(os.environ.get("GOLDFOLD_STUDIO_VENV") or ROOT / ".venv-studio")
    if not (venv / "bin" / "label-studio").is_file():
        pytest.fail(f"Label Studio is not installed in {venv}: run `make setup`", pytrace=False)
    return venv


def new_data_dir(venv: Path) -> Path:
    """A fresh data folder, from the kept template when there is one; removed when the session ends."""
    folder = Path(tempfile.mkdtemp(prefix="goldfold-studio-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    template = _template(venv)
    if template.is_dir():
        shutil.copytree(template, folder, dirs_exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def studio_server() -> Iterator[EmbeddedStudio]:
    """The running server. Tests make their own projects in it and expect others' to be there."""
    yield _server()  # noqa: PT022 - it serves every later user in this session, and ends with the process


@pytest.fixture(scope="session")
def annotators(studio_server: EmbeddedStudio) -> dict[str, str]:
    """Three people's tokens, by e-mail."""
    people = [f"annotator-{n}@goldfold.example" for n in (1, 2, 3)]
    return {
        email: create_account(studio_server.base_url, studio_server.account.token, email, PASSWORD) for email in people
    }


@functools.cache
def _server() -> EmbeddedStudio:
    venv = studio_venv()
    server = EmbeddedStudio(venv, new_data_dir(venv))
    server.start()
    atexit.register(server.stop)
    _keep_template(venv, server)
    return server


def _template(venv: Path) -> Path:
    found = sorted(venv.glob("lib/python*/site-packages/label_studio-*.dist-info"))
    return ROOT / "build" / f"{found[0].stem if found else 'label_studio'}-template"


def _keep_template(venv: Path, server: EmbeddedStudio) -> None:
    template = _template(venv)
    if template.exists():
        return
    template.parent.mkdir(exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=template.parent))
    data = server.log_path.parent
    for name in ("admin.json", ".env"):
        if (data / name).exists():
            shutil.copy2(data / name, fresh / name)
    database = "label_studio.sqlite3"
    with closing(sqlite3.connect(data / database)) as source, closing(sqlite3.connect(fresh / database)) as copy:
        source.backup(copy)
    try:
        fresh.rename(template)
    except OSError:  # another session was quicker
        shutil.rmtree(fresh)


@functools.cache
def personal_token(base_url: str, email: str, password: str) -> str:
    """An account's personal access token; it has one at most, which is told once."""
    with httpx.Client(base_url=base_url, trust_env=False, timeout=60) as browser:
        browser.get("/user/login/")
        form = {"email": email, "password": password, "csrfmiddlewaretoken": browser.cookies["csrftoken"]}
        browser.post("/user/login/", data=form)
        headers = {"X-CSRFToken": browser.cookies["csrftoken"], "Referer": base_url}
        return str(browser.post("/api/token/", headers=headers).raise_for_status().json()["token"])


def personal(server: EmbeddedStudio) -> str:
    return personal_token(server.base_url, server.account.email, server.account.password)
