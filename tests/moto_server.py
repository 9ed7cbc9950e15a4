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
from typing import Any

import pyarrow.fs
import pytest

SERVER = Path(__file__).resolve().parents[1] / ".venv-moto" / "bin" / "moto_server"
START_TIMEOUT_S = 60
SECRET = "test-secret-never-told"


@dataclass(frozen=True)
class ObjectStore:
    """A running server."""

    url: str

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "test-key",
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def make_bucket(self, name: str) -> str:
        self._client(allow_bucket_creation=True).create_dir(name)
        return f"s3://{name}"

    def put(self, url: str, content: bytes) -> None:
        with self._client().open_output_stream(url.removeprefix("s3://")) as file:
            file.write(content)

    def _client(self, **more: bool) -> Any:
        keys = {"access_key": self.environment["AWS_ACCESS_KEY_ID"], "secret_key": SECRET, "region": "us-east-1"}
        return pyarrow.fs.S3FileSystem(endpoint_override=self.url, **keys, **more)


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
