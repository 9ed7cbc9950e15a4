"""A Label Studio of our own: one child process on 127.0.0.1 with SQLite, for a laptop, the demo and the tests.

It lives in its own virtualenv (its pins must not meet ours), sends no telemetry, lets only invited people sign up,
and ends with the process that started it. For people and imports at once, run Label Studio on PostgreSQL instead.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Self

from labeling.errors import InvalidInput, StudioError, StudioUnreachable
from labeling.studio import watchdog
from labeling.studio.client import StudioClient

HOST = "127.0.0.1"
SETTLE_S = 10.0  # its development server has no queue: a request is over soon after its client has gone
LOG_TAIL_LINES = 20
START_TIMEOUT_S = 300.0  # the first start makes the database: 60-90 s on two cores
LOCK_TIMEOUT_S = 20.0  # a predecessor that was killed takes a few seconds to go
ENVIRONMENT = {
    "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
    "LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK": "true",
    "SENTRY_DSN": "",
    "FRONTEND_SENTRY_DSN": "",
    "COLLECT_ANALYTICS": "0",
    "LATEST_VERSION_CHECK": "0",
    "USE_DEFAULT_BANNED_SUBNETS": "false",  # webhooks may reach this machine ...
    "USER_ADDITIONAL_BANNED_SUBNETS": "169.254.0.0/16,fe80::/10",  # ... but no cloud metadata service
    "fflag_feat_utc_210_prediction_validation_15082025": "true",
}
Progress = Callable[[float, str], None]  # (seconds since the start, the server's last words)


@dataclass(frozen=True, slots=True)
class Account:
    """The administrator's account and the port of the last start; kept in a file that only its owner can read."""

    email: str
    password: str
    token: str
    port: int | None = None

    def __repr__(self) -> str:
        return f"Account({self.email!r})"


class EmbeddedStudio:
    """``start`` and ``stop`` it, or use it as a context manager. ``port`` None: the last one, or any free one; a port
    that is taken is replaced by a free one. ``database``: what the server is told of another database than SQLite
    (``DJANGO_DB`` and ``POSTGRE_*``, as Label Studio documents them)."""

    def __init__(
        self, venv: Path, data_dir: Path, port: int | None = None, *, database: Mapping[str, str] | None = None
    ) -> None:
        self._database = dict(database or {})
        self._venv = venv
        self._data_dir = data_dir
        self._wanted_port = port
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: IO[str] | None = None
        self._port = 0
        self.account = Account("", "", "")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def base_url(self) -> str:
        return f"http://{HOST}:{self._port}"

    @property
    def log_path(self) -> Path:
        return self._data_dir / "label-studio.log"

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def client(self, timeout_s: float = 300.0) -> StudioClient:
        """A client with the administrator's token; close it yourself."""
        return StudioClient(self.base_url, self.account.token, timeout_s, settle_s=SETTLE_S)

    def start(self, progress: Progress | None = None, timeout_s: float = START_TIMEOUT_S) -> None:
        """Return when it answers. Raises InvalidInput without its virtualenv, StudioError when the folder is in use,
        StudioUnreachable (with the log's last lines) when it ends early or does not answer in time."""
        if self.running:
            return
        program = self._venv / "bin" / "label-studio"
        if not program.is_file():
            raise InvalidInput(f"{program} is missing: run `make setup`, which installs Label Studio there")
        self._data_dir.mkdir(parents=True, exist_ok=True)
        self._lock = _lock_folder(self._data_dir / "lock")
        try:
            self.account = _account(self._data_dir / "admin.json")
            self._port = _free_port(self._wanted_port or self.account.port)
            self._spawn(program)
            self._wait(progress or (lambda _seconds, _line: None), timeout_s)
            _write_account(self._data_dir / "admin.json", self.account, self._port)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End it and all it started; does nothing when it is not running."""
        process, self._process = self._process, None
        if process is not None and process.stdin is not None:
            process.stdin.close()  # the watchdog's sign to end the group
            try:
                process.wait(watchdog.GRACE_S + 5)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
                process.wait()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def kill(self) -> None:
        """End it as a power cut would, with SIGKILL; ``start`` brings it back at the same address."""
        process, self._process = self._process, None
        if process is not None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if process.stdin is not None:
                process.stdin.close()
        self.stop()

    def _spawn(self, program: Path) -> None:
        command = [sys.executable, "-I", watchdog.__file__, str(program.absolute())]
        command += ["start", "--no-browser", "--internal-host", HOST, "--port", str(self._port)]
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=self._environment(),
                pass_fds=[self._lock.fileno()] if self._lock else [],  # held until the watchdog ends, last of all
            )

    def _environment(self) -> dict[str, str]:
        ours = {
            "LABEL_STUDIO_BASE_DATA_DIR": str(self._data_dir.absolute()),
            "LABEL_STUDIO_USERNAME": self.account.email,
            "LABEL_STUDIO_PASSWORD": self.account.password,
            "LABEL_STUDIO_USER_TOKEN": self.account.token,
        }
        strangers = ("LABEL_STUDIO_", "DJANGO_", "POSTGRE_", "PYTHON", "VIRTUAL_ENV", "HOST", "PORT", "DATABASE_NAME")
        kept = {key: value for key, value in os.environ.items() if not key.startswith(strangers)}
        return {**kept, **ENVIRONMENT, **self._database, **ours}

    def _wait(self, progress: Progress, timeout_s: float) -> None:
        began = time.monotonic()
        with self.client(timeout_s=10.0) as client:
            while not client.healthy():
                waited_s = time.monotonic() - began
                if not self.running:
                    raise StudioUnreachable(f"Label Studio ended while starting. {self._tail()}")
                if waited_s > timeout_s:
                    raise StudioUnreachable(f"Label Studio did not answer within {timeout_s:.0f} s. {self._tail()}")
                progress(waited_s, self._last_line())
                time.sleep(0.5)
            if client.whoami() != self.account.email:
                raise StudioUnreachable(f"another Label Studio answers at {self.base_url}; start again")

    def _tail(self) -> str:
        lines = self.log_path.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_TAIL_LINES:]
        return "\n".join([f"The last lines of {self.log_path}:", *lines])

    def _last_line(self) -> str:
        with self.log_path.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - 2000))
            lines = log.read().decode("utf-8", errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _lock_folder(path: Path) -> IO[str]:
    """Hold the folder: two servers on one SQLite file would lose data. Waits a little for a predecessor to go."""
    lock = path.open("a", encoding="ascii")
    deadline = time.monotonic() + LOCK_TIMEOUT_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                lock.close()
                raise StudioError(
                    f"another Label Studio uses {path.parent}: stop it, or choose another folder"
                ) from None
            time.sleep(0.2)
        else:
            return lock


def _account(path: Path) -> Account:
    """The account of this folder, made at the first start; later starts must use the same one."""
    if path.exists():
        try:
            return Account(**json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            raise InvalidInput(f"{path} cannot be read; move the folder away to begin a new Label Studio") from error
    account = Account("admin@goldfold.example", secrets.token_urlsafe(18), secrets.token_hex(20))
    _write_account(path, account, None)
    return account


def _write_account(path: Path, account: Account, port: int | None) -> None:
    fresh = path.with_suffix(".new")
    with _private(fresh) as file:
        json.dump({**asdict(account), "port": port}, file)
    fresh.replace(path)


@contextmanager
def _private(path: Path) -> Iterator[IO[str]]:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def _free_port(wanted: int | None) -> int:
    """``wanted`` when it is free, else any: asked to listen on a port that is taken, Label Studio silently takes the
    next one."""
    for port in [wanted, 0] if wanted else [0]:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port or 0))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise StudioError(f"no free port on {HOST}")
