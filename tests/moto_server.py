"""An S3-compatible server on this machine for the tests: moto, from a virtualenv of its own (``make setup``).

``environment`` is what a process needs to talk to it and nowhere else.
"""

from __future__ import annotations

import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

SERVER = Path(__file__).resolve().parents[1] / ".venv-moto" / "bin" / "moto_server"
START_TIMEOUT_S = 60


@dataclass(frozen=True)
class ObjectStore:
    """A running server."""

    url: str

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "test-key",
            "AWS_SECRET_ACCESS_KEY": "test-secret-never-told",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def make_bucket(self, name: str) -> str:
        self._put(name, b"")
        return f"s3://{name}"

    def put(self, url: str, content: bytes) -> None:
        self._put(url.removeprefix("s3://"), content)

    def _put(self, path: str, content: bytes) -> None:
        request = urllib.request.Request(f"{self.url}/{path}", data=content or None, method="PUT")  # noqa: S310
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            assert answer.status == 200


@pytest.fixture(scope="session")
def object_store() -> Iterator[ObjectStore]:
    """The session's server. A machine where it is not installed fails these tests."""
    if not SERVER.is_file():
        pytest.fail(f"moto is not installed in {SERVER.parents[1]}: run `make setup`", pytrace=False)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(SERVER), "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            yield _wait(ObjectStore(f"http://127.0.0.1:{port}"), server)
        finally:
            server.terminate()


def _wait(store: ObjectStore, server: subprocess.Popen[bytes]) -> ObjectStore:
    give_up_at = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            urllib.request.urlopen(f"{store.url}/moto-api/", timeout=5).close()  # noqa: S310
            return store
        except (urllib.error.URLError, OSError):
            if server.poll() is not None or time.monotonic() > give_up_at:
                pytest.fail("moto did not start")
            time.sleep(0.1)
