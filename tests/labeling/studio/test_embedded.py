from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from labeling.errors import InvalidInput, StudioError, StudioUnreachable
from labeling.studio import watchdog
from labeling.studio.embedded import EmbeddedStudio
from tests.studio_server import new_data_dir, studio_venv


def fake_venv(folder: Path, script: str) -> Path:
    """A virtualenv whose label-studio is a shell script."""
    program = folder / "venv" / "bin" / "label-studio"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return folder / "venv"


def test_a_missing_virtualenv_names_its_cure(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="make setup"):
        EmbeddedStudio(tmp_path, tmp_path / "data").start()


def test_an_early_end_shows_the_log(tmp_path: Path) -> None:
    studio = EmbeddedStudio(fake_venv(tmp_path, "echo the disk is full; exit 3"), tmp_path / "data")
    with pytest.raises(StudioUnreachable, match=r"ended while starting[\s\S]*the disk is full"):
        studio.start()
    assert not studio.running


def test_waiting_is_bounded_and_shows_progress(tmp_path: Path) -> None:
    studio = EmbeddedStudio(fake_venv(tmp_path, "echo migrating; exec sleep 60"), tmp_path / "data")
    seen: list[str] = []
    with pytest.raises(StudioUnreachable, match="within 1 s"):
        studio.start(lambda _seconds, line: seen.append(line), timeout_s=1.2)
    assert "migrating" in seen


def test_its_surroundings_are_not_inherited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABEL_STUDIO_PORT", "1")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    studio = EmbeddedStudio(fake_venv(tmp_path, 'env; exit "1"'), tmp_path / "data")
    with pytest.raises(StudioUnreachable):
        studio.start()
    log = studio.log_path.read_text()
    assert "LABEL_STUDIO_PORT" not in log
    assert "/elsewhere" not in log
    assert "SENTRY_DSN=\n" in log


def test_the_account_is_private_and_kept(tmp_path: Path) -> None:
    venv = fake_venv(tmp_path, "exit 1")
    accounts = []
    for _ in range(2):
        studio = EmbeddedStudio(venv, tmp_path / "data")
        with pytest.raises(StudioUnreachable):
            studio.start()
        accounts.append(studio.account)
    assert accounts[0] == accounts[1]
    assert accounts[0].token not in repr(accounts[0])
    assert stat.S_IMODE((tmp_path / "data" / "admin.json").stat().st_mode) == 0o600
    (tmp_path / "data" / "admin.json").write_text("{")
    with pytest.raises(InvalidInput, match=r"admin\.json cannot be read"):
        EmbeddedStudio(venv, tmp_path / "data").start()


def test_it_ends_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, time\n"
        f"p = subprocess.Popen([sys.executable, '-I', {watchdog.__file__!r}, 'sh', '-c', 'echo $$; exec sleep 60'],"
        " stdin=subprocess.PIPE, start_new_session=True)\n"
        "time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
        assert ends(child)


def ends(pid: int, within_s: float = 10.0) -> bool:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if Path(f"/proc/{pid}/stat").exists() and Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
            return True
        time.sleep(0.05)
    return False


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


@pytest.mark.studio
def test_a_taken_port_is_replaced_and_one_folder_serves_one(taken: int) -> None:
    venv = studio_venv()
    studio = EmbeddedStudio(venv, new_data_dir(venv), taken)
    with studio:
        assert studio.base_url != f"http://127.0.0.1:{taken}"
        with studio.client() as client:
            assert client.whoami() == studio.account.email
        rival = EmbeddedStudio(venv, studio.log_path.parent)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("labeling.studio.embedded.LOCK_TIMEOUT_S", 0.3)
            with pytest.raises(StudioError, match="another Label Studio uses"):
                rival.start()
        address = studio.base_url
    with studio.client() as client:
        assert not client.healthy()
    assert f'"port": {address.rsplit(":", 1)[1]}' in (studio.log_path.parent / "admin.json").read_text()
