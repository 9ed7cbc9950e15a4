from __future__ import annotations

import shutil
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from api import checks
from api.checks import Check
from api.composition import Goldfold
from configs.errors import SettingsError
from configs.settings import Settings
from labeling.errors import StudioUnauthorized, StudioUnreachable
from labeling.store.lake import LanceLake
from scoring.errors import DeviceError, ModelNotFound


def given(folder: Path, **more: Any) -> Settings:
    return Settings(data_dir=folder, **more)


def assert_state(check: Check, state: str, found: str, cure: str = "") -> None:
    assert (check.state, found in check.found) == (state, True), check
    assert cure in check.cure
    assert bool(check.cure) == (state != "ok")


class Models:
    """A device and a model that are there, or not."""

    def __init__(self, error: Exception | None = None) -> None:
        self._error = error

    def describe_device(self, name: str) -> str:
        if self._error:
            raise self._error
        return f"{name}: there"

    def describe_model(self, _settings: Settings, _policies: object) -> str:
        return self.describe_device("model")


@pytest.fixture
def nearby(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "models", Models)


def test_every_check_runs_and_each_has_a_name_of_its_own(tmp_path: Path, nearby: None) -> None:
    found = checks.run_checks(given(tmp_path, port=1))
    assert [one.name for one in found] == [
        "disk", "policies", "ledger", "jobs", "lake", "device", "model", "media", "port", "label studio", "mirror",
    ]  # fmt: skip
    assert {one.name: one.state for one in found} == {one.name: "ok" for one in found} | {"label studio": "failed"}


def test_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_state(checks.check_disk(given(tmp_path / "new")), "ok", "GiB free")
    assert list((tmp_path / "new").iterdir()) == []
    (tmp_path / "file").write_text("")
    assert_state(checks.check_disk(given(tmp_path / "file" / "x")), "failed", "file/x", "point data_dir at")
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: SimpleNamespace(free=1024**3))
    assert_state(checks.check_disk(given(tmp_path)), "warning", "1.0 GiB free", "make room")


def test_policies(tmp_path: Path) -> None:
    assert_state(checks.check_policies(given(tmp_path)), "ok", "hate_speech 1.0.0")
    (tmp_path / "bad.yaml").write_text("id: x\ntitel: y\n")
    bad = checks.check_policies(given(tmp_path, policies_dir=tmp_path))
    assert_state(bad, "failed", "titel: unknown key", "mend the file")


def test_policies_that_are_not_what_was_published(tmp_path: Path) -> None:
    folder = shutil.copytree(Settings().policies_dir, tmp_path / "policies")
    settings = given(tmp_path / "data", policies_dir=folder)
    Goldfold(settings).close()
    path = folder / "hate_speech.yaml"
    text = path.read_text()
    path.write_text(text.replace("version: 1.0.0", "version: 1.1.0"))
    assert_state(checks.check_policies(settings), "warning", "not published yet: hate_speech", "policy publish")
    path.write_text(text.replace("title: Hate speech", "title: Hate", 1))
    assert_state(checks.check_policies(settings), "failed", "versions are never edited in place", "raise its version")


@pytest.mark.parametrize("url", ["sqlite:////dev/null/x.db", "postgresql+psycopg://u:secret@127.0.0.1:1/x"])
def test_databases(tmp_path: Path, url: str) -> None:
    assert_state(checks.check_ledger(given(tmp_path)), "ok", "0 items registered")
    assert_state(checks.check_jobs(given(tmp_path)), "ok", "jobs.db")
    both = checks.check_ledger(given(tmp_path, ledger_url=url)), checks.check_jobs(given(tmp_path, jobs_url=url))
    for check in both:
        assert_state(check, "failed", "", f"check {check.name}_url")
        assert "secret" not in check.found


def test_lake(tmp_path: Path) -> None:
    assert_state(checks.check_lake(given(tmp_path)), "ok", "0 items")
    (tmp_path / "file").write_text("")
    bad = checks.check_lake(given(tmp_path, lake_uri=str(tmp_path / "file")))
    assert_state(bad, "failed", "file", "check lake_uri")


@pytest.mark.parametrize("broken", [False, True])
def test_the_lakes_password_is_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: bool) -> None:
    settings = given(tmp_path, lake_uri="nowhere://gold:hush/1@bucket/lake")

    def count(lake: LanceLake) -> int:
        with lake._datasets.plain_errors():
            if broken:
                raise OSError(f"no such place: {lake.root}/items.lance")
        return 0

    monkeypatch.setattr(LanceLake, "count", count)
    found = checks.check_lake(settings)
    assert_state(found, "failed" if broken else "ok", "nowhere://gold:***@bucket/lake", "check" if broken else "")
    assert "hush" not in f"{found} {settings!r}"


@pytest.mark.parametrize(
    "error", [DeviceError("no GPU is there"), ModelNotFound("no weights"), SettingsError("no file")]
)
def test_device_and_model(tmp_path: Path, nearby: None, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    assert_state(checks.check_device(given(tmp_path)), "ok", "auto: there")
    assert_state(checks.check_model(given(tmp_path)), "ok", "model: there")
    monkeypatch.setattr(checks, "models", lambda: Models(error))
    assert_state(checks.check_model(given(tmp_path)), "failed", str(error), "install the weights")
    if isinstance(error, DeviceError):
        assert_state(checks.check_device(given(tmp_path)), "failed", "no GPU", "set device to auto or cpu")


def test_a_scorer_file_is_held_against_the_policies(tmp_path: Path, nearby: None) -> None:
    (tmp_path / "model").mkdir()
    path = tmp_path / "scorer.yaml"
    path.write_text("kind: hf-text\nmodel: model\nlabels: {hate: hate_spech}\n")
    found = checks.check_model(given(tmp_path, scorer=str(path)))
    assert_state(found, "failed", "labels.hate: 'hate_spech' is no policy; did you mean 'hate_speech'?")
    path.write_text("kind: hf-text\nmodel: model\nlabels: {hate: hate_speech}\n")
    assert_state(checks.check_model(given(tmp_path, scorer=str(path))), "ok", "model: there")


def test_media(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at = {"cdn.example.org": ["93.184.216.34"], "inner.example.org": ["10.0.0.7"], "::1": ["::1"]}

    def look_up(name: str, port: int) -> list[str]:
        assert port in (443, 9000)
        if name not in at:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return at[name]

    monkeypatch.setattr(checks, "look_up", look_up)
    assert_state(checks.check_media(given(tmp_path)), "ok", "data: URIs, up to 33554432 bytes each")
    good = given(tmp_path, media_dir=tmp_path, media_hosts=["cdn.example.org", "private:inner.example.org:9000"])
    assert_state(checks.check_media(good), "ok", f"below {tmp_path}, cdn.example.org, private:inner.example.org:9000")
    folder = checks.check_media(given(tmp_path, media_dir=tmp_path / "nowhere"))
    assert_state(folder, "failed", "nowhere is no folder", "mend the setting")
    wrong = checks.check_media(given(tmp_path, media_hosts=["cdn.example.org/pictures"]))
    assert_state(wrong, "failed", "is no host", "mend the setting")
    inner = checks.check_media(given(tmp_path, media_hosts=["cdn.example.org", "inner.example.org"]))
    assert_state(inner, "warning", "inner.example.org is at 10.0.0.7, which is private", "mend media_hosts")
    unknown = checks.check_media(given(tmp_path, media_hosts=["gone.example.org"]))
    assert_state(unknown, "warning", "gone.example.org has no address here (Name or service", "mend media_hosts")
    large = checks.check_media(given(tmp_path, media_max_bytes=2**45))
    assert_state(large, "warning", "16 are held at once, 524288.0 of ", "set media_max_bytes lower")


def test_port(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert_state(checks.check_port(given(tmp_path, port=port)), "warning", "is in use", "fine if that is Goldfold")
    assert_state(checks.check_port(given(tmp_path, port=port)), "ok", "is free")
    assert_state(checks.check_port(given(tmp_path, host="::1", port=port)), "ok", "is free")
    nowhere = checks.check_port(given(tmp_path, host="no such host", port=port))
    assert_state(nowhere, "failed", "no such host", "set host to an address")


class Studio:
    """A Label Studio that answers with a version, or fails."""

    answer: str | Exception = "1.23.0"

    def __init__(self, *_: object, **__: object) -> None:
        self.closed = False

    def whoami(self) -> None:
        if isinstance(self.answer, Exception):
            raise self.answer

    def version(self) -> str:
        return str(self.answer)

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("answer", "state", "found", "cure"),
    [
        ("1.23.0", "ok", "version 1.23.0", ""),
        ("2.0.0", "warning", "version 2.0.0", "tested with 1.23"),
        (StudioUnauthorized("the token is not taken"), "failed", "the token is not taken", "now http://127.0.0.1:8081"),
        (StudioUnreachable("no answer"), "failed", "no answer", "start it"),
    ],
)
def test_label_studio(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str | Exception, state: str, found: str, cure: str
) -> None:
    monkeypatch.setattr(checks, "StudioClient", Studio)
    monkeypatch.setattr(Studio, "answer", answer)
    assert_state(checks.check_studio(given(tmp_path, studio_token="t")), state, found, cure)


def test_label_studio_that_is_not_there(tmp_path: Path) -> None:
    assert_state(checks.check_studio(given(tmp_path)), "failed", "is not set", "GOLDFOLD_STUDIO_TOKEN")
    away = checks.check_studio(given(tmp_path, studio_token="t", studio_url="http://127.0.0.1:1"))
    assert_state(away, "failed", "127.0.0.1:1", "start it")
