"""Label Studio where hosted ones are: behind TLS with an authority of one's own, below a path, and behind a proxy."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks._faults import FaultyProxy
from labeling.errors import InvalidInput, StudioUnauthorized, StudioUnreachable
from labeling.policies import Policy
from labeling.records import TaskKind
from labeling.store.ledger import SqlLedger
from labeling.studio.client import StudioClient
from labeling.studio.embedded import EmbeddedStudio
from labeling.studio.label_config import build_result
from labeling.studio.projects import ensure_project
from labeling.studio.pull import pull_project
from labeling.studio.push import push_tasks
from labeling.studio.transport import Way
from tests.labeling.studio.build import VIOLATES, make_tasks
from tests.studio_server import personal

studio = pytest.mark.studio
TOKEN = "f" * 40


def openssl(folder: Path, *arguments: str) -> None:
    program = shutil.which("openssl")
    if program is None:
        pytest.fail("openssl is not installed: these tests make an authority of their own with it", pytrace=False)
    subprocess.run([program, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the certificate of a made-up authority, and of a server that it signed."""
    folder = tmp_path_factory.mktemp("authority")
    new = ("req", "-newkey", "rsa:2048", "-nodes")
    openssl(folder, *new, "-x509", "-days", "2", "-subj", "/CN=Made-up CA", "-keyout", "ca.key", "-out", "ca.pem")
    openssl(folder, *new, "-subj", "/CN=127.0.0.1", "-keyout", "server.key", "-out", "server.csr")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1")
    by = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names")
    openssl(folder, "x509", "-req", "-in", "server.csr", *by, "-out", "server.pem")
    return folder


@pytest.fixture
def tls(authority: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "server.pem", authority / "server.key")
    return context


@pytest.fixture
def hosted(studio_server: EmbeddedStudio, tls: ssl.SSLContext) -> Iterator[FaultyProxy]:
    """The session's server at https://127.0.0.1:PORT/label-studio."""
    with FaultyProxy(studio_server.base_url, prefix="/label-studio", tls=tls) as proxy:
        yield proxy


@studio
@pytest.mark.parametrize("kind", ["legacy", "personal"])
def test_the_bridge_works_below_a_path_over_tls(
    kind: str,
    hosted: FaultyProxy,
    authority: Path,
    studio_server: EmbeddedStudio,
    ledger: SqlLedger,
    policy: Policy,
    people: Callable[[int], StudioClient],
) -> None:
    token = studio_server.account.token if kind == "legacy" else personal(studio_server)
    with StudioClient(hosted.address + "/", token, 60.0, settle_s=1.0, way=Way(authority / "ca.pem")) as client:
        assert client.base_url == hosted.address
        assert client.whoami() == studio_server.account.email
        project = ensure_project(client, ledger.projects, policy, TaskKind.BLIND)
        assert project.base_url == hosted.address
        tasks = make_tasks(ledger, policy, ["one", "two"], overlap=3)
        assert push_tasks(client, ledger.tasks, ledger.projects, project, tasks, "test").sent == 2
        number = ledger.tasks.get(tasks[0].task_id).studio_task_id
        assert number is not None
        people(0).annotate(number, build_result(VIOLATES))
        assert pull_project(client, ledger, project, policy, full=True).created == 1


def test_a_certificate_nobody_vouches_for_is_refused_with_the_cure(tls: ssl.SSLContext) -> None:
    with (
        FaultyProxy("http://127.0.0.1:9", tls=tls) as proxy,
        StudioClient(proxy.address, TOKEN, 10.0) as client,
        pytest.raises(StudioUnreachable, match="setting studio_ca_file"),
    ):
        client.version()


def test_a_file_without_certificates_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"studio_ca_file: .*No such file"):
        StudioClient("https://studio.example", TOKEN, way=Way(tmp_path / "none.pem"))
    (tmp_path / "empty.pem").write_text("nothing")
    with pytest.raises(InvalidInput, match=r"studio_ca_file: .*PEM"):
        StudioClient("https://studio.example", TOKEN, way=Way(tmp_path / "empty.pem"))


@studio
def test_a_proxy_is_used_even_for_an_address_that_only_it_knows(studio_server: EmbeddedStudio) -> None:
    token = studio_server.account.token
    with FaultyProxy(studio_server.base_url) as proxy:
        with StudioClient("http://studio.internal.example", token, 30.0, way=Way(proxy=proxy.address)) as client:
            assert client.whoami() == studio_server.account.email
        assert proxy.forwarded == 1
    with pytest.raises(InvalidInput, match="studio_proxy: not an http"):
        StudioClient("http://studio.example", token, way=Way(proxy="user:secret@proxy"))


@studio
def test_a_personal_token_that_was_revoked_is_told(studio_server: EmbeddedStudio) -> None:
    forged = personal(studio_server)[:-3] + "abc"
    with (
        StudioClient(studio_server.base_url, forged, 30.0) as client,
        pytest.raises(StudioUnauthorized, match="a personal access token"),
    ):
        client.whoami()
