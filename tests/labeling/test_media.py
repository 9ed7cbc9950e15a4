from __future__ import annotations

import base64
import os
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote_from_bytes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.errors import BadMedia, InvalidInput
from labeling.media import MediaReader

PICTURE = bytes(range(256)) * 10
SCHEME = re.compile(r"[a-z]+:/")


class Handler(BaseHTTPRequestHandler):
    """What a server may do, by path; it remembers who was asked for what."""

    asked: list[tuple[str, str, str]] = []  # noqa: RUF012 - one list for a server's handlers
    port = 0

    def do_GET(self) -> None:
        self.asked.append((self.headers["Host"], self.path, self.headers.get("Cookie", "")))
        what, _, rest = self.path.removeprefix("/").partition("/")
        if what == "to":
            self._answer(302, b"", {"Location": rest if SCHEME.match(rest) else f"/{rest}", "Set-Cookie": "a=b"})
        elif what == "status":
            self._answer(int(rest), b"no")
        elif what == "zip":
            self._answer(200, b"x", {"Content-Encoding": "gzip"})
        elif what == "long":
            self._answer(200, b"x" * 100_000)
        elif what == "lies":
            self._raw(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n" + b"x" * 3)
        elif what == "endless":
            self._raw(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 200_000)
        elif what == "drip":
            self._drip(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1000)
        elif what == "headers":
            self._drip(b"HTTP/1.1 200 OK\r\nA: " + b"x" * 1000)
        elif what == "silence":
            time.sleep(2)
        else:
            self._answer(200, PICTURE, {"Content-Type": "text/html"})

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _raw(self, content: bytes) -> None:
        self.wfile.write(content)
        self.close_connection = True

    def _drip(self, content: bytes) -> None:
        for byte in content:
            try:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
            except OSError:
                self.close_connection = True
                return
            time.sleep(0.05)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


class QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A connection that the reader cut is no news."""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    server = QuietServer(("127.0.0.1", 0), Handler)
    Handler.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield Handler.port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def asked() -> list[tuple[str, str, str]]:
    Handler.asked.clear()
    return Handler.asked


def local(host: str, port: int) -> list[str]:
    """Every name is this machine."""
    return ["127.0.0.1"]


def reader(port: int, *hosts: str, resolve: Callable[[str, int], list[str]] = local, **more: object) -> MediaReader:
    names = hosts or (f"private:files.test:{port}",)
    return MediaReader(None, names, **{"max_bytes": 50_000, "timeout_s": 5.0, "resolve": resolve, **more})  # type: ignore[arg-type]


def test_a_url_is_fetched_whatever_it_says_it_is(port: int, asked: list[tuple[str, str, str]]) -> None:
    assert reader(port).read(f"http://files.test:{port}/picture.jpg?a=1#part") == PICTURE
    assert asked == [(f"files.test:{port}", "/picture.jpg?a=1", "")]


def test_three_redirects_are_followed_and_carry_no_cookie(port: int, asked: list[tuple[str, str, str]]) -> None:
    read = reader(port, f"private:files.test:{port}", f"private:other.test:{port}").read
    assert read(f"http://files.test:{port}/to/to/http://other.test:{port}/picture") == PICTURE
    assert [host for host, _, _ in asked] == [f"files.test:{port}"] * 2 + [f"other.test:{port}"]
    assert {cookie for _, _, cookie in asked} == {""}
    with pytest.raises(BadMedia, match="more than 3 times"):
        read(f"http://files.test:{port}/to/to/to/to/picture")


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("to/http://evil.test/", "evil.test:80, which is not allowed; add it to the setting media_hosts"),
        ("to/file:///etc/passwd", "no http"),
        ("to/gopher://files.test/", "no http"),
        ("to/http://me:secret@files.test/", "password"),
        ("status/404", "answered with 404"),
        ("status/500", "answered with 500"),
        ("status/204", "answered with 204"),
        ("zip", "compressed"),
        ("long", "media_max_bytes = 50000"),
        ("endless", "media_max_bytes = 50000"),
        ("lies", "cannot be fetched"),
    ],
)
def test_what_a_server_may_not_do(port: int, path: str, says: str) -> None:
    with pytest.raises(BadMedia, match=says) as caught:
        reader(port).read(f"http://files.test:{port}/{path}")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("path", ["drip", "headers", "silence"])
def test_a_slow_server_is_cut_off(port: int, path: str) -> None:
    with pytest.raises(BadMedia, match=r"longer than 0\.4 s"):
        reader(port, timeout_s=0.4).read(f"http://files.test:{port}/{path}")
    assert not any(isinstance(thread, threading.Timer) for thread in threading.enumerate())


@pytest.mark.parametrize(
    "url", ["http://xn--/a", "http://xn--a/a", "http://xn--99999999/a", "http://[::1/a", "http://\u2100/a"]
)
def test_a_name_that_is_none_is_said(url: str) -> None:
    with pytest.raises(BadMedia, match="is no URL"):
        MediaReader(None, ["a.test"]).read(url)


@pytest.mark.parametrize("bad_port", ["0", "-1", "65536", "99999"])
def test_a_port_that_is_none_is_said(bad_port: str) -> None:
    reader = MediaReader(None, ["a.test"], resolve=lambda _host, _port: ["127.0.0.1"])
    with pytest.raises(BadMedia, match=r"no http\(s\) URL"):
        reader.read(f"http://a.test:{bad_port}/a")


def test_nobody_there_is_said() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        free = held.getsockname()[1]
    with pytest.raises(BadMedia, match=r"cannot be fetched from files\.test"):
        reader(free).read(f"http://files.test:{free}/")


@pytest.mark.parametrize("hosts", [("files.test",), ("files.test:{port}",), ("private:files.test:1", "files.test")])
def test_a_private_address_is_refused_unless_that_host_and_port_are_named(
    port: int, hosts: tuple[str, ...], asked: list[tuple[str, str, str]]
) -> None:
    with pytest.raises(BadMedia, match=rf"127.0.0.1 is private.*private:files.test:{port}"):
        reader(port, *(host.format(port=port) for host in hosts)).read(f"http://files.test:{port}/")
    assert asked == []


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1", "0x7f000001", "2130706433", "127.1", "[::1]", "[::ffff:127.0.0.1]"]
)
def test_every_spelling_of_this_machine_is_not_allowed(port: int, host: str, asked: list[tuple[str, str, str]]) -> None:
    with pytest.raises(BadMedia, match=r"not allowed|is private|no URL"):
        MediaReader(None, ["files.test", host]).read(f"http://{host}:{port}/")
    assert asked == []


def test_one_bad_address_among_good_ones_is_enough(port: int) -> None:
    mixed = reader(port, "files.test", resolve=lambda *_: ["93.184.216.34", "10.0.0.1"])
    with pytest.raises(BadMedia, match=r"10\.0\.0\.1 is private"):
        mixed.read("http://files.test/")


def test_a_name_is_looked_up_once_and_that_address_is_asked(port: int, asked: list[tuple[str, str, str]]) -> None:
    """A name that means another address a moment later (DNS rebinding) changes nothing."""
    answers = [["127.0.0.1"], ["169.254.169.254"]]

    def rebinding(host: str, port: int) -> list[str]:
        return answers.pop(0)

    assert reader(port, resolve=rebinding).read(f"http://files.test:{port}/") == PICTURE
    assert len(answers) == 1
    assert len(asked) == 1
    with pytest.raises(BadMedia, match="credentials"):
        reader(port, resolve=rebinding).read(f"http://files.test:{port}/")
    assert len(asked) == 1


def test_a_redirect_is_looked_up_and_checked_too(port: int, asked: list[tuple[str, str, str]]) -> None:
    def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.1"] if host == "files.test" else ["169.254.169.254"]

    read = reader(port, f"private:files.test:{port}", "metadata.test", resolve=resolve).read
    with pytest.raises(BadMedia, match=r"169\.254\.169\.254 is where clouds keep credentials"):
        read(f"http://files.test:{port}/to/http://metadata.test/")
    assert len(asked) == 1


def test_a_name_has_one_spelling_everywhere(port: int, asked: list[tuple[str, str, str]]) -> None:
    looked_up: list[str] = []

    def resolve(host: str, _port: int) -> list[str]:
        looked_up.append(host)
        return ["127.0.0.1"]

    read = reader(port, f"private:xn--strae-oqa.test:{port}", resolve=resolve).read
    assert read(f"http://STRAßE.test:{port}/") == PICTURE
    assert (looked_up, asked[0][0]) == (["xn--strae-oqa.test"], f"xn--strae-oqa.test:{port}")


def test_a_name_without_address_is_said(port: int) -> None:
    def unknown(host: str, port: int) -> list[str]:
        raise socket.gaierror(-2, "Name or service not known")

    with pytest.raises(BadMedia, match="address cannot be found"):
        reader(port, resolve=unknown).read(f"http://files.test:{port}/")
    with pytest.raises(BadMedia, match="no address"):
        reader(port, resolve=lambda *_: []).read(f"http://files.test:{port}/")


def test_tls_is_checked_against_the_name_and_not_the_address() -> None:
    """The name goes into the handshake (SNI): here the server only listens for it, and has no certificate."""
    names: list[str | None] = []
    server = socket.create_server(("127.0.0.1", 0))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    port = server.getsockname()[1]

    def greet() -> None:
        connection, _ = server.accept()
        with connection:
            try:
                context.wrap_socket(connection, server_side=True)
            except (ssl.SSLError, OSError):
                return

    thread = threading.Thread(target=greet)
    thread.start()
    with pytest.raises(BadMedia, match=r"cannot be fetched from files\.test"):
        reader(port).read(f"https://files.test:{port}/")
    thread.join()
    server.close()
    assert names == ["files.test"]


def test_environment_proxies_are_not_used(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert reader(port).read(f"http://files.test:{port}/") == PICTURE


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "media"
    (root / "sub").mkdir(parents=True)
    (root / "sub" / "a.jpg").write_bytes(PICTURE)
    (root / "good link").symlink_to(root / "sub" / "a.jpg")
    (root / "bad link").symlink_to("/etc/passwd")
    (root / "loop").symlink_to(root / "loop")
    (root / "up").symlink_to(tmp_path)
    (tmp_path / "outside.jpg").write_bytes(b"secret")
    os.mkfifo(root / "pipe")
    return root


def test_files_below_the_folder_are_read(folder: Path) -> None:
    read = MediaReader(folder).read
    for name in ("sub/a.jpg", "./sub/../sub/a.jpg", str(folder / "sub" / "a.jpg"), "good link"):
        assert read(name) == PICTURE


@pytest.mark.parametrize(
    "name",
    [
        "../outside.jpg",
        "sub/../../outside.jpg",
        "/etc/passwd",
        "bad link",
        "up/outside.jpg",
        "loop",
        "pipe",
        "sub",
        ".",
        "",
        "nothing.jpg",
        "a\x00b",
        "file:///etc/passwd",
        "s3://bucket/a",
        "/dev/zero",
    ],
)
def test_nothing_else_is(folder: Path, name: str) -> None:
    with pytest.raises(BadMedia, match=r"media_dir|plain file"):
        MediaReader(folder).read(name)


def test_a_link_that_takes_the_place_of_a_folder_is_not_followed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.resolve

    def resolve(path: Path, strict: bool = False) -> Path:
        found = real(path, strict)
        if path.name == "a.jpg":  # somebody is quick
            (folder / "sub").rename(folder / "moved")
            (folder / "sub").symlink_to("/etc")
        return found

    media = MediaReader(folder)
    monkeypatch.setattr(Path, "resolve", resolve)
    with pytest.raises(BadMedia, match="cannot be read"):
        media.read("sub/a.jpg")


def test_a_large_file_is_refused_and_can_be_opened(folder: Path) -> None:
    media = MediaReader(folder, max_bytes=len(PICTURE) - 1)
    with pytest.raises(BadMedia, match="media_max_bytes"):
        media.read("sub/a.jpg")
    with media.open("sub/a.jpg") as file:
        assert not isinstance(file, bytes)
        file.seek(10)
        assert file.read(3) == PICTURE[10:13]
    with media.open("data:,abc") as content:
        assert content == b"abc"
    with pytest.raises(OSError, match="mine"), media.open("sub/a.jpg"):
        raise OSError("mine")  # what goes wrong with the file afterwards is not its media's fault


def test_without_a_folder_there_are_no_files(tmp_path: Path) -> None:
    with pytest.raises(BadMedia, match="media_dir"):
        MediaReader(None).read("a.jpg")
    with pytest.raises(InvalidInput, match="media_dir"):
        MediaReader(tmp_path / "nothing")
    with pytest.raises(InvalidInput, match="media_hosts"):
        MediaReader(None, ["https://a"])


def test_data_uris_hold_their_bytes() -> None:
    media = MediaReader(None, max_bytes=200)

    @settings(deadline=None)
    @given(st.binary(max_size=200))
    def check(content: bytes) -> None:
        assert media.read("data:image/png;base64," + base64.b64encode(content).decode()) == content
        assert media.read("data:," + quote_from_bytes(content)) == content

    check()


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("data:image/png", "no data: URI"),
        ("data:;base64,####", "no base64"),
        ("data:;base64,abc", "no base64"),
        ("data:;base64,ü", "no base64"),
        ("data:," + "x" * 11, "media_max_bytes = 10"),
        ("data:;base64," + "AAAA" * 100, "media_max_bytes = 10"),
    ],
)
def test_broken_and_large_data_uris_are_refused(uri: str, says: str) -> None:
    with pytest.raises(BadMedia, match=says):
        MediaReader(None, max_bytes=10).read(uri)
